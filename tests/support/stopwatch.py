"""How long something takes, less the time in which the machine did not run this process.

Where tests run side by side, a process may not be run for tens of milliseconds, and a virtual
machine's host may keep one of its processors for as long. A thread on each that only sleeps
notices: by as much as it wakes up late, what was there was late.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BEAT = 0.002
"""Seconds that the thread sleeps at a time."""

TO_NOTICE = 0.01
"""Seconds of lateness that count: twice what Python lets a thread wait for its turn."""


class _Pulse(threading.Thread):
    def __init__(self, processor: int) -> None:
        super().__init__(name=f"pulse of processor {processor}", daemon=True)
        self._processor = processor
        self._stalls: deque[tuple[float, float]] = deque(maxlen=1000)
        self._last = time.perf_counter()
        self.start()

    def run(self) -> None:
        os.sched_setaffinity(0, {self._processor})  # this thread's alone
        while True:
            due = time.perf_counter() + BEAT
            time.sleep(BEAT)
            self._last = time.perf_counter()
            if self._last - due > TO_NOTICE:
                self._stalls.append((due, self._last))

    def stalls(self, begin: float, end: float) -> Iterable[tuple[float, float]]:
        """Give the parts of the time between two times in which nothing was run."""
        stalls = [*self._stalls]
        if time.perf_counter() - self._last > BEAT + TO_NOTICE:
            stalls.append((self._last + BEAT, end))
        for due, late in stalls:
            if due < end and late > begin:
                yield max(due, begin), min(late, end)


_pulses: list[_Pulse] = []


def _begin_to_watch() -> None:
    if not (_pulses and all(pulse.is_alive() for pulse in _pulses)):
        _pulses[:] = map(_Pulse, os.sched_getaffinity(0))


def _stalled(begin: float, end: float) -> float:
    """Return the seconds between two times in which a processor did not run what was on it."""
    seconds, until = 0.0, begin
    for due, late in sorted(stall for pulse in _pulses for stall in pulse.stalls(begin, end)):
        seconds += max(late - max(due, until), 0)
        until = max(until, late)
    return seconds


class Stopwatch:
    """A context; afterwards `seconds` is what was taken in it."""

    def __enter__(self) -> Stopwatch:
        _begin_to_watch()
        self._begin = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        end = time.perf_counter()
        self.seconds = end - self._begin - _stalled(self._begin, end)


def timed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, float]:
    """Call a function; return its answer and the seconds that it took."""
    with Stopwatch() as watch:
        answer = function(*args, **kwargs)
    return answer, watch.seconds
