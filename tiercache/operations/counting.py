"""What a selection comes to in Redis: counted by a walk that ends in time and leaves no trace."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import ResponseError

from tiercache.backend import TieredCache
from tiercache.exceptions import RedisAway, TierCacheError, Undecodable
from tiercache.header import MARK, split
from tiercache.keys import is_internal

from .handles import EVERYTHING, namespace_of, send
from .selecting import Selection

AT_ONCE: Final = 1000
"""Keys that Redis looks at in one step."""

MOST_EXAMPLES: Final = 10

TOLD_APART: Final = 100_000
"""Keys found that are told apart. A walk names some twice while the server's table shrinks; beyond
this many such are counted twice."""

FIRST_BYTES: Final = 512
"""Bytes of an entry that are read for its tags, at first."""

MOST_BYTES: Final = 64 * 1024
"""Bytes that are read where these do not hold all of its tags."""

NO_TOUCH: Final = ("CLIENT", "NO-TOUCH", "ON")
TOUCH: Final = ("CLIENT", "NO-TOUCH", "OFF")


@dataclass(slots=True)
class Count:
    """What has been found so far.

    Attributes:
        keys: how many, each counted once (but see `TOLD_APART`).
        complete: whether these are all.
        scanned, total: how many of about how many keys of the database were looked at.
        examples: some of them.
        reached: whether Redis answered.
        reason: why it did not, or what its user may not use.
    """

    keys: int = 0
    complete: bool = False
    scanned: int = 0
    total: int = 0
    examples: list[bytes] = field(default_factory=list)
    reached: bool = True
    reason: str = ""
    _seen: set[int] = field(default_factory=set)

    def add(self, names: Iterable[bytes]) -> None:
        """Count keys that were found."""
        for name in names:
            if len(self._seen) < TOLD_APART:
                if hash(name) in self._seen:
                    continue
                self._seen.add(hash(name))
            self.keys += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(name)


class _Refused(TierCacheError):
    """This server, or this user, does not take a command."""


def count(cache: TieredCache, selection: Selection, until: float) -> Count:
    """Count the keys in Redis that an eviction would remove, until about `time.monotonic()`.

    Of a tag, those entries are counted that bear it with the number that it has now; the others
    have gone before. Never raises because Redis is away.
    """
    counted = Count()
    try:
        if selection.kind == "keys":
            _count_keys(cache, selection.keys, until, counted)
        elif selection.kind == "tag":
            _count_bearers(cache, selection, until, counted)
        else:
            for names in _walk(cache, selection.glob(cache), until, counted):
                counted.add(filter(_is_callers, names))
    except RedisAway as away:
        counted.reached, counted.complete, counted.reason = False, False, str(away)
    except _Refused as refused:
        counted.complete, counted.reason = False, str(refused)
    return counted


def _count_keys(cache: TieredCache, keys: tuple[bytes, ...], until: float, counted: Count) -> None:
    counted.total = len(keys)
    for start in range(0, len(keys), AT_ONCE):
        if start and time.monotonic() >= until:
            return
        part = keys[start : start + AT_ONCE]
        # Of all ways to ask whether a key is there, PTTL marks nothing as used.
        lefts = send(cache, *(("PTTL", key) for key in part))
        counted.scanned += len(part)
        counted.add(
            key for key, left in zip(part, lefts, strict=True) if _checked("PTTL", left) != -2
        )
    counted.complete = True


def _walk(cache: TieredCache, glob: str, until: float, counted: Count) -> Iterator[list[bytes]]:
    """Yield the names that fit, a step at a time, until the walk or the time is over."""
    (size,) = send(cache, ("DBSIZE",))
    counted.total = 0 if isinstance(size, ResponseError) else size
    cursor = 0
    while True:
        (reply,) = send(cache, ("SCAN", cursor, "MATCH", glob, "COUNT", AT_ONCE))
        following, names = _checked("SCAN", reply)
        yield names
        cursor = int(following)
        counted.complete = cursor == 0
        looked = counted.scanned + AT_ONCE
        counted.scanned = (
            counted.total if counted.complete else min(looked, counted.total or looked)
        )
        if counted.complete or time.monotonic() >= until:
            return


def _is_callers(name: bytes) -> bool:
    try:
        return not is_internal(name.decode())
    except UnicodeDecodeError:
        # Django's keys are text, so a walk that removes leaves it as well.
        return False


# Tags


def _count_bearers(cache: TieredCache, selection: Selection, until: float, counted: Count) -> None:
    _refuse_to_be_seen(cache)
    tag = selection.full_tag(cache)
    (number,) = _unseen(cache, ("GET", tag))
    if number is None:
        # Nothing bears it: whatever did has gone with its number.
        counted.complete = True
        return
    bears = (tag, int(_checked("GET", number)))
    own = namespace_of(cache)
    cut = 0
    for names in _walk(cache, EVERYTHING if own is None else own, until, counted):
        asked = [name for name in names if _is_callers(name)]
        tags, unread = _tags_of(cache, asked)
        counted.add(name for name in asked if bears in tags.get(name, ()))
        cut += unread
    if cut:
        raise _Refused(f"{cut} entries have more tags than are read here")


def _tags_of(
    cache: TieredCache, names: list[bytes]
) -> tuple[dict[bytes, tuple[tuple[str, int], ...]], int]:
    """Return the tags of entries by key, and of how many they could not all be read."""
    found: dict[bytes, tuple[tuple[str, int], ...]] = {}
    left = names
    for most in (FIRST_BYTES, MOST_BYTES):
        heads = _unseen(cache, *(("GETRANGE", name, 0, most - 1) for name in left))
        unread = []
        for name, head in zip(left, heads, strict=True):
            if not isinstance(head, bytes) or head[:1] != MARK:
                continue
            try:
                meta, _ = split(head)
            except Undecodable:
                if len(head) == most:
                    unread.append(name)
                continue
            found[name] = meta.tags if meta else ()
        left = unread
        if not left:
            break
    return found, len(left)


def _unseen(cache: TieredCache, *commands: tuple[Any, ...]) -> list[Any]:
    """Send commands that read, so that the server does not take the keys for used."""
    return send(cache, NO_TOUCH, *commands, TOUCH)[1:-1] if commands else []


def _refuse_to_be_seen(cache: TieredCache) -> None:
    """Find out before anything is read: what comes after a refusal would be read all the same.

    Raises:
        _Refused: this server or user does not take CLIENT NO-TOUCH.
    """
    for reply in send(cache, NO_TOUCH, TOUCH):
        _checked("CLIENT NO-TOUCH, without which reading leaves a trace,", reply)


def _checked(command: str, reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        raise _Refused(f"this Redis user cannot use {command} here: {reply}") from reply
    return reply
