"""Cache-Control: what is well-formed is read as it says, what is not in the strictest way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.http.strategies import DIRECTIVE_LISTS, FIELDS
from tiercache.http.cache_control import (
    LONGEST,
    RequestDirectives,
    ResponseDirectives,
    delta_seconds,
    request_directives,
    response_directives,
)
from tiercache.http.fields import Fields


def response(*lines: str) -> ResponseDirectives:
    return response_directives(Fields(("Cache-Control", line) for line in lines))


def request(*lines: str) -> RequestDirectives:
    return request_directives(Fields(("Cache-Control", line) for line in lines))


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("no-store", "no_store"),
        ("no-cache", "no_cache"),
        ("private", "private"),
        ("public", "public"),
        ("must-understand", "must_understand"),
        ("must-revalidate", "must_revalidate"),
        ("proxy-revalidate", "proxy_revalidate"),
        ("immutable", "immutable"),
    ],
)
def test_a_directive_without_argument_is_there_or_not(name: str, attribute: str):
    assert response(name) == ResponseDirectives(**{attribute: True})


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("max-age", "max_age"),
        ("s-maxage", "s_maxage"),
        ("stale-while-revalidate", "stale_while_revalidate"),
        ("stale-if-error", "stale_if_error"),
    ],
)
def test_a_directive_with_seconds_has_them(name: str, attribute: str):
    assert response(f"{name}=60") == ResponseDirectives(**{attribute: 60})


def test_names_are_read_in_any_case():
    assert response("MaX-aGe=60, No-StOrE") == ResponseDirectives(max_age=60, no_store=True)


def test_lines_make_one_list():
    assert response("max-age=60", "no-cache") == ResponseDirectives(max_age=60, no_cache=True)


def test_unknown_directives_are_ignored():
    assert response('foobar, max-age=60, x="1, 2"') == ResponseDirectives(max_age=60)


@pytest.mark.parametrize("argument", ["3600", '"3600"', r'"\3600"', "003600"])
def test_seconds_may_be_a_token_or_quoted(argument: str):
    assert response(f"max-age={argument}").max_age == 3600


@pytest.mark.parametrize(
    "directive",
    [
        "max-age",
        "max-age=",
        'max-age=""',
        "max-age=-1",
        "max-age=+1",
        "max-age=3600.0",
        "max-age=3600a",
        "max-age=a3600",
        "max-age='3600'",
        "max-age =3600",
        "max-age= 3600",
        'max-age="3600',
        "max-age=36 00",
        "max-age: 3600",
        "max-age 3600",
        "max-age=\xb2",
    ],
)
def test_a_lifetime_that_is_not_a_number_is_none_at_all(directive: str):
    assert response(directive).max_age == 0


def test_a_broken_max_age_hides_none_of_the_directives_beside_it():
    assert response("private, max-age=1 0, no-cache") == ResponseDirectives(
        private=True, max_age=0, no_cache=True
    )


@pytest.mark.parametrize("seconds", [2**31, 2**31 + 1, 99999999999, "9" * 5000])
def test_too_many_seconds_are_the_longest(seconds: object):
    assert response(f"max-age={seconds}").max_age == LONGEST == 2**31


@pytest.mark.parametrize(
    "lines", [("max-age=60, max-age=1",), ("max-age=60", "max-age=1"), ("max-age=60, max-age=x",)]
)
def test_of_a_directive_that_is_there_twice_the_first_one_counts(lines: tuple[str, ...]):
    assert response(*lines).max_age == 60


def test_what_is_in_a_quoted_string_is_no_directive():
    assert response('x="max-age=3600, no-store", max-age=1') == ResponseDirectives(max_age=1)
    assert response(r'max-age=1, x="\", no-store"') == ResponseDirectives(max_age=1)


def test_a_quote_that_is_never_closed_hides_no_directive():
    assert response('x="a, no-store, max-age=9') == ResponseDirectives(no_store=True, max_age=9)


def test_signs_after_a_name_do_not_take_it_back():
    assert response('no-store", private;x') == ResponseDirectives(no_store=True, private=True)


@pytest.mark.parametrize("argument", ['="a, b"', "=a", "=", '="'])
def test_directives_that_name_fields_count_for_the_whole_response(argument: str):
    assert response(f"no-cache{argument}").no_cache
    assert response(f"private{argument}").private


@pytest.mark.parametrize("name", ["no-store", "must-revalidate", "proxy-revalidate"])
def test_what_forbids_counts_with_any_argument(name: str):
    assert response(f"{name}=1") == response(name)


@pytest.mark.parametrize("name", ["public", "must-understand"])
def test_what_allows_counts_without_an_argument_alone(name: str):
    assert response(f"{name}=1") == ResponseDirectives()


@pytest.mark.parametrize(
    "text", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=1", "s-maxage=x"]
)
def test_some_directives_forbid_that_it_is_served_stale(text: str):
    assert response(text).never_stale


@pytest.mark.parametrize("text", ["", "max-age=1", "private", "stale-if-error=9", "immutable"])
def test_others_do_not(text: str):
    assert not response(text).never_stale


def test_a_request_says_what_it_wants():
    assert request(
        "no-store, no-cache, only-if-cached, max-age=1, min-fresh=2, max-stale=3, stale-if-error=4"
    ) == RequestDirectives(
        no_store=True,
        no_cache=True,
        only_if_cached=True,
        max_age=1,
        min_fresh=2,
        max_stale=3,
        stale_if_error=4,
    )


def test_a_request_without_the_field_wants_nothing():
    assert request() == RequestDirectives()


def test_max_stale_without_an_argument_has_no_end():
    assert request("max-stale").max_stale == LONGEST


def test_a_request_with_broken_numbers_wants_the_strictest():
    assert request("max-age=x, min-fresh=x, max-stale=x, stale-if-error") == RequestDirectives(
        max_age=0, min_fresh=LONGEST, max_stale=0, stale_if_error=0
    )


def test_pragma_counts_in_a_request_without_cache_control():
    assert request_directives(Fields([("Pragma", "x, No-Cache")])) == RequestDirectives(
        no_cache=True
    )


def test_pragma_says_nothing_but_no_cache():
    assert request_directives(Fields([("Pragma", "no-store, max-age=1")])) == RequestDirectives()


def test_pragma_does_not_count_beside_cache_control():
    fields = Fields([("Pragma", "no-cache"), ("Cache-Control", "max-age=60")])

    assert request_directives(fields) == RequestDirectives(max_age=60)


def test_pragma_means_nothing_in_a_response():
    assert response_directives(Fields([("Pragma", "no-cache")])) == ResponseDirectives()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("000", 0),
        ("007", 7),
        ("0" * 20 + "7", 7),
        (str(2**31), 2**31),
        ("9" * 5000, 2**31),
    ],
)
def test_digits_are_seconds(text: str, expected: int):
    assert delta_seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "-1", "+1", "1.0", "1e3", "\u0661", "\xb2", "1\n"]
)
def test_other_texts_are_no_seconds(text: str):
    assert delta_seconds(text) is None


@settings(deadline=None)
@given(fields=FIELDS)
def test_no_field_makes_it_fail(fields: Fields):
    response_directives(fields)
    request_directives(fields)


@settings(deadline=None)
@given(text=DIRECTIVE_LISTS)
def test_a_line_more_never_takes_a_prohibition_back(text: str):
    found = response("no-store, no-cache, private, must-revalidate", text)

    assert found.no_store
    assert found.no_cache
    assert found.private
    assert found.must_revalidate
