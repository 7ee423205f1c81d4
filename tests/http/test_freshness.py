"""For how long a response is fresh, and how old it is when it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.http.strategies import FIELDS, INSTANTS, RULES, STATUSES
from tiercache.http.cache_control import LONGEST, response_directives
from tiercache.http.dates import formatted
from tiercache.http.fields import Fields
from tiercache.http.freshness import LONGEST_HEURISTIC, Lifetime, initial_age, lifetime
from tiercache.http.rules import HEURISTIC_STATUSES, Rules

NOW = 1700000000.0
HOUR = 3600.0
DAY = 86400.0


def at(seconds: float) -> str:
    """A date that is so many seconds after the response came in."""
    return formatted(NOW + seconds)


def fresh(
    *lines: tuple[str, str], rules: Rules | None = None, status: int = 200, received: float = NOW
) -> Lifetime:
    answered = Fields(lines)
    return lifetime(response_directives(answered), answered, rules or Rules(), status, received)


def age(*lines: tuple[str, str], requested: float = NOW) -> float:
    return initial_age(Fields(lines), requested, NOW)


FUTURE_EXPIRES = ("Expires", at(HOUR))


@pytest.mark.parametrize("control", ["s-maxage=30, max-age=60", "max-age=1, s-maxage=30"])
def test_s_maxage_goes_before_all_others(control: str):
    lines = [("Cache-Control", control), FUTURE_EXPIRES, ("Date", at(0))]

    assert fresh(*lines, rules=Rules(lifetime=5)) == Lifetime(30, "s-maxage")


@pytest.mark.parametrize("expires", [at(HOUR), at(-HOUR), "0"])
def test_max_age_goes_before_expires(expires: str):
    lines = [("Cache-Control", "max-age=60"), ("Expires", expires), ("Date", at(0))]

    assert fresh(*lines, rules=Rules(lifetime=5)) == Lifetime(60, "max-age")


def test_a_max_age_of_zero_leaves_no_lifetime():
    assert fresh(("Cache-Control", "max-age=0"), FUTURE_EXPIRES) == Lifetime(0, "max-age")


def test_a_broken_max_age_leaves_no_lifetime_whatever_expires_says():
    assert fresh(("Cache-Control", "max-age=x"), FUTURE_EXPIRES) == Lifetime(0, "max-age")


def test_a_broken_s_maxage_leaves_no_lifetime_whatever_max_age_says():
    assert fresh(("Cache-Control", "max-age=60, s-maxage=x")) == Lifetime(0, "s-maxage")


def test_expires_counts_from_date():
    assert fresh(("Date", at(-100)), ("Expires", at(10))) == Lifetime(110, "expires")


@pytest.mark.parametrize("date", [(), (("Date", "foo"),)])
def test_expires_counts_from_when_the_response_came_if_there_is_no_date(
    date: tuple[tuple[str, str], ...],
):
    assert fresh(*date, ("Expires", at(10))) == Lifetime(10, "expires")


@pytest.mark.parametrize(
    "expires", ["0", "-1", "", "never", at(0), at(-1), at(10).replace("GMT", "UTC")]
)
def test_an_expires_that_is_past_or_no_date_leaves_no_lifetime(expires: str):
    rules = Rules(lifetime=60)

    assert fresh(("Date", at(0)), ("Expires", expires), rules=rules) == Lifetime(0, "expires")


def test_an_expires_before_its_date_leaves_no_lifetime_though_both_are_to_come():
    assert fresh(("Date", at(400)), ("Expires", at(300))) == Lifetime(0, "expires")


def test_of_two_expires_the_first_counts():
    assert fresh(("Expires", at(10)), ("Expires", at(20))) == Lifetime(10, "expires")


def test_a_far_expires_is_the_longest_lifetime():
    assert fresh(("Expires", "Fri, 31 Dec 9999 23:59:59 GMT")) == Lifetime(LONGEST, "expires")


def test_expires_does_not_count_beside_cdn_cache_control():
    lines = [("CDN-Cache-Control", "must-revalidate"), FUTURE_EXPIRES]

    assert fresh(*lines) == Lifetime(0, "none")


def test_a_response_that_says_nothing_has_the_lifetime_of_its_route():
    lines = [("Cache-Control", "public"), ("Last-Modified", at(-HOUR))]

    assert fresh(*lines, rules=Rules(lifetime=5), status=500) == Lifetime(5, "route")


def test_without_a_route_it_has_a_tenth_of_the_time_since_it_was_modified():
    lines = [("Date", at(-100)), ("Last-Modified", at(-1100))]

    assert fresh(*lines) == Lifetime(100, "heuristic")


def test_the_time_since_it_was_modified_ends_when_it_came_if_there_is_no_date():
    assert fresh(("Last-Modified", at(-1000))) == Lifetime(100, "heuristic")


def test_the_heuristic_ends_at_a_day():
    assert fresh(("Last-Modified", at(-1000 * DAY))) == Lifetime(LONGEST_HEURISTIC, "heuristic")


def test_what_was_modified_in_the_future_has_no_lifetime():
    assert fresh(("Last-Modified", at(HOUR))) == Lifetime(0, "heuristic")


@pytest.mark.parametrize("lines", [(), (("Last-Modified", "yesterday"),), (("ETag", '"a"'),)])
def test_without_any_date_nothing_gives_it_a_lifetime(lines: tuple[tuple[str, str], ...]):
    assert fresh(*lines) == Lifetime(0, "none")


@pytest.mark.parametrize("status", sorted(HEURISTIC_STATUSES))
def test_the_heuristic_is_for_statuses_that_allow_it(status: int):
    assert fresh(("Last-Modified", at(-HOUR)), status=status).source == "heuristic"


@pytest.mark.parametrize("status", [201, 202, 302, 307, 403, 500, 502, 503, 504, 599])
def test_it_is_for_other_statuses_with_public_alone(status: int):
    modified = ("Last-Modified", at(-HOUR))

    assert fresh(modified, status=status) == Lifetime(0, "none")
    assert fresh(modified, ("Cache-Control", "public"), status=status).source == "heuristic"


@settings(deadline=None)
@given(answered=FIELDS, rules=RULES, status=STATUSES, received=INSTANTS)
def test_a_lifetime_is_never_negative_nor_without_end(
    answered: Fields, rules: Rules, status: int, received: float
):
    found = lifetime(response_directives(answered), answered, rules, status, received)

    assert 0 <= found.seconds <= LONGEST
    assert found.source != "none" or found.seconds == 0


def test_a_response_that_came_at_once_and_says_nothing_has_no_age():
    assert age() == 0


def test_its_age_is_at_least_the_time_since_its_date():
    assert age(("Date", at(-20)), ("Age", "5"), requested=NOW - 3) == 20


def test_its_age_is_at_least_what_age_says_and_the_time_it_took_to_come():
    assert age(("Date", at(-20)), ("Age", "30"), requested=NOW - 3) == 33


@pytest.mark.parametrize("date", [at(HOUR), "foo"])
def test_a_date_to_come_or_none_makes_it_no_younger(date: str):
    assert age(("Date", date), ("Age", "5"), requested=NOW - 3) == 8


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["7200, 0"], 7200),
        (["0, 7200"], 0),
        (["7200", "0"], 7200),
        (["0", "7200"], 0),
        (["3600", "3600"], 3600),
        (["2147483647"], 2147483647),
        (["2147483649"], LONGEST),
        (["9" * 5000], LONGEST),
    ],
)
def test_of_several_ages_the_first_counts(lines: list[str], expected: float):
    assert age(*[("Age", line) for line in lines]) == expected


@pytest.mark.parametrize("value", ["abc", "-7200", "7200.0", "7200;foo=bar", '"7200"', "", "x, 9"])
def test_an_age_that_is_not_a_number_is_ignored(value: str):
    assert age(("Age", value)) == 0


def test_a_clock_that_was_set_back_meanwhile_makes_it_no_younger():
    assert age(("Age", "5"), requested=NOW + 100) == 5


@settings(deadline=None)
@given(answered=FIELDS, requested=INSTANTS, received=INSTANTS)
def test_an_age_is_never_negative(answered: Fields, requested: float, received: float):
    assert initial_age(answered, requested, received) >= 0
