"""Which responses serve the next request, and which never do (RFC 9111, 3, 4.2 and 5)."""

from __future__ import annotations

import pytest

from .cases import Headers
from .conftest import MORE_STATUSES, STATUSES, Play

DAY = 86_400
HOUR = 3600

FRESH: dict[str, Headers] = {
    "max-age": {"Cache-Control": "max-age=3600"},
    "max-age of 2^31": {"Cache-Control": "max-age=2147483648"},
    "max-age beyond all": {"Cache-Control": "max-age=99999999999"},
    "max-age in any case": {"Cache-Control": "MaX-aGe=3600"},
    "max-age with zeros in front": {"Cache-Control": "max-age=003600"},
    "max-age in quotes": {"Cache-Control": 'max-age="3600"'},
    "max-age beside what is unknown": {"Cache-Control": "foobar, max-age=3600"},
    "max-age beside a quoted one": {"Cache-Control": 'a="max-age=0, b=c", max-age=3600'},
    "the first of two": {"Cache-Control": "max-age=1800, max-age=0"},
    "the first of two lines": {"Cache-Control": ["max-age=1800", "max-age=0"]},
    "s-maxage before max-age": {"Cache-Control": "s-maxage=3600, max-age=0"},
    "s-maxage before Expires": {"Cache-Control": "s-maxage=3600", "Expires": -HOUR, "Date": 0},
    "max-age before Expires": {"Cache-Control": "max-age=3600", "Expires": -HOUR, "Date": 0},
    "max-age before what is no date": {"Cache-Control": "max-age=3600", "Expires": "0"},
    "must-revalidate": {"Cache-Control": "max-age=3600, must-revalidate"},
    "Expires": {"Expires": HOUR, "Date": 0},
    "Expires and a broken Date": {"Expires": HOUR, "Date": "foo"},
    "a tenth since Last-Modified": {"Last-Modified": -DAY, "Date": 0},
    "Pragma": {"Cache-Control": "max-age=3600", "Pragma": "no-cache"},
    "an Age that is no number": {"Cache-Control": "max-age=3600", "Age": "abc"},
    "an Age below zero": {"Cache-Control": "max-age=3600", "Age": "-7200"},
    "an Age with a point": {"Cache-Control": "max-age=3600", "Age": "7200.0"},
    "the first Age": {"Cache-Control": "max-age=3600", "Age": "0, 7200"},
    "the Age of the first line": {"Cache-Control": "max-age=3600", "Age": ["0", "7200"]},
    "Content-Disposition": {"Cache-Control": "max-age=60", "Content-Disposition": "attachment"},
    "a CDN's max-age": {"CDN-Cache-Control": "max-age=3600"},
    "a CDN's before no-store": {"CDN-Cache-Control": "max-age=60", "Cache-Control": "no-store"},
    "a CDN's before Expires": {"CDN-Cache-Control": "max-age=60", "Expires": -HOUR, "Date": 0},
}

