"""What a cache counts, and the snapshot that callers get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any


class Calls:
    """Counters of the calls made through one alias.

    Each is an attribute that `+= 1` raises without a lock: CPython switches threads at calls and
    at loops' ends only, so nothing is lost in between (a test with eight threads holds it so).
    """

    __slots__ = (
        "deletes",
        "load_failures",
        "load_milliseconds",
        "loaded",
        "loads",
        "memory_hits",
        "misses",
        "redis_hits",
        "sets",
        "stale_hits",
        "undecodable",
    )

    def __init__(self) -> None:
        self.loaded = 0
        self.loads = 0
        self.load_failures = 0
        self.load_milliseconds = 0
        self.stale_hits = 0
        self.memory_hits = 0
        self.redis_hits = 0
        self.misses = 0
        self.sets = 0
        self.deletes = 0
        self.undecodable = 0

    def loaded_in(self, milliseconds: int) -> None:
        """Count a load that brought a value, and the time that it took."""
        self.loads += 1
        self.load_milliseconds += milliseconds

    @property
    def mean_load(self) -> float:
        """Milliseconds that a load has taken so far, on average; 0 before the first."""
        return self.load_milliseconds / self.loads if self.loads else 0.0


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of one cache in this process; see `TieredCache.stats`.

    Attributes:
        memory_hits: values answered from the memory tier.
        redis_hits: values answered from the Redis tier.
        misses: values that neither had.
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
