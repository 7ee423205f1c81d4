"""Hits in memory, looked at for a hundredth of the time, so that a hit need not be counted by key.

While a window is open, another object stands where the dictionary of entries stands: whoever looks
a key up looks it up there. Outside of windows nothing is any slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from .entry import KEPT, MOLDED, SERIALIZED, Entry, Lookup
from .reports.histogram import Histogram

OPEN: Final = 0.01
"""Seconds for which a window is open."""

EVERY: Final = 1.0
"""Seconds from the opening of one to that of the next."""

ONE_IN: Final = round(EVERY / OPEN)

MOST: Final = 300
"""Hits that one window takes; then it closes before its time."""


class Window:
    """Stands in for the dictionary of entries until its time is over, and notes hits.

    Whoever first looks something up after that closes it, in their own thread, so that no other
    thread has to be in time. A hit is timed by doing it twice: the look-up and, where the copy is
    serialized, the making of the value.
    """

    __slots__ = ("_close", "_end", "_entries", "_loads", "_times", "seen")

    def __init__(
        self,
        entries: Lookup,
        loads: Callable[[bytes], Any],
        times: Histogram,
        close: Callable[[], None],
    ) -> None:
        self.seen: list[str] = []
        self._entries = entries
        self._loads = loads
        self._times = times
        self._close = close
        self._end = time.monotonic() + OPEN

    def get(self, key: str, /) -> Entry | None:
        """Return the key's entry, and note it if it is fresh."""
        entry = self._entries.get(key)
        if entry is not None:
            now = time.monotonic()
            if now >= self._end or len(self.seen) >= MOST:
                self._close()
            elif now < entry.deadline:
                self._note(key)
        return entry

    def _note(self, key: str) -> None:
        began = time.perf_counter_ns()
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.form & (SERIALIZED | MOLDED):
            held = entry.held.held if entry.form & KEPT else entry.held
            try:
                self._loads(held) if entry.form & SERIALIZED else held.make()
            except Exception:  # noqa: BLE001 - the caller finds out, and it is counted there
                return
        self._times.record(time.perf_counter_ns() - began)
        self.seen.append(key)


class Sampler:
    """Opens windows and takes what was seen. Called by one thread.

    Args:
        entries: the memory tier's.
        loads: makes the value of a serialized copy.
        times: where the times of hits are counted.
        changed: called when a window has been opened or closed.

    Attributes:
        lookup: where hits are to be looked up now.
    """

    def __init__(
        self,
        entries: Lookup,
        loads: Callable[[bytes], Any],
        times: Histogram,
        changed: Callable[[], None],
    ) -> None:
        self.lookup: Lookup = entries
        self._entries = entries
        self._loads = loads
        self._times = times
        self._changed = changed
        self._window: Window | None = None
        self._opened = float("-inf")

    def turn(self, now: float) -> list[str]:
        """Close the window there is and open the next if it is time; return the keys seen."""
        if now < self._opened + EVERY:
            return []
        seen = [] if self._window is None else self._window.seen
        self._opened = now
        self._window = Window(self._entries, self._loads, self._times, self.close)
        self.lookup = self._window
        self._changed()
        return seen

    def close(self) -> None:
        """Let hits be looked up in the dictionary itself again."""
        self.lookup = self._entries
        self._changed()
