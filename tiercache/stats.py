"""What a cache counts, and the snapshot that callers get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from .reports.figures import Figures
from .reports.histogram import Histogram
from .reports.mishaps import Mishap, described

COUNTED: Final = (
    "memory_hits",
    "redis_hits",
    "stale_hits",
    "loaded",
    "misses",
    "unanswered",
    "failed",
    "loads",
    "load_failures",
    "load_milliseconds",
    "sets",
    "deletes",
    "undecodable",
)
"""What is counted of the calls made through one alias; `Stats` says what each is."""


class Calls:
    """Counters of the calls made through one alias, named as in `COUNTED`.

    Each is an attribute that `+= 1` raises without a lock: CPython switches threads at calls and
    at loops' ends only, so nothing is lost in between (a test with eight threads holds it so).

    Attributes:
        load: how long the loads took that brought a value.
        failure: what the last load that raised has raised; None before the first.
    """

    __slots__ = (*COUNTED, "failure", "load")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.memory_hits = 0
        self.redis_hits = 0
        self.stale_hits = 0
        self.loaded = 0
        self.misses = 0
        self.unanswered = 0
        self.failed = 0
        self.loads = 0
        self.load_failures = 0
        self.load_milliseconds = 0
        self.sets = 0
        self.deletes = 0
        self.undecodable = 0
        self.load = Histogram()
        self.failure: Mishap | None = None

    def loaded_in(self, seconds: float) -> None:
        """Count a load that brought a value, and the time that it took."""
        milliseconds = max(int(seconds * 1000), 1)
        self.loads += 1
        self.load_milliseconds += milliseconds
        self.load.record(int(seconds * 1e9))

    def load_failed(self, error: Exception, at: float) -> None:
        """Count a load that raised, at a time of the node's clock."""
        self.load_failures += 1
        self.failure = Mishap(at, "load", described(error))

    @property
    def mean_load(self) -> float:
        """Milliseconds that a load has taken so far, on average; 0 before the first."""
        return self.load_milliseconds / self.loads if self.loads else 0.0

    def figures(self) -> Figures:
        """Return what has been counted, but for what has not occurred."""
        counts = {name: getattr(self, name) for name in COUNTED}
        # Their difference is shown as a count that only grows: both as of one moment.
        counts["misses"], counts["unanswered"] = self.misses, self.unanswered
        return {name: count for name, count in counts.items() if count} | self.load.figures("load")


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of one cache in this process; see `TieredCache.stats`.

    Attributes:
        memory_hits: values answered from the memory tier.
        redis_hits: values answered from the Redis tier.
        misses: values that neither had.
        unanswered: those of them that Redis was not asked for, or did not answer, and memory did
            not have.
        failed: calls that got the error of a load.
        stale_hits: values answered although their timeout was over, while they were loaded anew.
        loaded: values answered by a load, the caller's own or one that it joined.
        loads: loads that brought a value.
        load_failures: loads that raised.
        load_milliseconds: what the loads that brought a value have taken together.
        sets: values written (set, add, set_many, incr; also those kept from an add).
        deletes: keys deleted by delete and delete_many.
        undecodable: values in Redis that could not be read, counted as misses too.
        evictions: entries that left the memory tier, by reason.
        errors: Redis operations that failed, by kind (`RedisAway.KINDS`).
        timeouts: those of them that ran out of the time budget.
        entries: entries that the memory tier holds.
        bytes: what they account for.
        state: "up", "read-only" (writes are kept from Redis), "away" (everything is) or
            "alone" (there is no Redis tier).
        backplane: "joined" (every change is heard), "lost" (changes may be missed, so memory is
            not read) or "none" (nobody tells).
        opened: how often a breaker has been opened.
        journaled: keys that wait to be removed from Redis.
    """

    memory_hits: int
    redis_hits: int
    misses: int
    unanswered: int
    failed: int
    stale_hits: int
    loaded: int
    loads: int
    load_failures: int
    load_milliseconds: int
    sets: int
    deletes: int
    undecodable: int
    evictions: Mapping[str, int]
    errors: Mapping[str, int]
    timeouts: int
    entries: int
    bytes: int
    state: str
    backplane: str
    opened: int
    journaled: int

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot as plain data that JSON can carry."""
        return {
            field.name: dict(value) if isinstance(value, MappingProxyType) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }
