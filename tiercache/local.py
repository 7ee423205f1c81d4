"""The memory tier's answers where Redis gives none: every operation, alone.

A cache without a Redis tier answers so always, one whose Redis is away until it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from sys import getsizeof
from typing import Any, NamedTuple, Protocol

from .entry import (
    FIXED,
    KEPT,
    MISSING,
    MOLDED,
    SERIALIZED,
    WARNS,
    Copy,
    Entry,
    Missing,
    kept,
    size_of_copy,
)
from .exceptions import Undecodable
from .keys import is_internal, warns
from .memory import MemoryTier
from .molds import Mold
from .steps import FOREVER


class Packer(Protocol):
    """The part of a codec that is needed here."""

    loads: Callable[[bytes], Any]

    def pack(self, value: Any) -> Any:
        """Return what has a `copy`."""

    def mold(self, data: bytes) -> Mold | None:
        """Return what makes the value of a `SERIALIZED` copy faster, if any."""


class Before(NamedTuple):
    """What a load knows of tags from before it computed anything.

    Attributes:
        numbers: those of the tags that the caller gave, by full key.
        last: the last number that any tag was given.
        evictions: how often tags had been evicted.
    """

    numbers: dict[str, Any]
    last: int
    evictions: int


class Local:
    """The operations on one memory tier. Thread-safe, each atomic.

    `era` is the memory tier's era when the operation began: once everything has been dropped
    since then, because Redis is back, what this operation writes is kept nowhere.
    """

    def __init__(
        self,
        memory: MemoryTier,
        codec: Packer,
        clock: Callable[[], float],
        undecodable: Callable[[str, Undecodable], None],
    ) -> None:
        self._memory = memory
        self._codec = codec
        self._clock = clock
        self._undecodable = undecodable

    def get(self, key: str) -> Any:
        """Return the value, or `MISSING`."""
        entry = self._fresh(key)
        return MISSING if entry is None else self.value(entry)

    def holds(self, entry: Entry) -> bool:
        """Tell whether each tag of an entry has the number that the entry bears, in memory."""
        if not entry.form & KEPT:
            return True
        for tag, number in entry.held.meta.tags:
            known = self._memory.fresh(tag)
            if known is None or known.held != number:
                return False
        return True

    def evict(self, tags: Iterable[str]) -> int:
        """Evict what bears one of these tags; return how many of them were known."""
        _numbers.evictions += 1
        return self.remove(tags)

    def numbers_before(self, tags: tuple[str, ...]) -> Before:
        """Return what a load has to know of tags when it begins."""
        last, evictions = _numbers.last, _numbers.evictions
        return Before(self.numbers(tags), last, evictions)

    def numbers(self, tags: Iterable[str]) -> dict[str, int]:
        """Return the tags' numbers by full key; give one to those that have none."""
        numbers = {}
        for tag in tags:
            known = self._memory.fresh(tag)
            if known is None:
                copy = self._codec.pack(_numbers.next()).copy
                self._memory.put(tag, copy, float("inf"), expect=MISSING)
                # Another thread may have been first; one that is refused room has none.
                known = self._memory.fresh(tag)
            numbers[tag] = 0 if known is None else known.held
        return numbers

    def _fresh(self, key: str) -> Entry | None:
        entry = self._memory.fresh(key)
        return entry if entry is not None and self.holds(entry) else None

    def value(self, entry: Entry) -> Any:
        """Return the value that an entry holds: one of its own for each caller.

        `MISSING` if it cannot be read, which is counted; the copy is dropped then.
        """
        form, held = entry.form, entry.held
        if form & KEPT:
            held = held.held
        try:
            if form & SERIALIZED:
                return self._codec.loads(held)
            return held.make() if form & MOLDED else held
        except Exception as exc:  # noqa: BLE001 - see `opened`
            self._memory.invalidate(entry.key)
            return self._unreadable(entry.key, exc)

    def cast(self, entry: Entry) -> None:
        """Hold the value of an entry, which is `SERIALIZED`, as a mold if there is one for it."""
        held = entry.held.held if entry.form & KEPT else entry.held
        mold = self._codec.mold(held)
        if mold is None:
            entry.form |= FIXED
            return
        copy = Copy(mold, entry.form & WARNS | MOLDED, getsizeof(mold))
        if entry.form & KEPT:
            copy = kept(copy, entry.held.until, entry.held.meta)
        if not self._memory.recast(entry, copy):
            entry.form |= FIXED

    def opened(self, key: str, copy: Copy) -> Any:
        """Return the value of a copy, one of its own for each caller; `MISSING`, and counted."""
        if not copy.form & SERIALIZED:
            return copy.held
        try:
            return self._codec.loads(copy.held)
        except Exception as exc:  # noqa: BLE001 - see below
            # The site's own classes may raise anything when they are made again.
            return self._unreadable(key, exc)

    def _unreadable(self, key: str, exc: Exception) -> Missing:
        error = Undecodable(f"{type(exc).__name__}: {exc}")
        error.__cause__ = exc
        self._undecodable(key, error)
        return MISSING

    def has(self, key: str) -> bool:
        """Tell whether there is an entry."""
        return self._fresh(key) is not None

    def put(self, key: str, copy: Copy, deadline: float, when: str, era: int) -> bool:
        """Write, with "NX" only where there is no entry and with "XX" only where there is one."""
        if when == "NX":
            return self._add(key, copy, deadline, era)
        if when == "XX" and self._fresh(key) is None:
            return False
        return self._memory.put(key, copy, deadline, era=era)

    def _add(self, key: str, copy: Copy, deadline: float, era: int) -> bool:
        while True:
            old = self._memory.fresh(key)
            if old is not None and self.holds(old):
                return False
            # What has been evicted with its tag counts for nothing, and is to be replaced.
            expect = MISSING if old is None else old
            # Another thread may have been here since the look-up, if only to recast it.
            if self._memory.put(key, copy, deadline, expect=expect, era=era):
                return True

    def remove(self, keys: Iterable[str]) -> int:
        """Remove keys; return how many were there."""
        return sum(self._memory.invalidate(key) for key in keys)

    def increment(self, key: str, delta: Any, *, create: bool, era: int) -> Any:
        """Add to a value; return the sum, or `MISSING` where there is none and none is made."""
        while True:
            there = self._memory.fresh(key)
            # What has been evicted with its tag counts for nothing, and is to be replaced.
            entry = there if there is not None and self.holds(there) else None
            if entry is None and not create:
                return MISSING
            value = 0 if entry is None else self.value(entry)
            if value is MISSING:
                return MISSING
            total = value + delta
            copy = like(entry, marked(key, self._codec.pack(total).copy))
            deadline = float("inf") if entry is None else entry.deadline
            expect = MISSING if there is None else there
            # Another thread may have been here since the look-up.
            if self._memory.put(key, copy, deadline, expect=expect, era=era):
                return total
            if self._memory.era != era:
                return total

    def retime(self, key: str, deadline: float, era: int) -> bool:
        """Give an entry another deadline; False where there is none."""
        while (entry := self._fresh(key)) is not None:
            if not entry.form & KEPT:
                return self._memory.retime(key, deadline, era=era)
            until = deadline + entry.held.meta.grace / 1000
            copy = Copy(entry.held._replace(until=until), entry.form, size_of_copy(entry))
            # Another thread may have been here since the look-up, if only to recast it.
            if self._memory.put(key, copy, deadline, expect=entry, era=era):
                return True
        return False

    def rename(self, old: str, new: str, era: int) -> bool:
        """Give an entry another key; False where there is none."""
        entry = self._fresh(old)
        if entry is None:
            return False
        value = self.value(entry)
        if value is MISSING:
            return False
        copy = like(entry, marked(new, self._codec.pack(value).copy))
        self._memory.put(new, copy, entry.deadline, era=era)
        self._memory.invalidate(old)
        return True

    def left(self, key: str) -> int | None:
        """Return what is left of an entry's time in milliseconds, `FOREVER`, None: not there."""
        entry = self._fresh(key)
        if entry is None:
            return None
        if entry.deadline == float("inf"):
            return FOREVER
        return max(int((entry.deadline - self._clock()) * 1000), 0)

    def keys(self, match: Callable[[str], bool]) -> list[str]:
        """Return the keys of all entries that fit."""
        now = self._clock()
        return [
            entry.key
            for entry in list(self._memory.entries.values())
            if now < entry.deadline
            and match(entry.key)
            and not is_internal(entry.key)
            and self.holds(entry)
        ]


class _Numbers:
    """No two tags of this process get the same, nor one of Redis's: those are positive.

    Without a lock, which a fork could find held. Where two threads are given numbers at once,
    `last` may be the first of the two, and a load takes the second for one given since.
    """

    def __init__(self) -> None:
        self.last = 0
        self.evictions = 0
        self._next = count(-1, -1)

    def next(self) -> int:
        number = self.last = next(self._next)
        return number


_numbers = _Numbers()


def like(entry: Entry | None, copy: Copy) -> Copy:
    """Give a copy the tags and the grace of the entry whose place it takes."""
    if entry is None or not entry.form & KEPT:
        return copy
    return kept(copy, entry.held.until, entry.held.meta)


def marked(key: str, copy: Copy) -> Copy:
    """Mark the copy if Django warns about its key, so that every hit can do so again."""
    return copy._replace(form=copy.form | WARNS) if warns(key) else copy
