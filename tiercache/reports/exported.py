"""Histograms as Prometheus has them: cumulative, and under bounds that are the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .histogram import BUCKETS, upper_bound


@dataclass(frozen=True, slots=True)
class Timing:
    """A histogram that is exported: one of `cluster.MEASURED`.

    Attributes:
        measured, name, text: what it is here, and there.
        first, last: the exponents of its lowest and highest bound, in nanoseconds. Powers of two
            are bounds of our own buckets too, so that the counts are exact.
    """

    measured: str
    name: str
    text: str
    first: int
    last: int

    @property
    def bounds(self) -> list[float]:
        """The bounds in seconds, each twice the one before."""
        return [2**exponent / 1e9 for exponent in range(self.first, self.last + 1)]

    def cumulative(self, counted: Mapping[int, int]) -> list[tuple[str, float]]:
        """Return how many durations are below each bound, and below infinity.

        Args:
            counted: how many there are, by bucket.
        """
        below = [
            (repr(bound), float(sum(n for b, n in counted.items() if upper_bound(b) <= bound)))
            for bound in self.bounds
        ]
        return [*below, ("+Inf", float(sum(counted.values())))]

    @staticmethod
    def total(counted: Mapping[int, int]) -> float:
        """Return the seconds of all together, as if each were the middle of its bucket.

        So it is off by 12.5 % at the most.
        """
        return sum(_middle(bucket) * count for bucket, count in counted.items())


def _middle(bucket: int) -> float:
    low = upper_bound(bucket - 1) if bucket else 0.0
    return low if bucket >= BUCKETS - 1 else (low + upper_bound(bucket)) / 2


LOADS: Final = Timing("load", "tiercache_load_seconds", "Time that loads took.", 17, 36)
"""By cache."""

TIMINGS: Final = (
    Timing("memory", "tiercache_memory_hit_seconds", "Time of hits in memory, sampled.", 6, 20),
    Timing("read", "tiercache_redis_read_seconds", "Time of reads from Redis.", 14, 31),
    Timing("write", "tiercache_redis_write_seconds", "Time of writes to Redis.", 14, 31),
    Timing("lag", "tiercache_backplane_lag_seconds", "Time from a node's message to it.", 14, 33),
)
"""By store."""
