"""The prices: parsed once, immutable afterwards, looked up by bisection."""

import csv
import gzip
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Self

FILE = Path(__file__).parent / "data" / "eod_stocks.csv.gz"


@dataclass(frozen=True, slots=True)
class Bar:
    """One symbol's trading day: prices in US dollars as traded, volume in shares."""

    symbol: str
    day: str
    open: float
    high: float
    low: float
    close: float
    volume: int

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """Return the bar of one row of the file."""
        return cls(
            symbol=row["symbol"],
            day=row["date"],
            open=float(row["open"]),
            high=float(row["high"]),
            low=float(row["low"]),
            close=float(row["close"]),
            volume=int(row["volume"]),
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol's bars in order of their days; never empty.

    Days are ISO texts: they sort as dates do, so look-ups need no date objects.
    """

    symbol: str
    days: tuple[str, ...]
    bars: tuple[Bar, ...]

    def between(self, first: str | None, last: str | None) -> tuple[Bar, ...]:
        """Return the bars from ``first`` to ``last``, both included; None leaves an end open."""
        start = 0 if first is None else bisect_left(self.days, first)
        end = len(self.days) if last is None else bisect_right(self.days, last)
        return self.bars[start:end]

    def on(self, day: str) -> Bar | None:
        """Return the bar of ``day``, or None if the symbol was not traded on it."""
        position = bisect_left(self.days, day)
        found = position < len(self.days) and self.days[position] == day
        return self.bars[position] if found else None

    def before(self, day: str) -> Bar | None:
        """Return the last bar before ``day``, or None if there is none."""
        position = bisect_left(self.days, day)
        return self.bars[position - 1] if position else None


@dataclass(frozen=True, slots=True)
class Market:
    """All listings, by symbol, and every day on which any of them was traded."""

    listings: Mapping[str, Listing]
    days: tuple[str, ...]

    @classmethod
    def of(cls, bars: Iterable[Bar]) -> Self:
        """Return the market that these bars make, in whatever order they come."""
        by_symbol = attrgetter("symbol")
        ordered = sorted(bars, key=attrgetter("symbol", "day"))
        listings = {
            symbol: _listing(symbol, tuple(group)) for symbol, group in groupby(ordered, by_symbol)
        }
        return cls(MappingProxyType(listings), tuple(sorted({bar.day for bar in ordered})))


def nearest(days: tuple[str, ...], day: str) -> tuple[str, ...]:
    """Return the neighbours of ``day`` in the sorted ``days``: one before, one after."""
    before = bisect_left(days, day)
    after = bisect_right(days, day)
    return days[before - 1 : before] * bool(before) + days[after : after + 1]


def load(path: Path = FILE) -> Market:
    """Return the market of a gzipped CSV file with the columns that data/README.md names."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        return Market.of(Bar.from_row(row) for row in csv.DictReader(lines))


def _listing(symbol: str, bars: tuple[Bar, ...]) -> Listing:
    return Listing(symbol, tuple(bar.day for bar in bars), bars)
