"""How often a caller may ask: what the counts mean, and how the cache counts."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_project.callers.limits import Rate, Verdict, decide, take
from tests.coherence.nodes import pair_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

NOON = 1_800_000_000.0
"""Unix seconds at which windows of a minute, an hour and a day begin."""

RATE = Rate(10, 60.0)


# Rates


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/60s", Rate(100, 60.0)),
        ("5/s", Rate(5, 1.0)),
        ("10/m", Rate(10, 60.0)),
        ("1000/1h", Rate(1000, 3600.0)),
        ("20/5m", Rate(20, 300.0)),
        ("1000000000/30d", Rate(1_000_000_000, 2_592_000.0)),
    ],
)
def test_a_rate_is_requests_in_a_time(text: str, rate: Rate):
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "100/",
        "100/60",
        "/60s",
        "100/60x",
        "1.5/s",
        "-1/s",
        "100 / 60s",
        "5/s\n",
        "\u0665/s",
    ],
)
def test_what_is_no_rate_is_refused_with_what_is_allowed(text: str):
    with pytest.raises(ValueError, match=r"is not a rate; allowed: requests/time, .* 100/60s"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0/s", "0 requests; allowed: 1 to 1000000000"),
        ("9999999999/s", "9999999999 requests; allowed"),
        ("5/0s", "for 0 seconds; allowed: 1 second to 30 days"),
        ("5/31d", "allowed: 1 second to 30 days"),
    ],
)
def test_a_rate_out_of_bounds_is_refused_with_the_bounds(text: str, said: str):
    with pytest.raises(ValueError, match=said):
        Rate.parse(text)


def test_a_window_is_not_a_number_of_seconds_if_it_is_none():
    with pytest.raises(ValueError, match="allowed: 1 second to 30 days"):
        Rate(1, math.nan)


# Verdicts


@pytest.mark.parametrize(
    ("previous", "count", "elapsed", "verdict"),
    [
        # The first of all; the last that this window allows; the first that it does not.
        (0, 1, 15, Verdict(True, 10, 9, reset_seconds=45, retry_after=0)),
        (0, 10, 15, Verdict(True, 10, 0, reset_seconds=51, retry_after=0)),
        (0, 11, 15, Verdict(False, 10, 0, reset_seconds=51, retry_after=51)),
        # Of ten in the window before, half still count; two seconds later one less does.
        (10, 5, 30, Verdict(True, 10, 0, reset_seconds=6, retry_after=0)),
        (10, 6, 30, Verdict(False, 10, 0, reset_seconds=6, retry_after=6)),
        (10, 1, 59, Verdict(True, 10, 9, reset_seconds=1, retry_after=0)),
        (10, 1, 0, Verdict(False, 10, 0, reset_seconds=6, retry_after=6)),
        # Others are counted for a moment that are about to be refused as well.
        (0, 40, 15, Verdict(False, 10, 0, reset_seconds=51, retry_after=51)),
    ],
)
def test_the_previous_window_counts_as_far_as_it_still_overlaps(
    previous: int, count: int, elapsed: float, verdict: Verdict
):
    assert decide(RATE, previous, count, elapsed) == verdict


def test_a_rate_of_one_waits_for_a_whole_window_after_this_one():
    assert decide(Rate(1, 60.0), 0, 2, 15.0).retry_after == 105


class Counters:
    """What `take` does, without a cache."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.passed: dict[float, int] = {}

    def take(self, now: float) -> Verdict:
        number, elapsed = divmod(now, self.rate.window)
        previous, count = self.passed.get(number - 1, 0), self.passed.get(number, 0) + 1
        verdict = decide(self.rate, previous, count, elapsed)
        if verdict.allowed:
            self.passed[number] = count
        return verdict


rates = st.builds(Rate, st.integers(1, 7), st.sampled_from([1.0, 3.0, 7.0, 60.0]))
pauses = st.lists(st.floats(0, 20), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(rates, pauses)
def test_who_waits_as_told_is_let_through_and_never_told_less_than_a_second(
    rate: Rate, pauses: list[float]
):
    counters, now = Counters(rate), NOON
    for pause in pauses:
        now += pause
        verdict = counters.take(now)
        assert verdict.reset_seconds >= 1
        if not verdict.allowed:
            assert 1 <= verdict.retry_after <= 2 * rate.window + 1
            assert verdict.reset_seconds <= verdict.retry_after
            now += verdict.retry_after
            assert counters.take(now).allowed


@settings(max_examples=300, deadline=None)
@given(rates, pauses)
def test_as_many_as_remain_are_let_through_and_no_window_lets_through_more(
    rate: Rate, pauses: list[float]
):
    counters, now = Counters(rate), NOON
    for pause in pauses:
        now += pause
        remaining = counters.take(now).remaining
        for _ in range(remaining):
            assert counters.take(now).allowed
        assert not counters.take(now).allowed
        assert max(counters.passed.values()) <= rate.requests


# In the cache


async def taken(cache: Any, now: float, *, times: int = 1, name: str = "test") -> list[bool]:
    return [(await take(cache, name, RATE, now=now)).allowed for _ in range(times)]


async def test_as_many_are_let_through_as_the_rate_says(cache: Any):
    assert await taken(cache, NOON, times=12) == [True] * 10 + [False] * 2


async def test_refused_requests_do_not_count(cache: Any):
    await taken(cache, NOON, times=30)

    # Half of the ten that were let through still count.
    assert await taken(cache, NOON + 90, times=6) == [True] * 5 + [False]


async def test_callers_are_counted_apart(cache: Any):
    await taken(cache, NOON, times=10, name="one")

    assert await taken(cache, NOON, name="one") == [False]
    assert await taken(cache, NOON, name="other") == [True]


async def test_after_two_windows_nothing_is_left_of_a_burst(cache: Any):
    await taken(cache, NOON, times=10)

    assert await taken(cache, NOON + 120, times=10) == [True] * 10


async def test_many_tasks_on_two_nodes_let_no_more_through(
    make_caches: Callable[..., Any], valkey: Valkey
):
    nodes = list(make_caches(**pair_settings(valkey.url)).values())

    async def task(number: int) -> int:
        return sum(await taken(nodes[number % 2], NOON, times=5))

    assert sum(await asyncio.gather(*(task(number) for number in range(16)))) == 10


async def test_a_request_that_is_let_through_costs_one_round_trip(
    make_cache: Callable[..., Any], valkey: Valkey
):
    cache = make_cache()
    await taken(cache, NOON, times=2)
    before = calls(valkey)

    await taken(cache, NOON, times=5)

    # The one script of an increment reads the sum with the one GET.
    grown = {name: count - before[name] for name, count in calls(valkey).items()}
    assert grown == {"evalsha": 5, "get": 5, "set": 0}


async def test_every_counter_has_an_end(make_cache: Callable[..., Any], valkey: Valkey):
    cache = make_cache()
    await taken(cache, NOON, times=12)

    names = list(valkey.client.scan_iter("*:gateway:limit:*"))
    assert len(names) == 2
    assert all(0 < valkey.client.pttl(name) <= 120_000 for name in names)


async def test_a_counter_that_is_evicted_begins_anew(make_cache: Callable[..., Any]):
    cache = make_cache()
    await taken(cache, NOON, times=10)
    await cache.aclear()

    assert await taken(cache, NOON) == [True]


def calls(valkey: Valkey) -> dict[str, int]:
    told: Any = valkey.client.info("commandstats")
    return {
        name: told.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "get", "set")
    }
