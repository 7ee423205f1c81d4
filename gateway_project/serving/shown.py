"""What of an upstream's response callers are shown."""

from __future__ import annotations

from typing import Final

from tiercache.http import hops, tags
from tiercache.http.fields import Fields

# What an upstream says of itself, and not of the gateway in front of it.
_OF_THE_UPSTREAM: Final = frozenset({"alt-svc", "strict-transport-security"})


def passable(fields: Fields) -> Fields:
    """Return the fields of an upstream's response that callers are to see."""
    return tags.stripped(hops.end_to_end(fields)).without(_OF_THE_UPSTREAM)
