"""Whether the Redis tier is asked, and what has to be made good before it is trusted again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from .breaker import Breaker
from .exceptions import RedisAway
from .journal import Journal
from .steps import Step

State = Literal["up", "read-only", "away", "alone"]


class Health:
    """Two breakers, one for reads and one for writes, and the journal that belongs to them.

    A write that failed opens the breaker for writes at once and its keys go into the journal in
    the same step, so a closed breaker always means: nothing is left to be made good. Thread-safe.

    Args:
        clock: seconds, monotonic.
        changed: called with the new state after each change of state, outside the lock.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[State], None]) -> None:
        self.journal = Journal()
        self.reads = Breaker()
        self.writes = Breaker()
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """What Redis is asked: all ("up"), reads alone ("read-only"), nothing ("away")."""
        if self.reads.open:
            return "away"
        return "read-only" if self.writes.open else "up"

    @property
    def reason(self) -> str:
        """The kind of the failure that keeps requests from Redis, "" while none does."""
        for breaker in (self.reads, self.writes):
            if breaker.open:
                return breaker.reason
        return ""

    def refuses(self, step: Step) -> bool:
        """Tell whether Redis is not to be asked; a write that it is kept from is journaled."""
        if step.writes:
            # Without the lock at first, since this comes before every write.
            return self.writes.open and self._journaled(step)
        if self.reads.open:
            return True
        return bool(self.journal) and any(key in self.journal for key in step.keys)

    def _journaled(self, step: Step) -> bool:
        """Journal a write that Redis is kept from; False if it is not any more."""
        with self._lock:
            if self.writes.open:
                self.journal.note(step.journaled, step.pattern)
            return self.writes.open

    def succeeded(self, step: Step) -> None:
        """Note that Redis served a step."""
        (self.writes if step.writes else self.reads).succeeded()

    def failed(self, step: Step, away: RedisAway) -> None:
        """Note that Redis did not serve a step; open what has to be opened."""
        now = self._clock()
        with self._lock:
            before = self.state
            if step.writes:
                self.journal.note(step.journaled, step.pattern)
                self.writes.failed(away.kind, now, certain=True)
            if away.reads_too:
                self.reads.failed(away.kind, now, certain=away.certain)
            if self.reads.open:
                # A server that does not answer reads is spared writes as well.
                self.writes.failed(away.kind, now, certain=True)
            after = self.state
        if after != before:
            self._changed(after)

    def probe_due(self, now: float) -> bool:
        """Tell whether it is time to ask Redis whether it is back."""
        return any(b.open and b.probe_at <= now for b in (self.reads, self.writes))

    def next_probe(self) -> float | None:
        """When the next probe is due, None while Redis is up."""
        due = [b.probe_at for b in (self.reads, self.writes) if b.open]
        return min(due) if due else None

    def probe_failed(self) -> None:
        """Put the next probe off."""
        now = self._clock()
        with self._lock:
            self.reads.probe_failed(now)
            self.writes.probe_failed(now)

    def to_make_good(self, most: int) -> tuple[tuple[str, ...], str | None]:
        """Return some of what has to be removed from Redis: keys, or else a pattern."""
        with self._lock:
            keys = self.journal.some_keys(most)
            return keys, None if keys else self.journal.a_pattern()

    def made_good(self, keys: tuple[str, ...] = (), pattern: str | None = None) -> None:
        """Take out of the journal what has been removed from Redis."""
        with self._lock:
            self.journal.forget(keys, pattern)

    def recovered(self, drop_copies: Callable[[], None]) -> bool:
        """Close the breakers if the journal is empty; copies are dropped in the same step.

        Returns:
            False if something was changed meanwhile: make that good, then call again.
        """
        with self._lock:
            if self.journal:
                return False
            drop_copies()
            self.journal.reset()
            self.reads.close()
            self.writes.close()
        self._changed("up")
        return True
