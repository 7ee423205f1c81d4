"""How long something takes, less the time in which the machine did not run this process.

Where tests run side by side, a process may not be run for tens of milliseconds. A thread that only
sleeps notices: by as much as it wakes up late, everything here was late.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT = 0.002
"""Seconds that the thread sleeps at a time."""

TO_NOTICE = 0.01
"""Seconds of lateness that count: twice what Python lets a thread wait for its turn."""


class _Pulse(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="pulse", daemon=True)
        self._stalls: deque[tuple[float, float]] = deque(maxlen=1000)
        self._last = time.perf_counter()
        self.start()

    def run(self) -> None:
        while True:
            due = time.perf_counter() + BEAT
            time.sleep(BEAT)
            self._last = time.perf_counter()
            if self._last - due > TO_NOTICE:
                self._stalls.append((due, self._last))

    def stalled(self, begin: float, end: float) -> float:
        """Return the seconds between two times in which nothing was run."""
        stalls = [*self._stalls]
        if time.perf_counter() - self._last > BEAT + TO_NOTICE:
            stalls.append((self._last + BEAT, end))
        return sum(max(min(end, late) - max(begin, due), 0) for due, late in stalls)


_pulse: _Pulse | None = None


class Stopwatch:
    """A context; afterwards `seconds` is what was taken in it."""

    def __enter__(self) -> Stopwatch:
        global _pulse
        if _pulse is None or not _pulse.is_alive():
            _pulse = _Pulse()
        self._pulse = _pulse
        self._begin = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        end = time.perf_counter()
        self.seconds = end - self._begin - self._pulse.stalled(self._begin, end)


def timed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, float]:
    """Call a function; return its answer and the seconds that it took."""
    with Stopwatch() as watch:
        answer = function(*args, **kwargs)
    return answer, watch.seconds