NOT_FRESH: dict[str, Headers] = {
    "nothing": {},
    "max-age of 0": {"Cache-Control": "max-age=0"},
    "max-age below zero": {"Cache-Control": "max-age=-3600"},
    "max-age with a point": {"Cache-Control": "max-age=3600.5"},
    "max-age in apostrophes": {"Cache-Control": "max-age='3600'"},
    "max-age with a space": {"Cache-Control": "max-age = 3600"},
    "max-age in another's quotes": {"Cache-Control": 'a="max-age=3600"'},
    "max-age of 0 before Expires": {"Cache-Control": "max-age=0", "Expires": HOUR, "Date": 0},
    "s-maxage of 0 before max-age": {"Cache-Control": "max-age=3600, s-maxage=0"},
    "an Age beyond max-age": {"Cache-Control": "max-age=3600", "Age": "7200"},
    "the first Age beyond max-age": {"Cache-Control": "max-age=3600", "Age": "7200, 0"},
    "the Age of the first line beyond": {"Cache-Control": "max-age=3600", "Age": ["7200", "0"]},
    "an Age of 2^31": {"Cache-Control": "max-age=3600", "Age": "2147483648"},
    "a Date beyond max-age": {"Cache-Control": "max-age=3600", "Date": -2 * HOUR},
    "Expires in the past": {"Expires": -HOUR, "Date": 0},
    "Expires now": {"Expires": 0, "Date": 0},
    "Expires before Date": {"Expires": HOUR, "Date": 2 * HOUR},
    "Expires of 0": {"Expires": "0"},
    "an Age beyond Expires": {"Expires": HOUR, "Date": 0, "Age": "7200"},
    "no-store": {"Cache-Control": "no-store"},
    "no-store in any case": {"Cache-Control": "No-StOrE, max-age=3600"},
    "no-cache": {"Cache-Control": "max-age=3600, no-cache", "Expires": HOUR, "Date": 0},
    "no-cache of a field": {"Cache-Control": 'max-age=3600, no-cache="a"', "A": "1"},
    "private": {"Cache-Control": "private, max-age=3600"},
    "a cookie": {"Cache-Control": "max-age=3600", "Set-Cookie": "a=b"},
    "Vary: *": {"Cache-Control": "max-age=3600", "Vary": "*"},
    "Vary: * at the end": {"Cache-Control": "max-age=3600", "Vary": "foo, *"},
    "Vary: * in the second line": {"Cache-Control": "max-age=3600", "Vary": ["", "*"]},
    "a CDN's no-store": {"CDN-Cache-Control": "no-store", "Cache-Control": "max-age=3600"},
    "a CDN's private": {"CDN-Cache-Control": "private", "Cache-Control": "max-age=3600"},
    "a CDN's no-cache": {"CDN-Cache-Control": "no-cache", "Cache-Control": "max-age=3600"},
    "a CDN's shorter one": {"CDN-Cache-Control": "max-age=0", "Cache-Control": "max-age=3600"},
    "a CDN's that is malformed": {
        "CDN-Cache-Control": "max-age=60, &",
        "Cache-Control": "no-store",
    },
    "a CDN's of the wrong type": {"CDN-Cache-Control": 'max-age="60"', "Cache-Control": "no-store"},
}


@pytest.mark.parametrize("answers", FRESH.values(), ids=FRESH)
async def test_what_is_fresh_serves_the_next_request(is_reused: Play, answers: Headers):
    await is_reused(True, answers)


@pytest.mark.parametrize("answers", NOT_FRESH.values(), ids=NOT_FRESH)
async def test_what_is_not_fresh_or_not_for_all_does_not(is_reused: Play, answers: Headers):
    await is_reused(False, answers)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_lifetime_counts_for_each_status_of_the_route(is_reused: Play, status: int):
    await is_reused(True, {"Cache-Control": "max-age=3600"}, status=status)


@pytest.mark.parametrize("status", [201, 202, 206, 403, 451])
async def test_a_lifetime_counts_for_no_other_status(is_reused: Play, status: int):
    await is_reused(False, {"Cache-Control": "max-age=3600"}, status=status)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_lifetime_is_guessed_where_the_status_allows_it(is_reused: Play, status: int):
    answers: Headers = {"Last-Modified": -DAY, "Date": 0}
    await is_reused(status not in MORE_STATUSES, answers, status=status)


async def test_with_public_it_is_guessed_for_any_status(is_reused: Play):
    answers: Headers = {"Last-Modified": -DAY, "Date": 0, "Cache-Control": "public"}
    await is_reused(True, answers, status=299)


@pytest.mark.parametrize(("status", "expected"), [(200, True), (299, False)])
async def test_must_understand_counts_instead_of_no_store(
    is_reused: Play, status: int, expected: bool
):
    answers = {"Cache-Control": "max-age=3600, no-store, must-understand"}
    await is_reused(expected, answers, status=status)


async def test_what_was_asked_for_with_a_cookie_is_for_all(is_reused: Play):
    await is_reused(True, {"Cache-Control": "max-age=3600"}, asks={"cookie": "a=b"})


@pytest.mark.parametrize("more", ["", ", public", ", must-revalidate", ", s-maxage=60"])
async def test_what_was_asked_for_with_authorization_is_for_nobody_else(is_reused: Play, more: str):
    """RFC 9111, 3.5 would allow the last three; a gateway that errs here shows secrets."""
    answers = {"Cache-Control": f"max-age=3600{more}"}
    await is_reused(False, answers, asks={"authorization": "Basic x"})


async def test_unless_the_route_wants_it_stored(is_reused: Play):
    await is_reused(
        True,
        {"Cache-Control": "max-age=3600"},
        asks={"authorization": "Basic x"},
        options='store_anyway = ["authorization"]',
    )


async def test_an_answer_to_post_is_not_stored(is_reused: Play):
    await is_reused(False, {"Cache-Control": "max-age=3600"}, method="POST")
