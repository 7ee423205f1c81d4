"""Durations counted in buckets that are the same everywhere, so that histograms can be merged.

Each doubling of the duration is cut into four buckets of equal width, as HdrHistogram does with two
significant bits: a quantile is off by 12.5 % at the most, and never above what was measured by more
than that. Buckets are counted in nanoseconds, so the bounds of whole doublings are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUCKETS: Final = 160
"""Four for each power of two of nanoseconds; the last one takes all beyond half an hour."""


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket that counts a duration."""
    if nanoseconds < 4:
        return max(nanoseconds, 0)
    exponent = nanoseconds.bit_length() - 3
    bucket = (exponent << 2) + (nanoseconds >> exponent)
    return bucket if bucket < BUCKETS else BUCKETS - 1


def upper_bound(bucket: int) -> float:
    """Return the seconds that every duration in a bucket is below; infinity for the last one."""
    if bucket >= BUCKETS - 1:
        return float("inf")
    following = bucket + 1
    if following < 4:
        return following / 1e9
    exponent = (following >> 2) - 1
    return ((4 + (following & 3)) << exponent) / 1e9


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the seconds within which this share of the durations lies, None if there are none.

    The upper bound of the bucket in which it falls; for the last bucket its lower one.

    Args:
        counts: how many durations there are, by bucket.
        share: from 0 to 1.
    """
    total = sum(counts.values())
    if not total:
        return None
    seen, bucket = 0, 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= share * total:
            break
    return upper_bound(min(bucket, BUCKETS - 2))


class Histogram:
    """Counts durations.

    `record` takes no lock, and nothing is lost all the same: CPython switches threads at calls and
    at loops' ends only (see `stats.Calls`).

    Attributes:
        counts: how many durations there are in each bucket.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS

    def record(self, nanoseconds: int) -> None:
        """Count a duration."""
        bucket = bucket_of(nanoseconds)
        self.counts[bucket] += 1

    def figures(self, name: str) -> dict[str, int]:
        """Return the buckets that are not empty, as counts named "name.bucket"."""
        return {f"{name}.{bucket}": count for bucket, count in enumerate(self.counts) if count}
