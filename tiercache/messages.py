"""What nodes tell each other: that keys were changed, and by whom."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, NamedTuple

WIRE_VERSION: Final = 1

_decode = json.JSONDecoder().raw_decode

MOST_KEYS: Final = 1000
"""Keys that one message names; one about more says "everything"."""

MOST_CHARACTERS: Final = 64 * 1024
"""Characters of all keys in one message; beyond them it says "everything"."""


class Heard(NamedTuple):
    """A message as it arrived.

    Attributes:
        origin: the id of the node that sent it.
        keys: the keys that it changed, None for everything.
    """

    origin: str
    keys: list[str] | None


class Post(NamedTuple):
    """Where and as whom a node tells the others.

    Attributes:
        channel: the channel of Redis's Pub/Sub.
        origin: this node's id, which JSON writes as it is.
    """

    channel: str
    origin: str

    def of(self, keys: tuple[str, ...]) -> tuple[str, str]:
        """Return the channel and the message that tells of a change to these keys."""
        many = len(keys) > MOST_KEYS or sum(map(len, keys)) > MOST_CHARACTERS
        named = "null" if many else f"[{', '.join(map(_quoted, keys))}]"
        return self.channel, f'["{self.origin}", {named}]'

    @property
    def own(self) -> bytes:
        """What messages of this node's begin with that name keys."""
        return f'["{self.origin}", ["'.encode()


def channel(database: int) -> str:
    """Return the channel for a database: Pub/Sub itself does not tell them apart."""
    return f"tiercache:{WIRE_VERSION}:{database}"


def parse(data: bytes) -> Heard | None:
    """Read a message; None if it is none of ours, and so tells nothing that can be relied on."""
    try:
        # Not `json.loads`, which takes four times as long: it guesses at the encoding first.
        text = data.decode()
        (origin, keys), end = _decode(text)
    except (ValueError, TypeError, RecursionError):
        return None
    if end != len(text):
        return None
    if not isinstance(origin, str):
        return None
    if keys is None or (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        return Heard(origin, keys)
    return None
