"""Figures as text: short, in a unit that suits them, and never better than they are."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.operations.made_views import AT
from tiercache.operations import formatting


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (67_108_864, "64 MiB"),
        (10_000_000, "9.5 MiB"),
        (2**60, "1024 PiB"),
    ],
)
def test_a_size_is_shown_by_powers_of_1024(octets: int, text: str) -> None:
    assert formatting.size(octets) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, formatting.NOTHING),
        (0.0, "0.0 %"),
        (0.5, "50.0 %"),
        (0.99999, "99.9 %"),
        (1e-9, "0.1 %"),
        (1.0, "100 %"),
    ],
)
def test_nearly_all_is_not_shown_as_all(ratio: float | None, text: str) -> None:
    assert formatting.share(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, formatting.NOTHING),
        (0.0, "0 s"),
        (240e-6, "240 µs"),
        (0.0031, "3.1 ms"),
        (1.5, "1.5 s"),
        (28e-9, "28 ns"),
        (0.0999, "99.9 ms"),
        (12.5, "12.5 s"),
    ],
)
def test_a_latency_is_shown_in_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    assert formatting.latency(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (184, "3 min 4 s"),
        (7200, "2 h"),
        (7205, "2 h"),
        (190_800, "2 d 5 h"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(0.0, "0/s"), (0.4, "0.4/s"), (1250.3, "1,250/s"), (9.96, "10/s")]
)
def test_a_rate_is_a_number_a_second(per_second: float, text: str) -> None:
    assert formatting.rate(per_second) == text


def test_a_moment_of_another_day_is_shown_with_its_date() -> None:
    with timezone.override("UTC"):
        assert formatting.moment(AT, AT + 60) == "22:13:20"
        assert formatting.moment(AT, AT + 86_400) == "2023-11-14 22:13:20"


def test_a_moment_is_shown_in_the_sites_time_zone() -> None:
    with timezone.override("Europe/Berlin"):
        assert formatting.moment(AT, AT) == "23:13:20"


def test_a_limit_of_nothing_is_no_limit() -> None:
    assert formatting.of_limit(1024, 0) == "1 KiB, no limit"
    assert formatting.of_limit(1024, 2048) == "1 KiB of 2 KiB"


def test_counts_are_in_words() -> None:
    assert [formatting.nodes(1), formatting.keys(1203)] == ["1 node", "1,203 keys"]
