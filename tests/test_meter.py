"""What a node measures for its store."""

from __future__ import annotations

import pytest

from tiercache.meter import MOST_MISHAPS, Meter
from tiercache.reports.histogram import bucket_of
from tiercache.steps import Ask, Read, Remove, Scan, Step, Store


@pytest.mark.parametrize(
    ("step", "counted"),
    [
        (Read(("key",)), ["read"]),
        (Store((("key", b"1"),), None), ["write"]),
        (Remove(("key",)), ["write"]),
        (Scan(0, "*", 10), []),
        (Ask((("GET", "key"),)), []),
    ],
)
def test_reads_and_writes_are_timed_apart_and_an_operators_questions_not_at_all(
    step: Step, counted: list[str]
) -> None:
    meter = Meter()
    meter.served(step, 1000)
    assert meter.figures({}) == {f"{name}.{bucket_of(1000)}": 1 for name in counted}


def test_what_has_not_occurred_is_left_out() -> None:
    assert Meter().figures({"entries": 0, "bytes": 2}) == {"evicted.bytes": 2}


def test_failures_are_counted_by_kind() -> None:
    meter = Meter()
    for kind in ("timeout", "refused", "timeout"):
        meter.failed(kind, "why", 1.0)
    assert meter.errors == {"timeout": 2, "refused": 1}
    assert meter.figures({}) == {"redis.timeout": 2, "redis.refused": 1}


def test_the_last_mishaps_are_remembered_the_latest_first() -> None:
    meter = Meter()
    for number in range(20):
        meter.note(f"kind{number}", "why", float(number))
    assert [mishap.at for mishap in meter.mishaps] == [19.0, 18.0, 17.0, 16.0, 15.0]
    assert len(meter.mishaps) == MOST_MISHAPS


def test_of_the_same_in_a_row_the_last_is_remembered() -> None:
    """An outage must not push out what came before it."""
    meter = Meter()
    meter.note("undecodable", "first", 0.0)
    for number in range(1, 100):
        meter.failed("timeout", "again", float(number))
    assert [(mishap.kind, mishap.at) for mishap in meter.mishaps] == [
        ("timeout", 99.0),
        ("undecodable", 0.0),
    ]
