"""Flights, signals and bells: whoever waits is told, once, and nothing is left behind."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from tests.support.crowd import SECONDS, Caller
from tiercache.flights import (
    MOST_ABANDONED,
    MOST_RESTS,
    Bells,
    Flight,
    Flights,
    LoadFlight,
    Signal,
    Traffic,
)


@pytest.fixture
def traffic() -> Traffic:
    made = Traffic(lambda: None)
    made.begin("node")
    return made


# Signals


def test_a_listener_is_called_once() -> None:
    """Whether it came before it happened or after."""
    calls: list[str] = []
    signal = Signal()
    signal.listen(lambda: calls.append("before"))
    signal.fire()
    signal.fire()
    signal.listen(lambda: calls.append("after"))
    assert calls == ["before", "after"]


def test_one_that_no_longer_listens_is_not_called() -> None:
    calls: list[int] = []
    signal, listener = Signal(), lambda: calls.append(1)
    signal.listen(listener)
    signal.ignore(listener)
    signal.ignore(listener)
    signal.fire()
    assert calls == []


def test_no_listener_is_lost_between_threads() -> None:
    """Whoever comes while it happens is told as well."""

    def listen(signal: Signal, told: threading.Event, gate: threading.Barrier) -> None:
        gate.wait(SECONDS)
        signal.listen(told.set)

    for _ in range(200):
        signal, told = Signal(), [threading.Event() for _ in range(4)]
        gate = threading.Barrier(5)
        callers = [Caller(partial(listen, signal, event, gate)) for event in told]
        gate.wait(SECONDS)
        signal.fire()
        assert all(event.wait(SECONDS) for event in told)
        assert [caller.outcome for caller in callers] == [None] * 4


# Flights


def test_later_callers_join() -> None:
    flights = Flights(LoadFlight)
    flight, leads = flights.board("key", 1)
    assert leads
    assert flights.board("key", 1) == (flight, False)
    assert flights.board("other", 1)[1]


def test_what_began_before_a_change_is_not_joined() -> None:
    """A new flight takes its place; that the old one lands changes nothing for the new one."""
    flights = Flights(LoadFlight)
    old, _ = flights.board("key", 1)
    new, leads = flights.board("key", 2)
    assert leads
    flights.land(old, "old")
    assert flights.board("key", 2) == (new, False)


def test_nor_is_anything_after_a_seal() -> None:
    flights = Flights(LoadFlight)
    old, _ = flights.board("key", 1)
    flights.seal()
    new, leads = flights.board("key", 1)
    assert leads
    assert new is not old


def test_who_wants_to_be_alone_joins_none_and_is_joined() -> None:
    flights = Flights(LoadFlight)
    old, _ = flights.board("key", 1)
    new, leads = flights.board("key", 1, alone=True)
    assert leads
    assert new is not old
    assert flights.board("key", 1) == (new, False)


def test_landing_tells_the_outcome_and_leaves_nothing() -> None:
    flights = Flights(LoadFlight)
    flight, _ = flights.board("key", 1)
    told: list[Any] = []
    flight.listen(lambda: told.append(flight.outcome))
    flights.land(flight, "value")
    assert told == ["value"]
    assert len(flights) == 0
    assert not flight.abandoned


def test_an_abandoned_flight_frees_who_waits() -> None:
    """One that has landed is not abandoned any more."""
    flights = Flights(LoadFlight)
    flight, _ = flights.board("key", 1)
    flights.abandon(flight)
    assert flight.happened
    assert flight.abandoned
    assert len(flights) == 0
    landed, _ = flights.board("key", 1)
    flights.land(landed, "value")
    flights.abandon(landed)
    assert not landed.abandoned


def test_a_lost_flight_is_not_joined_and_frees_who_waits() -> None:
    """As one whose event loop has ended."""
    flights = Flights(LoadFlight)
    lost, _ = flights.board("key", 1)
    lost.lost = lambda: False
    assert flights.board("key", 1) == (lost, False)
    lost.lost = lambda: True
    new, leads = flights.board("key", 1)
    assert leads
    assert new is not lost
    assert lost.abandoned
    assert flights.board("key", 1) == (new, False)


def test_an_error_is_told() -> None:
    """The same one to all who wait."""
    flights = Flights(LoadFlight)
    flight, _ = flights.board("key", 1)
    error = LookupError()
    flights.land(flight, error=error)
    assert flight.happened
    assert flight.error is error


def test_one_of_many_threads_leads() -> None:
    flights, gate = Flights(LoadFlight), threading.Barrier(8)

    def board() -> tuple[Flight, bool]:
        gate.wait(SECONDS)
        return flights.board("key", 1)

    got = [caller.outcome for caller in [Caller(board) for _ in range(8)]]
    assert len({flight for flight, _ in got}) == 1
    assert sum(leads for _, leads in got) == 1


# Bells


def test_a_bell_rings_for_its_key_and_for_all() -> None:
    bells = Bells()
    with bells.hung("a") as a, bells.hung("b") as b, bells.hung("c") as c:
        bells.ring(["a", "nothing"])
        assert [bell.happened for bell in (a, b, c)] == [True, False, False]
        bells.ring(None)
        assert [bell.happened for bell in (a, b, c)] == [True, True, True]
    assert len(bells) == 0


def test_bells_that_never_rang_are_taken_down() -> None:
    bells = Bells()
    with bells.hung("a"), bells.hung("a"):
        assert len(bells) == 1
    assert len(bells) == 0


# What rests, and leases


def test_a_rest_ends_with_its_time(traffic: Traffic) -> None:
    traffic.rest("key", 10.0)
    assert traffic.rests("key", 9.9)
    assert not traffic.rests("other", 9.9)
    assert not traffic.rests("key", 10.0)
    assert not traffic.rests("key", 9.9)


@pytest.mark.parametrize("keys", [("key",), None])
def test_a_rest_ends_with_a_change(traffic: Traffic, keys: Any) -> None:
    """What is stored by somebody else may be stale before the rest is over."""
    traffic.rest("key", 10.0)
    traffic.changed(("other",))
    assert traffic.rests("key", 1.0)
    traffic.changed(keys)
    assert not traffic.rests("key", 1.0)


def test_rests_and_abandoned_leases_are_bounded(traffic: Traffic) -> None:
    for number in range(MOST_RESTS + 5):
        traffic.rest(f"key{number}", 10.0)
    assert len(traffic.resting) <= MOST_RESTS
    for number in range(MOST_ABANDONED + 5):
        traffic.abandon(f"key{number}", "token")
    assert len(traffic.abandoned) == MOST_ABANDONED


def test_no_two_leases_are_alike(traffic: Traffic) -> None:
    other = Traffic(lambda: None)
    other.begin("another")
    tokens = [each.token() for each in (traffic, other) for _ in range(100)]
    assert len(set(tokens)) == 200


def test_a_child_begins_with_nothing(traffic: Traffic) -> None:
    traffic.loads.board("key", 1)
    traffic.rest("key", 10.0)
    traffic.abandon("key", "token")
    traffic.begin("child")
    assert len(traffic) == 0
    assert not traffic.rests("key", 1.0)


def test_an_abandoned_lease_hurries_the_keeper() -> None:
    hurried: list[int] = []
    traffic = Traffic(lambda: hurried.append(1))
    traffic.abandon("key", "token")
    assert hurried == [1]
