"""Which server is asked next: what each did lately, decided without any I/O.

A server is healthy, suspect (asked after the healthy ones) or sick (left alone). It is sick after
some failures in a row, or when half of what it is asked fails. When its back-off is over, one
request or probe tries it, alone; if that fails, the next back-off is twice as long.
"""

import random
import threading
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway_project.upstreams.options import PoolOptions
from gateway_project.upstreams.rates import FailureRate

State = Literal["healthy", "suspect", "sick"]

SUSPECT_RATE: Final = 0.1
SICK_RATE: Final = 0.5
SICK_WEIGHT: Final = 10.0
"""Recent exchanges without which the failure rate alone makes no server sick."""
JITTER: Final = 0.2
"""Share by which a back-off may be shorter, so that not all processes try at one moment."""

CHANCE: Final = random.SystemRandom().random
"""Not the site's own random state, which may be seeded, and is every thread's."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A server that is to be asked now; `trial` if the answer decides whether it is still sick."""

    server: str
    trial: bool = False


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of a server at one moment.

    Attributes:
        server: its address without the scheme.
        state: healthy, suspect or sick.
        failures: consecutive ones.
        failure_rate: share of failures among the recent exchanges, 0 to 1.
        next_try: seconds until a sick server is tried; 0 if that may be now; None if not sick.
        reason: what the server did when it failed last; None if it never did.
    """

    server: str
    state: State
    failures: int
    failure_rate: float
    next_try: float | None
    reason: str | None


@dataclass(slots=True)
class _Record:
    """What is kept of a server; the lock of its `Health` guards it."""

    server: str
    failures: int = 0
    back_offs: int = 0  # since it was last well
    sick_until: float | None = None  # None: not sick
    rate: FailureRate = field(default_factory=FailureRate)
    reason: str | None = None
    asked: int = 0
    probed: float = float("-inf")

    def state(self, now: float) -> State:
        if self.sick_until is not None:
            return "sick"
        return "suspect" if self.rate.share(now) >= SUSPECT_RATE else "healthy"

    def shown(self, now: float) -> ServerState:
        wait = None if self.sick_until is None else max(0.0, self.sick_until - now)
        share = self.rate.share(now)
        return ServerState(self.server, self.state(now), self.failures, share, wait, self.reason)


class Health:
    """The health of a pool's servers, shared by the threads and event loops of a process.

    Each turn taken is to be followed by `succeeded`, `failed` or `abandoned`. While a server is
    sick only trials count: what was begun before says nothing of it any more.
    """

    def __init__(
        self,
        servers: tuple[str, ...],
        options: PoolOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = CHANCE,
    ) -> None:
        self._records = {server: _Record(server) for server in servers}
        self._options = options
        self._clock = clock
        self._chance = chance
        self._turns = 0
        self._lock = threading.Lock()

    def take(self, tried: Container[str] = (), *, trial_first: bool = False) -> Turn | None:
        """Return the best server that was not tried yet; None if there is none to be asked now.

        Sick servers whose back-off is over come last, or before all others with `trial_first`.
        """
        with self._lock:
            now = self._clock()
            left = [record for record in self._records.values() if record.server not in tried]
            well = [record for record in left if record.sick_until is None]
            due = [one for one in left if one.sick_until is not None and one.sick_until <= now]
            if due and (trial_first or not well):
                return self._trial(due[0], now)
            return self._turn(well, now) if well else None

    def answered(self, turn: Turn) -> None:
        """Note that the header of a response came: a sick server may be asked by everyone.

        Until its body has come as well, one failure is enough to make it sick again.
        """
        with self._lock:
            record = self._records[turn.server]
            if turn.trial and record.sick_until is not None:
                record.sick_until = None
                record.failures = self._options.failures - 1

    def succeeded(self, turn: Turn) -> bool:
        """Note that a response came to its end; tell whether the server was healed by it."""
        with self._lock:
            record = self._records[turn.server]
            if record.sick_until is not None and not turn.trial:
                return False
            healed = record.back_offs > 0
            if healed:
                record.rate, record.back_offs, record.sick_until = FailureRate(), 0, None
            record.failures = 0
            record.rate.add(self._clock(), failed=False)
            return healed

    def failed(self, turn: Turn, reason: str) -> bool:
        """Note that the server failed; tell whether it became sick by it, from being well."""
        with self._lock:
            now = self._clock()
            record = self._records[turn.server]
            if record.sick_until is not None and not turn.trial:
                return False
            record.failures += 1
            record.reason = reason
            record.rate.add(now, failed=True)
            if record.sick_until is None and not self._is_failing(record, now):
                return False
            record.sick_until = now + self._back_off(record) * (1 - JITTER * self._chance())
            record.back_offs += 1
            return record.back_offs == 1

    def abandoned(self, turn: Turn) -> None:
        """Note that nothing was learned of the server: another one may have the trial."""
        with self._lock:
            record = self._records[turn.server]
            if turn.trial and record.sick_until is not None:
                record.sick_until = self._clock()

    def probes(self) -> tuple[Turn, ...]:
        """Return the servers to be probed now; no other event loop will get them soon."""
        with self._lock:
            now = self._clock()
            due = [
                record for record in self._records.values() if self._is_to_be_probed(record, now)
            ]
            for record in due:
                record.probed = now
            return tuple(Turn(record.server, trial=True) for record in due)

    def snapshot(self) -> tuple[ServerState, ...]:
        """Return what is known of each server, in the order of the configuration."""
        with self._lock:
            now = self._clock()
            return tuple(record.shown(now) for record in self._records.values())

    def _trial(self, record: _Record, now: float) -> Turn:
        # By then the trial has ended; if not, its caller is gone, and somebody else may try.
        record.sick_until = now + max(self._options.timeout, self._back_off(record))
        return Turn(record.server, trial=True)

    def _turn(self, well: list[_Record], now: float) -> Turn:
        spread = self._options.policy == "spread"
        record = min(well, key=lambda one: (one.state(now) == "suspect", one.asked * spread))
        self._turns += 1
        record.asked = self._turns
        return Turn(record.server)

    def _is_failing(self, record: _Record, now: float) -> bool:
        if record.failures >= self._options.failures:
            return True
        rate = record.rate
        return rate.weight(now) >= SICK_WEIGHT and rate.share(now) >= SICK_RATE

    def _back_off(self, record: _Record) -> float:
        longest = self._options.back_off_most
        # Beyond 2**30 any back-off is longer than the longest one; a larger power would overflow.
        return float(min(self._options.back_off * 2.0 ** min(record.back_offs, 30), longest))

    def _is_to_be_probed(self, record: _Record, now: float) -> bool:
        wanted = record.sick_until is not None or self._options.probe_all
        return wanted and now - record.probed >= self._options.probe_every / 2
