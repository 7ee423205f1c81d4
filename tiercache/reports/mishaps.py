"""What went wrong lately, in a few words."""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST: Final = 200
"""Characters of an error's own words that are kept."""


class Mishap(NamedTuple):
    """Something that went wrong on a node.

    Attributes:
        at: when, in seconds of the node's clock, or of the server's Unix time once it is reported.
        kind: one of `RedisAway.KINDS`, "undecodable" or "load".
        text: the error's own words.
    """

    at: float
    kind: str
    text: str


def described(error: BaseException) -> str:
    """Return an error's type and its words, not more than `LONGEST` of them."""
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
