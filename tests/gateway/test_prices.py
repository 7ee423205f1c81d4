"""The prices: what is in the file, and how a day is found in it."""

from __future__ import annotations

import dataclasses

import pytest

from gateway_project.upstream.prices import Bar, Market, nearest
from tests.gateway.support import market


def bar(symbol: str, day: str, close: float = 1.0) -> Bar:
    return Bar(symbol, day, close, close, close, close, 100)


def test_the_file_holds_what_its_note_says():
    shape = {name: (len(one.days), one.days[0]) for name, one in market().listings.items()}

    assert shape == {
        "AAPL": (3270, "2000-03-01"),
        "FB": (196, "2012-05-18"),
        "GOOG": (2148, "2004-08-19"),
        "IBM": (3270, "2000-03-01"),
        "MSFT": (3270, "2000-03-01"),
    }
    assert {one.days[-1] for one in market().listings.values()} == {"2013-03-01"}


def test_bars_in_any_order_become_listings_in_order():
    made = Market.of([bar("B", "2000-01-04"), bar("A", "2000-01-05"), bar("B", "2000-01-03")])

    assert list(made.listings) == ["A", "B"]
    assert made.listings["B"].days == ("2000-01-03", "2000-01-04")
    assert made.days == ("2000-01-03", "2000-01-04", "2000-01-05")


def test_nothing_can_be_changed_after_parsing():
    listing = market().listings["FB"]

    with pytest.raises(TypeError):
        market().listings["FB"] = listing  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        listing.bars[0].close = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (None, None, ["03", "04", "06"]),
        ("2000-01-04", None, ["04", "06"]),
        (None, "2000-01-05", ["03", "04"]),
        ("2000-01-05", "2000-01-05", []),
        ("2000-01-06", "2000-01-06", ["06"]),
        ("1999-01-01", "1999-12-31", []),
    ],
)
def test_a_span_includes_both_its_ends(first: str | None, last: str | None, days: list[str]):
    listing = Market.of(bar("A", f"2000-01-{day}") for day in ("03", "04", "06")).listings["A"]

    assert [one.day[-2:] for one in listing.between(first, last)] == days


def test_a_day_is_found_or_its_neighbours_are():
    listing = Market.of([bar("A", "2000-01-03"), bar("A", "2000-01-06")]).listings["A"]

    assert listing.on("2000-01-03") is listing.bars[0]
    assert listing.on("2000-01-04") is None
    assert listing.before("2000-01-04") is listing.bars[0]
    assert listing.before("2000-01-03") is None


@pytest.mark.parametrize(
    ("day", "expected"),
    [("b", ("a", "c")), ("0", ("a",)), ("d", ("c",)), ("a", ("c",)), ("c", ("a",))],
)
def test_the_nearest_days_are_those_that_exist(day: str, expected: tuple[str, ...]):
    assert nearest(("a", "c"), day) == expected
