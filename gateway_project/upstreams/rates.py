"""How often something failed lately."""

from typing import Final

HALF_LIFE: Final = 10.0
"""Seconds after which an exchange counts half as much as when it happened."""


class FailureRate:
    """The share of failures among the recent exchanges with a server.

    The weight of each exchange halves every HALF_LIFE seconds. One more, a good one, is always
    thought to be there: it lets the rate of a server that is asked no more fall with time.
    """

    __slots__ = ("_at", "_exchanges", "_failures")

    def __init__(self) -> None:
        self._failures = self._exchanges = self._at = 0.0

    def add(self, now: float, *, failed: bool) -> None:
        """Count an exchange that ended now."""
        faded = self._faded(now)
        self._failures = self._failures * faded + failed
        self._exchanges = self._exchanges * faded + 1
        self._at = now

    def share(self, now: float) -> float:
        """Return the rate, from 0 to 1."""
        faded = self._faded(now)
        return self._failures * faded / (self._exchanges * faded + 1)

    def weight(self, now: float) -> float:
        """Return the number of exchanges that the rate is made of, each as it still counts."""
        return self._exchanges * self._faded(now)

    def _faded(self, now: float) -> float:
        return float(0.5 ** ((now - self._at) / HALF_LIFE))
