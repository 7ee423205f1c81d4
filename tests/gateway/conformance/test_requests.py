"""What callers can ask of the cache (RFC 9111, 5.2.1 and 5.4)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from .cases import Headers, Step, reused
from .conftest import Play

OBEY = "obey_callers = true"
KEPT: Headers = {"Cache-Control": "max-age=3600", "Age": "1800", "ETag": '"1"'}

HURRIED: dict[str, Mapping[str, str]] = {
    "max-age=0": {"cache-control": "max-age=0"},
    "max-age=1": {"cache-control": "max-age=1"},
    "min-fresh": {"cache-control": "min-fresh=2000"},
    "no-cache": {"cache-control": "no-cache"},
    "Pragma": {"pragma": "no-cache"},
}


@pytest.mark.parametrize("asks", HURRIED.values(), ids=HURRIED)
async def test_what_callers_want_does_not_count(play_case: Play, asks: Mapping[str, str]):
    await play_case(Step(answers=KEPT), reused(asks=asks))


@pytest.mark.parametrize("asks", HURRIED.values(), ids=HURRIED)
async def test_unless_the_route_obeys_them(play_case: Play, asks: Mapping[str, str]):
    await play_case(Step(answers=KEPT), Step(asks=asks, answers=KEPT), options=OBEY)


@pytest.mark.parametrize("asks", HURRIED.values(), ids=HURRIED)
async def test_then_the_origin_is_asked_whether_it_is_current(
    play_case: Play, asks: Mapping[str, str]
):
    """What is stored is not asked for anew (RFC 9111, 5.2.1.4)."""
    confirmed = Step(
        asks=asks,
        answers={"Cache-Control": "max-age=60", "ETag": '"1"'},
        status=304,
        gives=200,
        brings=1,
        sends={"if-none-match": '"1"'},
    )
    await play_case(Step(answers=KEPT), confirmed, reused(), options=OBEY)


@pytest.mark.parametrize(
    "wish", ["max-age=3000", "min-fresh=100", "max-stale", "foo", "stale-if-error=60"]
)
async def test_a_wish_that_is_met_needs_no_origin(play_case: Play, wish: str):
    await play_case(Step(answers=KEPT), reused(asks={"cache-control": wish}), options=OBEY)


async def test_no_store_is_answered_by_the_origin_and_changes_nothing(play_case: Play):
    asks = {"cache-control": "no-store"}
    unstored = Step(asks=asks, answers=KEPT, sends={"if-none-match": None})
    await play_case(unstored, Step(answers=KEPT), unstored, reused(brings=2), options=OBEY)


async def test_only_if_cached_never_asks_the_origin(play_case: Play):
    asks = {"cache-control": "only-if-cached"}
    missing = reused(asks=asks, gives=504)
    await play_case(missing, Step(answers=KEPT), reused(asks=asks, brings=2), options=OBEY)
