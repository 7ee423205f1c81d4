"""Which responses may be stored in a shared cache, and on which terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.http.strategies import FIELDS, INSTANTS, METHODS, RULES, STATUSES
from tiercache.http.cache_control import request_directives, response_directives
from tiercache.http.dates import formatted
from tiercache.http.fields import Fields
from tiercache.http.rules import OVERRIDES, Rules
from tiercache.http.storing import UNDERSTOOD, Refusal, Storable, judge

NOW = 1700000000.0
ETAG = ("ETag", '"a"')
MODIFIED = ("Last-Modified", formatted(NOW))
COOKIE = ("Set-Cookie", "a=b")
ANY_STATUS = frozenset(range(100, 600))


def control(text: str) -> tuple[str, str]:
    return "Cache-Control", text


def judged(
    *answered: tuple[str, str],
    asked: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
    status: int = 200,
    rules: Rules | None = None,
    requested: float = NOW,
) -> Storable | Refusal:
    return judge(
        method=method,
        asked=Fields(asked),
        status=status,
        answered=Fields(answered),
        rules=rules or Rules(),
        requested=requested,
        received=NOW,
    )


def stored(*answered: tuple[str, str], **how: Any) -> Storable:
    outcome = judged(*answered, **how)
    assert isinstance(outcome, Storable)
    return outcome


def refused(*answered: tuple[str, str], **how: Any) -> str:
    outcome = judged(*answered, **how)
    assert isinstance(outcome, Refusal)
    return outcome.reason


def test_a_response_with_a_lifetime_is_stored_on_these_terms():
    assert stored(control("max-age=60")) == Storable(
        lifetime=60,
        age=0,
        stale_while_revalidate=0,
        stale_if_error=0,
        revalidate_always=False,
        never_stale=False,
        keep=0,
        vary=(),
        source="max-age",
    )


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_answers_to_get_are_stored(method: str):
    assert refused(control("max-age=60, public"), method=method) == "method"


@pytest.mark.parametrize("status", [100, 103, 199, 304])
def test_interim_responses_and_304_are_never_stored(status: int):
    rules = Rules(statuses=ANY_STATUS)

    assert refused(control("max-age=60"), status=status, rules=rules) == "status"


def test_partial_responses_are_never_stored():
    rules = Rules(statuses=ANY_STATUS)

    assert refused(control("max-age=60"), status=206, rules=rules) == "partial"


@pytest.mark.parametrize("status", [200, 203, 204, 301, 308, 404, 410, 501])
def test_the_statuses_of_the_route_are_stored(status: int):
    assert stored(control("max-age=60"), status=status).lifetime == 60


@pytest.mark.parametrize("status", [201, 302, 307, 400, 403, 500, 503, 599])
def test_other_statuses_are_stored_if_the_route_has_them(status: int):
    rules = Rules(statuses=ANY_STATUS)

    assert refused(control("max-age=60, public"), status=status) == "status"
    assert stored(control("max-age=60"), status=status, rules=rules).lifetime == 60


@pytest.mark.parametrize("text", ["no-store", "No-StOrE", "max-age=60, no-store", "no-store=x"])
def test_no_store_is_not_stored(text: str):
    assert refused(control(text), ("Expires", formatted(NOW + 60)), ETAG) == "no-store"


def test_no_store_is_ignored_with_must_understand_for_statuses_that_are_understood():
    both = control("max-age=60, no-store, must-understand")

    assert stored(both).lifetime == 60


def test_must_understand_keeps_a_status_that_is_not_understood_from_being_stored():
    rules = Rules(statuses=ANY_STATUS, store_anyway=OVERRIDES)
    lines = control("max-age=60, must-understand")

    assert 599 not in UNDERSTOOD
    assert refused(lines, status=599, rules=rules) == "status"
    assert stored(control("max-age=60"), status=599, rules=rules).lifetime == 60


@pytest.mark.parametrize("text", ["private", "max-age=60, private", 'private="a", max-age=60'])
def test_private_is_not_stored(text: str):
    assert refused(control(text), ETAG) == "private"


def test_what_sets_a_cookie_is_not_stored():
    assert refused(control("public, max-age=60"), COOKIE) == "set-cookie"


def test_what_was_asked_for_with_a_cookie_is_stored():
    assert stored(control("max-age=60"), asked=(("Cookie", "a=b"),)).lifetime == 60


AUTHORIZED = (("Authorization", "Basic eDp5"),)


def test_what_was_asked_for_with_authorization_is_not_stored():
    lines = [control("max-age=60"), ("Expires", formatted(NOW + 60))]

    assert refused(*lines, asked=AUTHORIZED) == "authorization"


@pytest.mark.parametrize(
    "text", ["max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"]
)
def test_it_is_stored_if_the_response_says_that_it_is_for_all(text: str):
    assert stored(control(text), asked=AUTHORIZED).lifetime == 60


@pytest.mark.parametrize("text", ["max-age=60, proxy-revalidate", "max-age=60, public=x"])
def test_nothing_else_says_so(text: str):
    assert refused(control(text), asked=AUTHORIZED) == "authorization"


@pytest.mark.parametrize(
    "lines", [("*",), ("*, *",), ("*", "*"), (", *",), ("", "*"), ("*, Foo",), ("Foo, *",)]
)
def test_what_varies_by_anything_is_not_stored(lines: tuple[str, ...]):
    assert refused(control("max-age=60"), *[("Vary", line) for line in lines]) == "vary-star"


@pytest.mark.parametrize("value", ["Foo bar", '"Foo, bar"', "Foo;q=1", "F\xf6\xf6"])
def test_what_varies_by_something_that_is_no_field_is_not_stored(value: str):
    assert refused(control("max-age=60"), ("Vary", value)) == "vary-star"


def test_the_fields_it_varies_by_are_in_small_letters_in_order_and_each_once():
    found = stored(control("max-age=60"), ("Vary", "Foo, accept"), ("Vary", "ACCEPT, bar"))

    assert found.vary == ("accept", "bar", "foo")


OBSTACLES: dict[str, dict[str, Any]] = {
    "no-store": {"answered": [control("no-store, max-age=60")]},
    "private": {"answered": [control("private, max-age=60")]},
    "set-cookie": {"answered": [control("max-age=60"), COOKIE]},
    "authorization": {"answered": [control("max-age=60")], "asked": AUTHORIZED},
    "vary-star": {"answered": [control("max-age=60"), ("Vary", "*, Foo")]},
}


@pytest.mark.parametrize("override", sorted(OVERRIDES))
def test_a_route_can_store_it_anyway(override: str):
    how = dict(OBSTACLES[override])
    answered = how.pop("answered")

    assert refused(*answered, **how) == override
    assert stored(*answered, **how, rules=Rules(store_anyway=frozenset({override}))).lifetime == 60


@pytest.mark.parametrize("override", sorted(OVERRIDES))
def test_an_override_lifts_no_other_obstacle(override: str):
    how = dict(OBSTACLES[override])
    answered = how.pop("answered")
    rules = Rules(store_anyway=OVERRIDES - {override})

    assert refused(*answered, **how, rules=rules) == override


def test_what_is_stored_despite_vary_star_varies_by_the_fields_it_names():
    rules = Rules(store_anyway=frozenset({"vary-star"}))

    assert stored(control("max-age=60"), ("Vary", "*, Foo"), rules=rules).vary == ("foo",)


def test_a_request_with_no_store_counts_where_callers_are_obeyed():
    asked = (control("no-store"),)

    assert stored(control("max-age=60"), asked=asked).lifetime == 60
    assert (
        refused(control("max-age=60"), asked=asked, rules=Rules(obey_callers=True))
        == "request-no-store"
    )


def test_the_age_counts_from_when_the_origin_generated_it():
    found = stored(control("max-age=60"), ("Age", "10"), requested=NOW - 2)

    assert (found.lifetime, found.age) == (60, 12)


NEVER_SERVED = [
    [],
    [control("max-age=0")],
    [control("max-age=x")],
    [control("no-cache")],
    [control("no-cache, max-age=60")],
    [control('no-cache="a", max-age=60')],
    [control("max-age=60"), ("Age", "60")],
    [control("max-age=60"), ("Date", formatted(NOW - 60))],
    [("Expires", "0")],
    [("Expires", formatted(NOW + 60)), ("Age", "60")],
    [control("max-age=0, stale-if-error=60, must-revalidate")],
    [control("max-age=60, stale-while-revalidate=30"), ("Age", "90")],
]


@pytest.mark.parametrize("answered", NEVER_SERVED)
def test_what_could_never_be_served_is_not_stored(answered: list[tuple[str, str]]):
    assert refused(*answered) == "no-lifetime"


@pytest.mark.parametrize("answered", NEVER_SERVED)
def test_the_windows_of_a_route_are_no_reason_to_store_it(answered: list[tuple[str, str]]):
    rules = Rules(stale_while_revalidate=600, stale_if_error=600)

    assert refused(*answered, rules=rules) == "no-lifetime"


@pytest.mark.parametrize("validator", [ETAG, MODIFIED])
@pytest.mark.parametrize("answered", NEVER_SERVED)
def test_with_a_validator_it_is_stored_to_be_revalidated(
    answered: list[tuple[str, str]], validator: tuple[str, str]
):
    assert stored(*answered, validator).keep == 3600


def test_an_empty_validator_is_none():
    assert refused(control("no-cache"), ("ETag", "")) == "no-lifetime"


def test_with_a_validator_it_is_not_stored_for_longer_than_the_route_keeps_it():
    rules = Rules(keep=30)

    assert stored(control("max-age=60"), ETAG, ("Age", "89"), rules=rules).age == 89
    assert refused(control("max-age=60"), ETAG, ("Age", "90"), rules=rules) == "no-lifetime"


@pytest.mark.parametrize("name", ["stale-while-revalidate", "stale-if-error"])
def test_what_allows_itself_to_be_served_stale_is_stored_though_it_is(name: str):
    assert stored(control(f"max-age=0, {name}=60")).keep == 60


def test_no_cache_is_to_be_revalidated_always():
    found = stored(control("no-cache, max-age=60"), ETAG)

    assert (found.lifetime, found.revalidate_always, found.never_stale) == (60, True, True)


ROUTE = Rules(stale_while_revalidate=5, stale_if_error=7)


def windows(text: str, rules: Rules = ROUTE) -> tuple[float, float]:
    found = stored(control(text), ETAG, rules=rules)
    return found.stale_while_revalidate, found.stale_if_error


def test_a_response_says_for_how_long_it_may_be_served_stale():
    assert windows("max-age=60, stale-while-revalidate=20, stale-if-error=30") == (20, 30)


def test_where_it_does_not_the_route_does():
    assert windows("max-age=60") == (5, 7)
    assert windows("max-age=60, stale-while-revalidate=20") == (20, 7)
    assert windows("max-age=60, stale-if-error=30") == (5, 30)


def test_a_zero_or_a_broken_number_is_an_answer_too():
    assert windows("max-age=60, stale-while-revalidate=0, stale-if-error=x") == (0, 0)


@pytest.mark.parametrize(
    "text", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=60", "s-maxage=0"]
)
def test_what_forbids_to_serve_it_stale_goes_before_both(text: str):
    named = "max-age=60, stale-while-revalidate=20, stale-if-error=30"

    assert windows(f"{named}, {text}") == (0, 0)
    assert windows(f"max-age=60, {text}") == (0, 0)


def test_a_route_does_not_serve_unasked_what_has_no_lifetime():
    assert windows("max-age=0") == (0, 7)


def test_it_is_kept_for_the_longest_of_its_uses():
    lines = control("max-age=60, stale-while-revalidate=20, stale-if-error=30")

    assert stored(lines).keep == 30
    assert stored(lines, ETAG, rules=Rules(keep=10)).keep == 30
    assert stored(lines, ETAG, rules=Rules(keep=40)).keep == 40
    assert stored(lines, rules=Rules(keep=40)).keep == 30


def test_the_source_says_what_gave_it_its_lifetime():
    assert stored(rules=Rules(lifetime=5)).source == "route"
    assert stored(control("max-age=60"), rules=Rules(lifetime=5)).source == "max-age"


def test_cdn_cache_control_decides_alone():
    aimed = ("CDN-Cache-Control", "max-age=60")

    assert stored(control("no-store, private"), aimed).lifetime == 60
    assert refused(control("max-age=60"), ("CDN-Cache-Control", "private")) == "private"


ANYTHING = {
    "method": METHODS,
    "asked": FIELDS,
    "status": STATUSES,
    "answered": FIELDS,
    "rules": RULES,
    "requested": INSTANTS,
    "received": INSTANTS,
}


@settings(deadline=None)
@given(**ANYTHING)
def test_what_is_stored_breaks_no_rule(**told: Any):
    outcome = judge(**told)
    if isinstance(outcome, Refusal):
        return
    said, anyway = response_directives(told["answered"]), told["rules"].store_anyway
    understood = said.must_understand and told["status"] in UNDERSTOOD

    assert told["method"] == "GET"
    assert told["status"] in told["rules"].statuses - {206, 304}
    assert told["status"] >= 200
    assert not said.no_store or understood or "no-store" in anyway
    assert not said.private or "private" in anyway
    assert "set-cookie" not in told["answered"] or "set-cookie" in anyway
    assert "*" not in told["answered"].members("vary") or "vary-star" in anyway
    assert not (told["rules"].obey_callers and request_directives(told["asked"]).no_store)
    if "authorization" in told["asked"] and "authorization" not in anyway:
        assert said.public or said.must_revalidate or said.s_maxage is not None


@settings(deadline=None)
@given(**ANYTHING)
def test_the_terms_agree_with_one_another(**told: Any):
    outcome = judge(**told)
    if isinstance(outcome, Refusal):
        return
    windows = outcome.stale_while_revalidate, outcome.stale_if_error

    assert min(outcome.lifetime, outcome.age, outcome.keep, *windows) >= 0
    assert outcome.keep >= max(windows)
    assert outcome.age < outcome.lifetime + outcome.keep
    assert not outcome.never_stale or windows == (0, 0)
    assert not outcome.revalidate_always or outcome.never_stale
    assert list(outcome.vary) == sorted(set(outcome.vary))


@settings(deadline=None)
@given(**ANYTHING)
def test_what_a_route_stores_anyway_is_stored_with_more_overrides_too(**told: Any):
    if isinstance(judge(**told), Storable):
        told["rules"] = replace(told["rules"], store_anyway=OVERRIDES)
        assert isinstance(judge(**told), Storable)
