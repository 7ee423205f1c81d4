"""What a server says of itself: whether it is the primary."""

from __future__ import annotations

from typing import Any, Final

ROLE: Final = ("HELLO",)
"""The command that tells a server's role; unlike ROLE and INFO it needs no rights."""

_REPLICA: Final = frozenset({b"replica", b"slave", "replica", "slave"})


def is_replica(reply: Any) -> bool:
    """Tell whether a reply to `ROLE` is a replica's; one that says nothing is not."""
    if isinstance(reply, list):
        # As RESP 2 writes a mapping.
        reply = dict(zip(reply[::2], reply[1::2], strict=False))
    return isinstance(reply, dict) and (reply.get(b"role") or reply.get("role")) in _REPLICA
