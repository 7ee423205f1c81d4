"""Which of several responses a request gets, and what makes them invalid (RFC 9111, 4.1, 4.4)."""

from __future__ import annotations

import pytest

from .cases import Headers, Step, reused
from .conftest import Play

ONE: Headers = {"Cache-Control": "max-age=60", "Vary": "Foo"}
TWO: Headers = {"Cache-Control": "max-age=60", "Vary": "Foo, Bar"}
LANGUAGE: Headers = {"Cache-Control": "max-age=60", "Vary": "Accept-Language"}


async def test_the_same_values_get_the_same_response(play_case: Play):
    asks = {"foo": "1", "bar": "2"}
    await play_case(Step(asks=asks, answers=TWO), reused(asks=asks))


async def test_other_values_get_one_of_their_own(play_case: Play):
    """And both stay."""
    await play_case(
        Step(asks={"foo": "1"}, answers=ONE),
        Step(asks={"foo": "2"}, answers=ONE),
        reused(asks={"foo": "1"}),
        reused(asks={"foo": "2"}, brings=2),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"foo": "1"}, {}),
        ({}, {"foo": "1"}),
        ({"foo": "1", "bar": "2"}, {"foo": "1"}),
        ({"foo": "1", "bar": "2"}, {"foo": "2", "bar": "1"}),
        ({"foo": "1", "bar": "2"}, {"foo": "1", "bar": "3"}),
    ],
    ids=str,
)
async def test_each_name_counts(play_case: Play, first: dict[str, str], second: dict[str, str]):
    await play_case(Step(asks=first, answers=TWO), Step(asks=second, answers=TWO))


async def test_what_is_absent_in_both_is_the_same(play_case: Play):
    await play_case(Step(asks={"foo": "1"}, answers=TWO), reused(asks={"foo": "1"}))


async def test_what_vary_does_not_name_does_not_count(play_case: Play):
    first, second = {"foo": "1", "bar": "2"}, {"foo": "1", "bar": "3"}
    await play_case(Step(asks=first, answers=ONE), reused(asks=second))


@pytest.mark.parametrize(("first", "second"), [("1,2", "1, 2"), ("1, 2", " 1 ,  2 ")])
async def test_spaces_around_commas_do_not_count(play_case: Play, first: str, second: str):
    await play_case(Step(asks={"foo": first}, answers=ONE), reused(asks={"foo": second}))


@pytest.mark.parametrize(("second", "is_reused"), [("EN, De", True), ("de, en", False)])
async def test_the_order_of_languages_counts_and_their_case_does_not(
    play_case: Play, second: str, is_reused: bool
):
    first = Step(asks={"accept-language": "en, de"}, answers=LANGUAGE)
    asks = {"accept-language": second}
    await play_case(first, Step(asks=asks, answers=LANGUAGE, is_reused=is_reused))


async def test_a_variant_is_asked_about_by_what_it_was_chosen_by(play_case: Play):
    stale = ONE | {"Age": "60", "ETag": '"1"'}
    asks = {"foo": "1"}
    again = Step(
        asks=asks,
        answers={"ETag": '"1"'},
        status=304,
        gives=200,
        brings=1,
        sends={"foo": "1", "if-none-match": '"1"'},
    )
    await play_case(Step(asks=asks, answers=stale), again)


async def test_another_variant_is_not_asked_about_by_its_tag(play_case: Play):
    stale = ONE | {"Age": "60", "ETag": '"1"'}
    other = Step(asks={"foo": "2"}, answers=stale, sends={"foo": "2", "if-none-match": None})
    await play_case(Step(asks={"foo": "1"}, answers=stale), other)


async def test_queries_are_told_apart(play_case: Play):
    answers = {"Cache-Control": "max-age=60"}
    await play_case(
        Step(target="/a?one", answers=answers),
        Step(target="/a?two", answers=answers),
        reused(target="/a?one"),
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize(("status", "is_reused"), [(200, False), (303, False), (500, True)])
async def test_a_method_that_may_change_something_evicts_if_it_succeeds(
    play_case: Play, method: str, status: int, is_reused: bool
):
    """One that the gateway does not know as well."""
    answers = {"Cache-Control": "max-age=60"}
    await play_case(
        Step(answers=answers),
        Step(method=method, status=status),
        Step(answers=answers, is_reused=is_reused),
    )


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_a_method_that_changes_nothing_evicts_nothing(play_case: Play, method: str):
    answers = {"Cache-Control": "max-age=60"}
    is_reused = method == "HEAD"
    await play_case(
        Step(answers=answers),
        Step(method=method, is_reused=is_reused),
        reused(),
    )
