"""How fast requests follow each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway_project.callers.limits import Rate


class Pace:
    """Lets requests begin at even distances, so that no second has more than its share.

    Time that nobody used is not made up for.
    """

    def __init__(self, rate: Rate | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 0.0 if rate is None else rate.window / rate.requests
        self._clock = clock
        self._next = float("-inf")

    def take(self) -> float:
        """Take the next turn; return the seconds until it comes."""
        now = self._clock()
        turn = max(now, self._next)
        self._next = turn + self._gap
        return turn - now

    async def turn(self) -> None:
        """Wait for the next turn."""
        await asyncio.sleep(self.take())
