"""Who offers keys that are none: each guess may cost a query of the database, so they are few."""

from __future__ import annotations

from typing import Final

MOST: Final = 20
"""Guesses that one address has in a `WINDOW`."""

WINDOW: Final = 60.0

MOST_PEERS: Final = 10_000
"""Addresses that are remembered; beyond, the one that was first noted is forgotten."""


class Guesses:
    """Counts bad keys by address, in this process alone; bounded."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, int]] = {}

    def note(self, peer: str, now: float) -> None:
        """Count a guess; `now` is in seconds, of whatever clock."""
        began, count = self._counts.pop(peer, (now, 0))
        if now - began >= WINDOW:
            began, count = now, 0
        if len(self._counts) >= MOST_PEERS:
            self._counts.pop(next(iter(self._counts)), None)
        self._counts[peer] = (began, count + 1)

    def wait(self, peer: str, now: float) -> float:
        """Return the seconds until an address may offer a key again, 0 if it may now."""
        began, count = self._counts.get(peer, (now, 0))
        return max(began + WINDOW - now, 0.0) if count >= MOST else 0.0
