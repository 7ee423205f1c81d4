"""CDN-Cache-Control: it goes before Cache-Control and Expires, or it is void."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings

from tests.http.strategies import TEXTS
from tiercache.http.cache_control import ResponseDirectives, response_directives
from tiercache.http.fields import Fields
from tiercache.http.targeted import targeted_arguments


def arguments(*lines: str) -> dict[str, str | None] | None:
    return targeted_arguments(Fields(("CDN-Cache-Control", line) for line in lines))


def test_it_goes_before_cache_control():
    fields = Fields([("Cache-Control", "no-store"), ("CDN-Cache-Control", "max-age=60, x")])

    assert response_directives(fields) == ResponseDirectives(max_age=60, targeted=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "max-age=60,",
        "max-age=60, &&&",
        "max-age =60",
        "max-age= 60",
        "Max-Age=60",
        "max-age=1234567890123456",
        "max-age=60 no-store",
        'x="a',
        'x="\xe9"',
        r'x="\a"',
        "x=?2",
        "x=:a b:",
        "x=(1",
        "x=(1,2)",
        "x=1.",
        "x=1.2345",
        "\tmax-age=60;",
    ],
)
def test_one_mistake_makes_it_void(text: str):
    fields = Fields([("Cache-Control", "no-store"), ("CDN-Cache-Control", text)])

    assert arguments(text) is None
    assert response_directives(fields) == ResponseDirectives(no_store=True)


@pytest.mark.parametrize(
    "value",
    ["-1", "1.5", '"a, \\" b"', "token/1:2", "*", ":YQ==:", "(1 a)", '( "x";p=1  2 )', "()"],
)
def test_values_of_every_type_are_read_past(value: str):
    assert arguments(f"a={value};p;q=2 \t,\t no-store") == {"a": value, "no-store": None}


def test_true_is_a_directive_without_argument_and_false_is_none():
    assert arguments("private=?1, no-store=?0, no-cache;x=?0") == {
        "private": None,
        "no-cache": None,
    }


def test_of_members_with_one_key_the_last_counts():
    assert arguments("max-age=1, max-age=2") == {"max-age": "2"}


def test_lines_make_one_dictionary():
    assert arguments("max-age=1", "no-cache") == {"max-age": "1", "no-cache": None}


@pytest.mark.parametrize("value", ['"60"', "60.0", "?1", "(60)", "-60", "x"])
def test_a_lifetime_of_the_wrong_type_is_none_at_all(value: str):
    fields = Fields([("Cache-Control", "max-age=60"), ("CDN-Cache-Control", f"max-age={value}")])

    assert response_directives(fields).max_age == 0


def test_no_cache_that_names_fields_counts_for_the_whole_response():
    assert response_directives(Fields([("CDN-Cache-Control", 'no-cache="a, b"')])).no_cache


@settings(deadline=None)
@given(text=TEXTS)
def test_no_text_makes_it_fail(text: str):
    arguments(text)


@pytest.mark.parametrize(
    "text",
    [
        "a=(" + " " * 100_000 + "&",
        "a=(" + "1 " * 50_000 + "&",
        "a" + ";a=b" * 30_000 + "(",
        'a="' + "x" * 100_000,
        "a=1" + " " * 100_000 + "&",
    ],
    ids=["spaces", "items", "parameters", "string", "gap"],
)
def test_a_long_text_is_read_in_linear_time(text: str):
    began = time.process_time()

    assert arguments(text) is None
    assert time.process_time() - began < 1
