"""Whether one kind of request is sent to Redis at all."""

from __future__ import annotations

import secrets

FIRST_PROBE = 0.1
"""Seconds from the opening to the first probe."""

LONGEST_PAUSE = 2.0
"""Seconds between probes at the most."""

PATIENCE = 2
"""Failures in a row that open the breaker, where one alone proves nothing."""


# The site's own random state is left alone: it may be seeded, and other threads use it.
_jitter_source = secrets.SystemRandom()


def jitter() -> float:
    """Return a factor from 0.5 to 1: nodes that lost a server together come back apart."""
    return _jitter_source.uniform(0.5, 1.0)


class Breaker:
    """A circuit breaker (M. Nygard, *Release It!*) without a half-open state.

    Requests never probe: whoever owns the breaker does, off the request path, and closes it.
    Not thread-safe by itself; its owner calls it under a lock.

    Attributes:
        open: whether requests are kept from Redis.
        reason: the kind of the failure that opened it last, "" while it never was.
        opened: how often it has been opened.
    """

    __slots__ = ("_failures", "_pause", "open", "opened", "probe_at", "reason")

    def __init__(self) -> None:
        self.open = False
        self.reason = ""
        self.opened = 0
        self.probe_at = 0.0
        self._failures = 0
        self._pause = FIRST_PROBE

    def succeeded(self) -> None:
        """Forget the failures so far: only those in a row count."""
        self._failures = 0

    def failed(self, reason: str, now: float, *, certain: bool) -> None:
        """Count a failure, and open if that is enough; a `certain` one needs no second."""
        self._failures += 1
        if self.open or (self._failures < PATIENCE and not certain):
            return
        self.open = True
        self.reason = reason
        self.opened += 1
        self._pause = FIRST_PROBE
        self.probe_at = now + self._pause

    def probe_failed(self, now: float) -> None:
        """Put the next probe off: twice as long each time, jittered so that nodes spread out."""
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.probe_at = now + self._pause * jitter()

    def close(self) -> None:
        """Let requests through again."""
        self.open = False
        self._failures = 0
