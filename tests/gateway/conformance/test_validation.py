"""What is stale is asked about, and what a 304 changes (RFC 9111, 4.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.origin import Origin

from .cases import Headers, Step, reused
from .conftest import Play

MODIFIED = "Wed, 01 Jan 2020 00:00:00 GMT"
TAGGED: dict[str, Any] = {"Cache-Control": "max-age=60", "Age": "60", "ETag": '"1"'}
"""A response that is stale when it comes, and can be asked about."""


def confirmed(answers: Headers, **named: Any) -> Step:
    """Return a request that the origin answers with 304, and the caller with what is stored."""
    return Step(answers=answers, status=304, gives=200, brings=1, **named)


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"\xfc"', '""'])
async def test_it_is_asked_about_by_its_tag(play_case: Play, tag: str):
    stored = TAGGED | {"ETag": tag}
    again = confirmed({"ETag": tag}, sends={"if-none-match": tag})
    await play_case(Step(answers=stored), again)


async def test_it_is_asked_about_by_its_date(play_case: Play):
    stored = {"Cache-Control": "max-age=60", "Age": "60", "Last-Modified": MODIFIED}
    again = confirmed({"Last-Modified": MODIFIED}, sends={"if-modified-since": MODIFIED})
    await play_case(Step(answers=stored), again)


@pytest.mark.parametrize("validator", [{"ETag": '"1"'}, {"Last-Modified": MODIFIED}], ids=str)
async def test_a_304_without_validators_is_believed(play_case: Play, validator: Headers):
    """Many origins leave the ETag out, and only one response was asked about."""
    stored = {"Cache-Control": "max-age=60", "Age": "60", **validator}
    await play_case(Step(answers=stored), confirmed({"Cache-Control": "max-age=60"}), reused())


async def test_a_304_of_another_tag_is_not(make_client: Any, origin: Origin):
    """The origin is asked once more, without a condition; what confirms nothing is no answer."""
    client = make_client()
    origin.says(cache_control="no-cache", etag='"1"')
    await client()
    origin.says(status=304, etag='"2"')
    assert (await client()).status == 502
    assert "if-none-match" not in origin.asked[-1].fields


async def test_a_tag_without_quotes_is_not_asked_about(play_case: Play):
    stored = TAGGED | {"ETag": "1", "Cache-Control": "max-age=60, stale-if-error=60"}
    await play_case(Step(answers=stored), Step(answers=stored, sends={"if-none-match": None}))


async def test_a_caller_who_has_it_is_told_so_after_that(play_case: Play):
    asks = {"if-none-match": '"1"'}
    again = Step(asks=asks, answers={"ETag": '"1"'}, status=304, gives=304, sends=asks)
    await play_case(Step(answers=TAGGED), again)


@pytest.mark.parametrize(
    "name",
    [
        "Test-Header",
        "Content-Foo",
        "Content-Type",
        "Content-Location",
        "Content-Security-Policy",
        "Expires",
        "X-Frame-Options",
    ],
)
async def test_a_304_updates_a_field(play_case: Play, name: str):
    await play_case(
        Step(answers=TAGGED | {name: "old"}, shows={name: "old"}),
        confirmed({"ETag": '"1"', "Cache-Control": "max-age=60", name: "new"}, shows={name: "new"}),
        reused(shows={name: "new"}),
    )


@pytest.mark.parametrize("name", ["Content-Encoding", "Content-Range"])
async def test_a_304_does_not_update_what_describes_the_content(play_case: Play, name: str):
    await play_case(
        Step(answers=TAGGED | {name: "old"}),
        confirmed({"ETag": '"1"', "Cache-Control": "max-age=60", name: "new"}, shows={name: "old"}),
        reused(shows={name: "old"}),
    )


async def test_what_a_304_leaves_out_stays(play_case: Play):
    shows = {"test-header": "kept"}
    again = confirmed({"ETag": '"1"', "Cache-Control": "max-age=60"}, shows=shows)
    await play_case(Step(answers=TAGGED | shows), again, reused(shows=shows))


async def test_a_304_makes_it_young_again(play_case: Play):
    again = confirmed({"ETag": '"1"', "Cache-Control": "max-age=60"}, shows={"age": "0"})
    await play_case(Step(answers=TAGGED, shows={"age": "60"}), again, reused(shows={"age": "0"}))


@pytest.mark.parametrize(
    "name",
    ["Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Connection", "TE"],
)
async def test_fields_of_one_connection_are_not_handed_on(play_case: Play, name: str):
    answers = {"Cache-Control": "max-age=60", name: "x"}
    await play_case(Step(answers=answers, shows={name: None}), reused(shows={name: None}))


async def test_nor_are_those_that_connection_names(play_case: Play):
    answers = {"Cache-Control": "max-age=60", "Connection": "a, b", "A": "1", "B": "2", "C": "3"}
    shows = {"a": None, "b": None, "connection": None, "c": "3"}
    await play_case(Step(answers=answers, shows=shows), reused(shows=shows))


async def test_date_and_expires_stay_as_they_were(play_case: Play):
    shows = {"date": MODIFIED, "expires": "Fri, 01 Jan 2038 01:01:01 GMT"}
    await play_case(Step(answers=shows, shows=shows), reused(shows=shows))
