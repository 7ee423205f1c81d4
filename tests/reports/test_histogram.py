"""Durations in buckets that are the same everywhere."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.reports.histogram import BUCKETS, Histogram, bucket_of, quantile, upper_bound

durations = st.integers(min_value=0, max_value=2**40)


@given(durations)
def test_a_duration_lies_within_the_bounds_of_its_bucket(nanoseconds: int) -> None:
    bucket = bucket_of(nanoseconds)
    lower = upper_bound(bucket - 1) if bucket else 0.0
    assert lower <= nanoseconds / 1e9 < upper_bound(bucket)


@given(durations.filter(lambda n: n >= 4))
def test_a_bucket_is_an_eighth_wide_at_the_most_of_twice_what_it_counts(nanoseconds: int) -> None:
    """So the upper bound is off by a quarter, and a middle would be by an eighth."""
    assert upper_bound(bucket_of(nanoseconds)) * 1e9 <= nanoseconds * 1.25 + 1


def test_bounds_grow_and_whole_doublings_are_among_them() -> None:
    bounds = [upper_bound(bucket) for bucket in range(BUCKETS - 1)]
    assert bounds == sorted(set(bounds))
    assert {2**exponent / 1e9 for exponent in range(1, 38)} <= set(bounds)


def test_what_is_too_long_is_counted_in_the_last_bucket() -> None:
    histogram = Histogram()
    histogram.record(10**18)
    assert histogram.figures("load") == {f"load.{BUCKETS - 1}": 1}
    assert upper_bound(BUCKETS - 1) == float("inf")
    assert quantile({BUCKETS - 1: 1}, 0.99) == upper_bound(BUCKETS - 2)


def test_a_negative_duration_is_none() -> None:
    """Clocks that go back must not break a call."""
    assert bucket_of(-5) == 0


@given(st.lists(durations, min_size=1, max_size=60), st.floats(min_value=0.01, max_value=1))
def test_a_quantile_is_the_bound_of_the_bucket_that_holds_it(
    found: list[int], share: float
) -> None:
    counts: dict[int, int] = {}
    for each in found:
        counts[bucket_of(each)] = counts.get(bucket_of(each), 0) + 1
    at = min(int(-(-share * len(found) // 1)) - 1, len(found) - 1)
    exact = sorted(found)[max(at, 0)]
    answer = quantile(counts, share)
    assert answer is not None
    assert exact / 1e9 < answer <= exact * 1.25 / 1e9 + 2e-9


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_merged_histograms_say_what_one_of_all_would_say() -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    for number in range(1000):
        (one if number % 3 else other).record(number * 977)
        both.record(number * 977)
    merged = {
        name: one.figures("x").get(name, 0) + other.figures("x").get(name, 0)
        for name in one.figures("x") | other.figures("x")
    }
    assert merged == both.figures("x")
    assert quantile({int(k[2:]): v for k, v in merged.items()}, 0.5) == pytest.approx(
        statistics.median(number * 977 for number in range(1000)) / 1e9, rel=0.25
    )
