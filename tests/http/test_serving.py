"""Whether a stored response is served as it is, or the upstream is asked first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.strategies import FIELDS, METHODS, RULES
from tiercache.http.fields import Fields
from tiercache.http.rules import Rules
from tiercache.http.serving import Action, Decision, decide, only_if_cached

OBEY = Rules(obey_callers=True)
FRESH = Decision(Action.FRESH)
STALE_REFRESH = Decision(Action.STALE_REFRESH, "stale")
REVALIDATE = Decision(Action.REVALIDATE, "stale")
REVALIDATE_OR_STALE = Decision(Action.REVALIDATE, "stale", stale_if_error=True)
ASK = Decision(Action.REVALIDATE, "request")
ASK_OR_SERVE = Decision(Action.REVALIDATE, "request", stale_if_error=True)


@dataclass(frozen=True)
class Stored:
    """A response that is fresh for 100 seconds."""

    lifetime: float = 100
    stale_while_revalidate: float = 0
    stale_if_error: float = 0
    revalidate_always: bool = False
    never_stale: bool = False


PLAIN = Stored()
WINDOWS = Stored(stale_while_revalidate=10, stale_if_error=50)
STRICT = Stored(never_stale=True)
NO_CACHE = Stored(revalidate_always=True, never_stale=True)


def decided(stored: Stored, age: float) -> Decision:
    return decide(Fields(), "GET", stored, age, Rules())


def asked(control: str, stored: Stored, age: float) -> Decision:
    return decide(Fields([("Cache-Control", control)]), "GET", stored, age, OBEY)


@pytest.mark.parametrize("stored", [PLAIN, WINDOWS, STRICT])
def test_what_is_fresh_is_served(stored: Stored):
    assert decided(stored, 0) == decided(stored, 99.9) == FRESH


def test_what_is_as_old_as_its_lifetime_is_stale():
    assert decided(PLAIN, 100) == REVALIDATE


def test_what_is_stale_is_served_and_refreshed_in_its_window():
    assert decided(WINDOWS, 100) == decided(WINDOWS, 109.9) == STALE_REFRESH


def test_after_that_the_upstream_is_asked_and_the_stale_one_served_if_it_fails():
    assert decided(WINDOWS, 110) == decided(WINDOWS, 149.9) == REVALIDATE_OR_STALE


def test_after_both_windows_it_is_not_served_stale_at_all():
    assert decided(WINDOWS, 150) == REVALIDATE


@pytest.mark.parametrize("age", [0, 99, 100, 1000])
def test_no_cache_is_never_served_without_asking(age: float):
    assert decided(NO_CACHE, age) == REVALIDATE


def test_a_stored_response_answers_head_too():
    assert decide(Fields(), "HEAD", PLAIN, 0, Rules()) == FRESH


@pytest.mark.parametrize("rules", [Rules(), OBEY])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", ""])
def test_it_answers_no_other_method(method: str, rules: Rules):
    assert decide(Fields(), method, PLAIN, 0, rules) == Decision(Action.FORWARD, "method")


WISHES = [
    *("no-cache", "no-store", "max-age=0", "max-age=x", "min-fresh=1000", "max-stale"),
    *("only-if-cached", "stale-if-error=1000"),
]


@pytest.mark.parametrize("age", [0, 105, 120, 200])
@pytest.mark.parametrize("control", WISHES)
def test_what_callers_want_does_not_count_unless_they_are_obeyed(control: str, age: float):
    fields = Fields([("Cache-Control", control), ("Pragma", "no-cache")])

    assert decide(fields, "GET", WINDOWS, age, Rules()) == decided(WINDOWS, age)
    assert not only_if_cached(fields, Rules())


@pytest.mark.parametrize("age", [0, 99, 100, 105, 110, 149, 150])
@pytest.mark.parametrize("stored", [PLAIN, WINDOWS, STRICT, NO_CACHE])
def test_a_caller_that_wants_nothing_gets_what_others_get(stored: Stored, age: float):
    assert asked("", stored, age) == asked("unknown=1", stored, age) == decided(stored, age)


def test_no_cache_asks_the_upstream_and_takes_nothing_that_was_not_validated():
    assert asked("no-cache", WINDOWS, 0) == ASK


def test_pragma_asks_it_too():
    assert decide(Fields([("Pragma", "no-cache")]), "GET", WINDOWS, 0, OBEY) == ASK


@pytest.mark.parametrize("age", [105, 120])
def test_no_cache_for_what_is_stale_anyway_is_a_matter_of_staleness(age: float):
    assert asked("no-cache", WINDOWS, age) == REVALIDATE


@pytest.mark.parametrize("age", [0, 120])
def test_no_store_passes_what_is_stored_by(age: float):
    assert asked("no-store", WINDOWS, age) == Decision(Action.FORWARD, "request")


def test_max_age_asks_if_it_is_older():
    assert asked("max-age=50", PLAIN, 50) == FRESH
    assert asked("max-age=50", PLAIN, 50.1) == ASK_OR_SERVE


def test_max_age_wants_nothing_stale_unless_max_stale_is_there():
    assert asked("max-age=200", WINDOWS, 105) == REVALIDATE_OR_STALE
    assert asked("max-age=200, max-stale=5", WINDOWS, 105) == STALE_REFRESH
    assert asked("max-age=102, max-stale=5", WINDOWS, 105) == REVALIDATE_OR_STALE


def test_min_fresh_asks_if_it_is_not_fresh_for_that_long():
    assert asked("min-fresh=40", PLAIN, 60) == FRESH
    assert asked("min-fresh=40", PLAIN, 60.1) == ASK_OR_SERVE


def test_min_fresh_wants_nothing_stale():
    assert asked("min-fresh=0", WINDOWS, 105) == REVALIDATE_OR_STALE
    assert asked("min-fresh=1, max-stale", WINDOWS, 105) == REVALIDATE_OR_STALE


def test_max_stale_takes_what_is_stale_for_no_longer_than_that():
    assert asked("max-stale=20", PLAIN, 120) == STALE_REFRESH
    assert asked("max-stale=20", PLAIN, 120.1) == REVALIDATE


def test_max_stale_takes_less_than_the_response_would_allow():
    assert asked("max-stale=2", WINDOWS, 105) == REVALIDATE_OR_STALE


def test_max_stale_without_seconds_takes_anything():
    assert asked("max-stale", PLAIN, 1e6) == STALE_REFRESH


@pytest.mark.parametrize("stored", [STRICT, NO_CACHE])
@pytest.mark.parametrize("control", ["max-stale", "stale-if-error=1000", "max-stale=1000"])
def test_no_caller_gets_stale_what_must_not_be_served_stale(stored: Stored, control: str):
    assert asked(control, stored, 120) == REVALIDATE


def test_a_caller_can_accept_what_is_stale_if_the_upstream_fails():
    assert asked("stale-if-error=20", PLAIN, 119.9) == REVALIDATE_OR_STALE
    assert asked("stale-if-error=20", PLAIN, 120) == REVALIDATE


def test_it_cannot_shorten_what_the_response_allows_then():
    assert asked("stale-if-error=1", WINDOWS, 120) == REVALIDATE_OR_STALE


def test_what_is_fresh_is_served_if_the_upstream_fails_that_a_caller_had_asked():
    assert asked("max-age=0", STRICT, 50) == ASK_OR_SERVE


def test_no_cache_of_the_response_holds_whatever_the_caller_wants():
    assert asked("max-age=50, max-stale", NO_CACHE, 10) == REVALIDATE


def test_only_if_cached_is_to_be_answered_without_the_upstream():
    assert only_if_cached(Fields([("Cache-Control", "Only-If-Cached")]), OBEY)
    assert not only_if_cached(Fields([("Cache-Control", "max-age=0")]), OBEY)


def test_only_if_cached_takes_what_is_fresh():
    assert asked("only-if-cached", PLAIN, 0) == FRESH


SECONDS = st.floats(0, 1000) | st.integers(0, 200)


@st.composite
def terms(draw: st.DrawFn) -> Stored:
    """Terms as ``storing.judge`` makes them: what must not be served stale has no windows."""
    always = draw(st.booleans())
    never = always or draw(st.booleans())
    windows = (0.0, 0.0) if never else (draw(SECONDS), draw(SECONDS))
    return Stored(draw(SECONDS), *windows, always, never)


@settings(deadline=None)
@given(fields=FIELDS, method=METHODS, stored=terms(), age=SECONDS, rules=RULES)
def test_nothing_is_served_against_its_terms(
    fields: Fields, method: str, stored: Stored, age: float, rules: Rules
):
    decision = decide(fields, method, stored, age, rules)

    if decision.action is Action.FRESH:
        assert age < stored.lifetime
        assert not stored.revalidate_always
        assert decision.reason is None
    else:
        assert decision.reason is not None
    if decision.action is Action.STALE_REFRESH:
        assert age >= stored.lifetime
        assert not stored.never_stale
    if decision.stale_if_error:
        assert decision.action is Action.REVALIDATE
        assert not stored.revalidate_always
        assert age < stored.lifetime or not stored.never_stale


@settings(deadline=None)
@given(fields=FIELDS, stored=terms(), age=SECONDS)
def test_obedience_never_makes_fresh_what_is_not(fields: Fields, stored: Stored, age: float):
    if decide(fields, "GET", stored, age, OBEY) == FRESH:
        assert decided(stored, age) == FRESH
