"""The walk over Redis's keys: small steps, for a limited time, and on from where it stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from tiercache.steps import Flow

from .cursors import Place
from .looking import Look
from .names import is_hidden

MOST_AT_ONCE: Final = 1000
"""Keys that the server looks at in one step, at the most: others wait for less than 1 ms."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a part of the walk has found.

    Attributes:
        keys: full keys, each once.
        next: where to go on; None where the walk has come to its end, or may not go on.
        scanned: keys looked at since the walk began, as SCAN's counts promise.
    """

    keys: tuple[bytes, ...] = ()
    next: Place | None = None
    scanned: int = 0


def walk(look: Look, glob: bytes, place: Place, size: int, seconds: float) -> Flow[Found]:
    """Look for keys until there are `size` of them (a few more may come along), or time is over.

    A step that brings too many is asked for again in a smaller one, from the same cursor: so none
    is left out.
    """
    ends = time.monotonic() + seconds
    keys: dict[bytes, None] = {}
    at, scanned, count = place.at, place.scanned, size
    while len(keys) < size:
        (reply,) = yield from look.ask(("SCAN", at, "MATCH", glob, "COUNT", count))
        if reply is None:
            return Found(tuple(keys), None, scanned)
        following, fit = _read(reply)
        if len(keys) + len(fit) > 2 * size and count > size:
            count = size
            continue
        keys.update(dict.fromkeys(fit))
        at, scanned = following, scanned + count
        if not at:
            return Found(tuple(keys), None, scanned)
        if time.monotonic() >= ends:
            break
        count = min(count * 2, MOST_AT_ONCE)
    return Found(tuple(keys), Place(at, scanned, place.found + len(keys)), scanned)


def _read(reply: Any) -> tuple[int, list[bytes]]:
    cursor, names = reply
    return int(cursor), [name for name in names if not is_hidden(name)]
