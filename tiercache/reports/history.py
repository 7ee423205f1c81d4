"""What was counted when: the last hour in small steps, the last day in larger ones."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Final

from .cluster import Window
from .figures import STORE, Sections, add, difference, total_of

SMALL: Final = 15
"""Seconds of a step of the last hour."""

LARGE: Final = 900
"""Seconds of a step of the last day."""

KEPT: Final = {SMALL: 3600, LARGE: 86400}
"""Seconds for which steps of each length are kept."""


class History:
    """One node's own history, and what of it has not been told yet. Thread-safe.

    Steps are numbered by the time at which they begin, divided by their length, so those of all
    nodes of a server are the same.
    """

    def __init__(self, before: Sections) -> None:
        self._last = before
        self._steps: dict[int, dict[int, Sections]] = {SMALL: {}, LARGE: {}}
        self._untold: dict[int, Sections] = {}
        self._lock = threading.Lock()

    def count(self, total: Sections, now: float) -> None:
        """Note what has been counted in all, at a time of the server's clock."""
        with self._lock:
            grown = difference(total, self._last)
            self._last = total
            if not grown:
                return
            for length, steps in self._steps.items():
                add(steps.setdefault(int(now // length), {}), grown)
            add(self._untold.setdefault(int(now // SMALL), {}), grown)
            self._forget(now)

    def take_untold(self, most: int) -> dict[int, Sections]:
        """Return small steps that have not been taken yet, the oldest first, by number."""
        with self._lock:
            taken = dict(sorted(self._untold.items())[:most])
            for number in taken:
                del self._untold[number]
            return taken

    def steps(self, length: int) -> dict[int, Sections]:
        """Return the steps of one length, by number: a snapshot."""
        with self._lock:
            return {number: total_of((step,)) for number, step in self._steps[length].items()}

    def _forget(self, now: float) -> None:
        oldest = int((now - KEPT[SMALL]) // SMALL)
        for number in [number for number in self._untold if number < oldest]:
            del self._untold[number]
        for length, steps in self._steps.items():
            oldest = int((now - KEPT[length]) // length)
            for number in [number for number in steps if number < oldest]:
                del steps[number]


def numbers(length: int, now: float) -> range:
    """Return the numbers of the steps of one length that are looked back upon, now's at last."""
    last = int(now // length)
    return range(last - KEPT[length] // length + 1, last + 1)


def windows(
    steps: Mapping[int, Sections], section: str, length: int, now: float
) -> tuple[Window, ...]:
    """Return a window for each step of the time looked back upon, also where nothing was counted.

    The last one ends now; it is shorter than the others.
    """
    found = []
    for number in numbers(length, now):
        step = steps.get(number, {})
        end = min((number + 1) * length, now)
        found.append(Window(end, end - number * length, step.get(section, {}), step.get(STORE, {})))
    return tuple(found)


def summed(windows: tuple[Window, ...], seconds: float) -> Window:
    """Return what was counted in the last so many seconds, in whole steps and what has begun."""
    end = windows[-1].at
    inside = [window for window in windows if window.at - window.seconds >= end - seconds]
    total = total_of({"calls": window.calls, "store": window.store} for window in inside)
    spanned = end - (inside[0].at - inside[0].seconds)
    return Window(end, spanned, total.get("calls", {}), total.get("store", {}))


def summed_sections(
    steps: Mapping[int, Sections], length: int, now: float, seconds: float
) -> tuple[Sections, float]:
    """Return what was counted in the last so many seconds, in whole steps, and how many it were."""
    first = min(math.ceil((now - seconds) / length), int(now // length))
    inside = [sections for number, sections in steps.items() if number >= first]
    return total_of(inside), now - first * length
