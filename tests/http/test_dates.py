"""Dates of header fields: three forms are read, one is written, and nothing else is a date."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercache.http.dates import formatted, parse

INSTANT = 784111777.0  # the example of RFC 9110, 5.6.7
NOW = 1700000000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "sUN, 06 nOV 1994 08:49:37 gmt",
        "Mon, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_each_form_of_a_date_names_the_same_instant(text: str):
    assert parse(text, NOW) == INSTANT


def test_a_day_of_two_digits_is_read_in_the_form_of_asctime():
    assert parse("Wed Nov 16 08:49:37 1994", NOW) == INSTANT + 10 * 86400


def test_a_leap_second_is_the_one_after_the_last_of_its_minute():
    assert parse("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == parse("Sun, 01 Jan 2017 00:00:00 GMT", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "784111777",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 2050 02:01:18 CEST",
        "Thu, 18 Aug 2050 02:01:18 +0000",
        "Thu, 18 Aug 2050 02:01:18",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Thu, 8 Aug 2050 02:01:18 GMT",
        "Thu, 18 August 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT ",
        "Thu, 18 Aug 2050 02:01:18 GMT\n",
        "Thu, 30 Feb 2050 02:01:18 GMT",
        "Thu, 00 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 0000 02:01:18 GMT",
        "Thu, 18 Aug 2050 24:00:00 GMT",
        "Thu, 18 Aug 2050 02:60:18 GMT",
        "Thu, 18 Aug 2050 02:01:61 GMT",
        "Thu, 18-Aug-50 02:01:18 GMT",
        "\u017fun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov \u0661\u0669\u0669\u0664 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
    ],
)
def test_what_has_none_of_the_forms_is_no_date(text: str):
    assert parse(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tuesday, 14-Nov-23 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("Tuesday, 14-Nov-73 22:13:20 GMT", "Tue, 14 Nov 2073 22:13:20 GMT"),
        ("Wednesday, 14-Nov-73 22:13:21 GMT", "Wed, 14 Nov 1973 22:13:21 GMT"),
        ("Monday, 31-Dec-73 00:00:00 GMT", "Mon, 31 Dec 1973 00:00:00 GMT"),
        ("Tuesday, 01-Jan-74 00:00:00 GMT", "Tue, 01 Jan 1974 00:00:00 GMT"),
        ("Friday, 31-Dec-99 00:00:00 GMT", "Fri, 31 Dec 1999 00:00:00 GMT"),
    ],
)
def test_a_year_of_two_digits_is_never_more_than_fifty_years_ahead(text: str, expected: str):
    assert parse(text, NOW) == parse(expected, NOW)


def test_a_year_of_two_digits_can_lie_in_the_next_century():
    now = parse("Thu, 31 Dec 2099 00:00:00 GMT", NOW)

    assert now is not None
    assert parse("Friday, 01-Jan-10 00:00:00 GMT", now) == parse(
        "Wed, 01 Jan 2110 00:00:00 GMT", NOW
    )


def test_an_instant_is_written_as_an_imf_fixdate():
    assert formatted(INSTANT) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_the_fraction_of_a_second_is_cut_off():
    assert formatted(INSTANT + 0.999) == "Sun, 06 Nov 1994 08:49:37 GMT"


@settings(deadline=None)
@given(seconds=st.integers(-(10**9), 10**11))
def test_what_was_written_is_read_again(seconds: int):
    assert parse(formatted(seconds), NOW) == seconds


@settings(deadline=None)
@given(text=st.text(), now=st.floats(0, 1e11))
def test_no_text_makes_it_fail(text: str, now: float):
    parse(text, now)


@settings(deadline=None)
@given(
    day=st.integers(0, 99),
    month=st.sampled_from(["Jan", "Feb", "Sep"]),
    year=st.integers(0, 9999),
    clock=st.tuples(*[st.integers(0, 99)] * 3),
)
def test_no_number_makes_it_fail(day: int, month: str, year: int, clock: tuple[int, int, int]):
    time = ":".join(f"{number:02}" for number in clock)
    parse(f"Mon, {day:02} {month} {year:04} {time} GMT", NOW)
    parse(f"Monday, {day:02}-{month}-{year % 100:02} {time} GMT", NOW)
    parse(f"Mon {month} {day:2} {time} {year:04}", NOW)
