"""When the breaker opens, when it is probed, and that it is only closed on purpose."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiercache.breaker import FIRST_PROBE, LONGEST_PAUSE, PATIENCE, Breaker
from tiercache.exceptions import RedisAway

START = 1000.0


def opened(now: float = START) -> Breaker:
    breaker = Breaker()
    breaker.failed("refused", now, certain=True)
    return breaker


def test_a_new_breaker_is_closed() -> None:
    """Requests are let through, and nothing has happened yet."""
    breaker = Breaker()
    assert (breaker.open, breaker.reason, breaker.opened) == (False, "", 0)


def test_failures_in_a_row_open_it() -> None:
    """The last of `PATIENCE` does, and none before."""
    breaker = Breaker()
    for _ in range(PATIENCE - 1):
        breaker.failed("timeout", START, certain=False)
        assert not breaker.open
    breaker.failed("closed", START, certain=False)
    assert (breaker.open, breaker.reason, breaker.opened) == (True, "closed", 1)


def test_a_success_in_between_begins_the_count_anew() -> None:
    """Failures now and then never open it."""
    breaker = Breaker()
    for _ in range(50):
        for _ in range(PATIENCE - 1):
            breaker.failed("timeout", START, certain=False)
        breaker.succeeded()
    assert not breaker.open


def test_one_certain_failure_opens_it() -> None:
    """Where one is proof enough no second is waited for."""
    assert opened().open


@pytest.mark.parametrize("kind", RedisAway.KINDS)
def test_which_failures_are_certain(kind: str) -> None:
    """A lost connection may be chance; a refusal, or an answer that does not come, is none."""
    certain = {"refused", "timeout", "auth", "loading", "down"}
    assert RedisAway(kind).certain is (kind in certain)
    assert RedisAway(kind).reads_too is (kind not in {"readonly", "full", "unwritable"})


def test_the_first_probe_comes_soon() -> None:
    """A short hiccup is over soon."""
    assert opened().probe_at == START + FIRST_PROBE


def test_failures_while_it_is_open_change_nothing() -> None:
    """Requests that were on their way count once, and put no probe off."""
    breaker = opened()
    for later in range(1, 100):
        breaker.failed("timeout", START + later, certain=True)
    assert (breaker.opened, breaker.reason) == (1, "refused")
    assert breaker.probe_at == START + FIRST_PROBE


def test_pauses_double_up_to_the_longest() -> None:
    """Each probe that fails doubles the pause; jitter takes up to a half of it, adds nothing."""
    breaker, now, pause = opened(), START, FIRST_PROBE
    for _ in range(12):
        now = breaker.probe_at
        breaker.probe_failed(now)
        pause = min(pause * 2, LONGEST_PAUSE)
        assert pause / 2 <= breaker.probe_at - now <= pause + 1e-9
    assert pause == LONGEST_PAUSE


def test_nodes_do_not_probe_in_step() -> None:
    """Many nodes that lost Redis at once come back one after the other."""
    moments = set()
    for _ in range(20):
        breaker = opened()
        breaker.probe_failed(START)
        moments.add(breaker.probe_at)
    assert len(moments) > 10


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.sampled_from(["failed", "certain", "succeeded", "probe"]), max_size=30),
    now=st.floats(0, 1e9),
)
def test_nothing_but_close_closes_it(steps: list[str], now: float) -> None:
    """There is no half-open state: a late success of an old request proves nothing."""
    breaker = opened(now)
    for step in steps:
        if step == "succeeded":
            breaker.succeeded()
        elif step == "probe":
            breaker.probe_failed(now)
        else:
            breaker.failed("timeout", now, certain=step == "certain")
        assert breaker.open
        assert now < breaker.probe_at <= now + LONGEST_PAUSE
    assert breaker.opened == 1
    breaker.close()
    assert not breaker.open


def test_the_jitter_leaves_the_sites_random_numbers_alone() -> None:
    """It is drawn in a thread of ours: who seeds `random` for a test or a simulation keeps it."""
    before = random.getstate()
    opened().probe_failed(START)
    assert random.getstate() == before


def test_it_opens_again_as_if_for_the_first_time() -> None:
    """After closing, the count and the pauses begin anew; `opened` goes on."""
    breaker = opened()
    for _ in range(10):
        breaker.probe_failed(START)
    breaker.close()
    for _ in range(PATIENCE - 1):
        breaker.failed("timeout", START + 50, certain=False)
        assert not breaker.open
    breaker.failed("timeout", START + 60, certain=False)
    assert (breaker.open, breaker.opened, breaker.reason) == (True, 2, "timeout")
    assert breaker.probe_at == START + 60 + FIRST_PROBE
