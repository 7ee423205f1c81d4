"""What was counted when."""

from __future__ import annotations

import pytest

from tiercache.reports.cluster import Window
from tiercache.reports.figures import STORE
from tiercache.reports.history import LARGE, SMALL, History, numbers, summed, windows

NOW = 1_000_000 * LARGE + 100.0


def counted(hits: int) -> dict[str, dict[str, int]]:
    return {"default": {"memory_hits": hits}, STORE: {"read.57": hits}}


@pytest.fixture
def history() -> History:
    """One that began when five hits had been counted."""
    return History(counted(5))


def test_only_what_has_been_counted_since_is_in_it(history: History) -> None:
    history.count(counted(8), NOW)
    assert history.steps(SMALL) == {int(NOW // SMALL): counted(3)}
    assert history.steps(LARGE) == {int(NOW // LARGE): counted(3)}


def test_counts_go_into_the_step_of_their_time(history: History) -> None:
    for more in range(4):
        history.count(counted(6 + more), NOW + more * SMALL)
    assert [step["default"]["memory_hits"] for step in history.steps(SMALL).values()] == [1] * 4
    assert list(history.steps(LARGE).values()) == [counted(4)]


def test_what_was_taken_to_be_told_is_not_taken_again(history: History) -> None:
    history.count(counted(6), NOW)
    assert history.take_untold(10) == {int(NOW // SMALL): counted(1)}
    assert history.take_untold(10) == {}
    history.count(counted(8), NOW + 1)
    assert history.take_untold(10) == {int(NOW // SMALL): counted(2)}


def test_the_oldest_are_told_first(history: History) -> None:
    for more in range(3):
        history.count(counted(6 + more), NOW + more * SMALL)
    first, second = history.take_untold(2), history.take_untold(2)
    assert (len(first), len(second)) == (2, 1)
    assert max(first) < min(second)


def test_it_does_not_grow_for_ever(history: History) -> None:
    """Neither what is kept nor what waits to be told."""
    for more in range(2 * 86400 // 60):
        history.count(counted(6 + more), NOW + more * 60)
    assert len(history.steps(SMALL)) <= 3600 // SMALL + 1
    assert len(history.steps(LARGE)) <= 86400 // LARGE + 1
    assert len(history.take_untold(10**6)) <= 3600 // SMALL + 1


def test_nothing_counted_makes_no_step(history: History) -> None:
    history.count(counted(5), NOW)
    assert history.steps(SMALL) == {}


def test_there_is_a_window_for_each_step_also_where_nothing_was_counted() -> None:
    hour = windows({int(NOW // SMALL) - 1: counted(4)}, "default", SMALL, NOW)
    assert len(hour) == len(numbers(SMALL, NOW)) == 3600 // SMALL
    assert [window.requests for window in hour[-3:]] == [0, 4, 0]
    assert hour[-1].at == NOW
    assert hour[-1].seconds == NOW % SMALL
    assert {window.seconds for window in hour[:-1]} == {SMALL}


def test_another_alias_has_the_stores_counts_and_none_of_the_calls() -> None:
    hour = windows({int(NOW // SMALL): counted(4)}, "other", SMALL, NOW)
    assert hour[-1].requests == 0
    assert hour[-1].store == {"read.57": 4}


def test_a_sum_says_how_long_it_spans() -> None:
    steps = {int(NOW // SMALL) - back: counted(1) for back in range(10)}
    total = summed(windows(steps, "default", SMALL, NOW), 60.0)
    assert 45 <= total.seconds <= 60
    assert total.requests == int(total.seconds // SMALL) + 1


def test_a_window_tells_hits_by_tier_and_their_share() -> None:
    calls = {
        "memory_hits": 70,
        "redis_hits": 10,
        "stale_hits": 5,
        "loaded": 5,
        "misses": 8,
        "unanswered": 3,
        "failed": 2,
    }
    window = Window(NOW, 10.0, calls, {"evicted.bytes": 3, "redis.timeout": 1})
    assert window.tiers == {
        "memory": 70,
        "redis": 10,
        "stale": 5,
        "loaded": 5,
        "miss": 5,
        "error": 5,
    }
    assert (window.requests, window.ratio, window.per_second) == (100, 0.85, 10.0)
    assert window.evicted == {"bytes": 3}
    assert Window(NOW, 10.0, {}, {}).ratio is None
