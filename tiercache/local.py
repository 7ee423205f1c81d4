"""The memory tier's answers where Redis gives none: every operation, alone.

A cache without a Redis tier answers so always, one whose Redis is away until it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .entry import MISSING, SERIALIZED, WARNS, Copy, Entry
from .exceptions import Undecodable
from .keys import warns
from .memory import MemoryTier
from .steps import FOREVER


class Packer(Protocol):
    """The part of a codec that is needed here."""

    loads: Callable[[bytes], Any]

    def pack(self, value: Any) -> Any:
        """Return what has a `copy`."""


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
        entry = self._memory.fresh(key)
        return MISSING if entry is None else self.value(entry)

    def value(self, entry: Entry) -> Any:
        """Return the value that an entry holds: one of its own for each caller.

        `MISSING` if it cannot be read, which is counted; the copy is dropped then.
        """
        if not entry.form & SERIALIZED:
            return entry.held
        try:
            return self._codec.loads(entry.held)
        except Exception as exc:  # noqa: BLE001 - see below
            # The site's own classes may raise anything when they are made again.
            error = Undecodable(f"{type(exc).__name__}: {exc}")
            error.__cause__ = exc
            self._undecodable(entry.key, error)
            self._memory.invalidate(entry.key)
            return MISSING

    def has(self, key: str) -> bool:
        """Tell whether there is an entry."""
        return self._memory.fresh(key) is not None

    def put(self, key: str, copy: Copy, deadline: float, when: str, era: int) -> bool:
        """Write, with "NX" only where there is no entry and with "XX" only where there is one."""
        if when == "NX":
            return self._memory.put(key, copy, deadline, expect=MISSING, era=era)
        if when == "XX" and self._memory.fresh(key) is None:
            return False
        return self._memory.put(key, copy, deadline, era=era)

    def remove(self, keys: Iterable[str]) -> int:
        """Remove keys; return how many were there."""
        return sum(self._memory.invalidate(key) for key in keys)

    def increment(self, key: str, delta: Any, *, create: bool, era: int) -> Any:
        """Add to a value; return the sum, or `MISSING` where there is none and none is made."""
        while True:
            entry = self._memory.fresh(key)
            if entry is None and not create:
                return MISSING
            value = 0 if entry is None else self.value(entry)
            if value is MISSING:
                return MISSING
            total = value + delta
            copy = marked(key, self._codec.pack(total).copy)
            deadline = float("inf") if entry is None else entry.deadline
            expect = MISSING if entry is None else entry
            # Another thread may have been here since the look-up.
            if self._memory.put(key, copy, deadline, expect=expect, era=era):
                return total
            if self._memory.era != era:
                return total

    def retime(self, key: str, deadline: float) -> bool:
        """Give an entry another deadline; False where there is none."""
        return self._memory.retime(key, deadline)

    def rename(self, old: str, new: str, era: int) -> bool:
        """Give an entry another key; False where there is none."""
        entry = self._memory.fresh(old)
        if entry is None:
            return False
        value = self.value(entry)
        if value is MISSING:
            return False
        copy = marked(new, self._codec.pack(value).copy)
        self._memory.put(new, copy, entry.deadline, era=era)
        self._memory.invalidate(old)
        return True

    def left(self, key: str) -> int | None:
        """Return what is left of an entry's time in milliseconds, `FOREVER`, None: not there."""
        entry = self._memory.fresh(key)
        if entry is None:
            return None
        if entry.deadline == float("inf"):
            return FOREVER
        return max(int((entry.deadline - self._clock()) * 1000), 0)

    def keys(self, match: Callable[[str], bool]) -> list[str]:
        """Return the keys of all entries that fit."""
        now = self._clock()
        entries = self._memory.entries.copy()
        return [key for key, entry in entries.items() if now < entry.deadline and match(key)]


def marked(key: str, copy: Copy) -> Copy:
    """Mark the copy if Django warns about its key, so that every hit can do so again."""
    return copy._replace(form=copy.form | WARNS) if warns(key) else copy
