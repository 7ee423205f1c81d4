"""Which server is asked next: decided from what each did, on a clock that the test turns."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_project.upstreams.health import Health, Turn
from gateway_project.upstreams.options import PoolOptions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, servers: str = "ab", *, chance: float = 0.0, **options: Any) -> Health:
    urls = tuple(f"http://{server}" for server in servers)
    said = PoolOptions(servers=urls, **{"back_off": 1.0, "timeout": 0.5, **options})
    return Health(tuple(servers), said, clock=clock, chance=lambda: chance)


def fail(health: Health, server: str, times: int = 3) -> None:
    for _ in range(times):
        health.failed(Turn(server), "answered 503")


def succeed(health: Health, server: str, times: int = 1) -> None:
    for _ in range(times):
        health.succeeded(Turn(server))


def order(health: Health) -> list[str]:
    """Return the servers as a request would try them, if none of them answered."""
    tried: list[str] = []
    while turn := health.take(tried):
        tried.append(turn.server)
    return tried


def states(health: Health) -> list[str]:
    return [server.state for server in health.snapshot()]


def test_healthy_servers_are_taken_in_their_order(clock: Clock):
    assert order(made(clock, "abc")) == ["a", "b", "c"]


def test_spread_takes_the_one_that_was_asked_longest_ago(clock: Clock):
    health = made(clock, "abc", policy="spread")

    taken = [health.take() for _ in range(5)]

    assert taken == [Turn(server) for server in "abcab"]


@pytest.mark.parametrize("policy", ["first", "spread"])
def test_suspect_servers_come_after_the_healthy_ones(clock: Clock, policy: str):
    health = made(clock, "abc", policy=policy)
    fail(health, "a", 1)

    assert states(health) == ["suspect", "healthy", "healthy"]
    assert order(health) == ["b", "c", "a"]


def test_suspicion_passes_with_time(clock: Clock):
    health = made(clock)
    fail(health, "a", 1)
    clock.wait(40.0)

    assert states(health)[0] == "healthy"


def test_one_failure_among_many_successes_makes_nobody_suspect(clock: Clock):
    health = made(clock)
    succeed(health, "a", 20)
    fail(health, "a", 1)

    assert states(health)[0] == "healthy"


def test_failures_in_a_row_make_sick_and_the_last_one_tells(clock: Clock):
    health = made(clock, failures=3)

    told = [health.failed(Turn("a"), "answered 503") for _ in range(5)]

    assert told == [False, False, True, False, False]
    assert states(health)[0] == "sick"
    assert order(health) == ["b"]


def test_a_success_between_failures_begins_the_count_anew(clock: Clock):
    health = made(clock, failures=3)
    fail(health, "a", 2)
    succeed(health, "a")
    fail(health, "a", 2)

    assert states(health)[0] == "suspect"


def test_half_of_many_failing_makes_sick_too(clock: Clock):
    health = made(clock, failures=3)
    for _ in range(10):
        succeed(health, "a")
        fail(health, "a", 2)

    assert states(health)[0] == "sick"


def test_failures_of_long_ago_count_for_nothing(clock: Clock):
    health = made(clock, failures=3)
    for _ in range(30):
        succeed(health, "a")
        fail(health, "a", 2)
        succeed(health, "a")
        clock.wait(60.0)

    assert states(health)[0] == "healthy"


def test_a_sick_server_is_tried_once_its_back_off_is_over(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")

    clock.wait(0.9)
    assert health.take() is None
    clock.wait(0.1)
    assert health.take() == Turn("a", trial=True)


def test_there_is_one_trial_at_a_time(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")
    clock.wait(1.0)
    health.take()

    assert health.take() is None


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another(clock: Clock):
    health = made(clock, "a", timeout=5.0)
    fail(health, "a")
    clock.wait(1.0)
    health.take()

    clock.wait(4.9)
    assert health.take() is None
    clock.wait(0.1)
    assert health.take() == Turn("a", trial=True)


def test_an_abandoned_trial_is_anyones(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")
    clock.wait(1.0)
    health.abandoned(Turn("a", trial=True))

    assert health.take() == Turn("a", trial=True)


def test_back_offs_double_up_to_the_longest(clock: Clock):
    health = made(clock, "a", back_off=1.0, back_off_most=5.0)
    fail(health, "a")
    waits = []
    for _ in range(5):
        wait = health.snapshot()[0].next_try
        assert wait is not None
        waits.append(wait)
        clock.wait(wait)
        turn = health.take()
        assert turn is not None
        health.failed(turn, "answered 503")

    assert waits == pytest.approx([1.0, 2.0, 4.0, 5.0, 5.0])


def test_back_offs_are_shortened_by_chance(clock: Clock):
    health = made(clock, "a", chance=1.0)
    fail(health, "a")

    assert health.snapshot()[0].next_try == pytest.approx(0.8)


def test_a_thousand_failed_trials_do_not_overflow(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")
    for _ in range(2000):
        health.failed(Turn("a", trial=True), "answered 503")

    assert health.snapshot()[0].next_try == 30.0


def test_a_trial_that_succeeds_heals_and_forgets(clock: Clock):
    health = made(clock, "a", back_off=1.0)
    fail(health, "a")
    health.failed(Turn("a", trial=True), "answered 503")

    assert health.succeeded(Turn("a", trial=True))
    assert states(health) == ["healthy"]
    fail(health, "a")
    assert health.snapshot()[0].next_try == pytest.approx(1.0)


def test_a_header_lets_others_ask_again(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")
    health.answered(Turn("a", trial=True))

    assert states(health) == ["suspect"]
    assert health.take() == Turn("a")


def test_a_body_that_breaks_off_after_it_makes_sick_at_once_and_for_longer(clock: Clock):
    health = made(clock, "a")
    fail(health, "a")
    health.answered(Turn("a", trial=True))
    health.failed(Turn("a", trial=True), "broke off in the body")

    assert states(health) == ["sick"]
    assert health.snapshot()[0].next_try == pytest.approx(2.0)


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_was_begun_before_says_nothing_of_a_sick_server(clock: Clock, outcome: str):
    health = made(clock, "a")
    fail(health, "a")
    before = health.snapshot()
    if outcome == "succeeded":
        health.succeeded(Turn("a"))
    else:
        health.failed(Turn("a"), "hung up")

    assert health.snapshot() == before


def test_sick_servers_that_are_due_come_last(clock: Clock):
    health = made(clock, "ab")
    fail(health, "a")
    clock.wait(1.0)

    assert order(health) == ["b", "a"]


def test_sick_servers_that_are_due_come_first_if_asked_for(clock: Clock):
    health = made(clock, "ab")
    fail(health, "a")
    clock.wait(1.0)

    assert health.take(trial_first=True) == Turn("a", trial=True)
    assert health.take(trial_first=True) == Turn("b")


def test_sick_servers_are_probed_and_no_others(clock: Clock):
    health = made(clock, "ab")
    fail(health, "a")

    assert health.probes() == (Turn("a", trial=True),)


def test_all_servers_are_probed_if_that_is_wanted(clock: Clock):
    assert [turn.server for turn in made(clock, "ab", probe_all=True).probes()] == ["a", "b"]


def test_a_server_that_one_loop_probes_is_not_probed_by_the_others(clock: Clock):
    health = made(clock, "ab", probe_every=4.0)
    fail(health, "a")
    health.probes()

    clock.wait(1.9)
    assert health.probes() == ()
    clock.wait(0.1)
    assert health.probes() != ()
