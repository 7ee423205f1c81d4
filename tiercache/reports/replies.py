"""What Redis replies to commands sent as they are, whichever protocol version it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .figures import Sections, by_section


def pairs(reply: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of a hash or of a sorted set with its scores; none of a refusal."""
    if isinstance(reply, Mapping):
        return list(reply.items())
    if not isinstance(reply, list):
        return []
    if reply and isinstance(reply[0], list):
        return [(one[0], one[1]) for one in reply]
    return list(zip(reply[::2], reply[1::2], strict=True))


def counts(reply: Any) -> Sections:
    """Return the counts in a hash of them; what is no count is left out."""
    flattened: dict[str, int] = {}
    for name, count in pairs(reply):
        try:
            flattened[name.decode()] = int(count)
        except (ValueError, AttributeError):
            continue
    return by_section(flattened)
