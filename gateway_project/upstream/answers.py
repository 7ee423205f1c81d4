"""What the sample upstream answers: pure functions of the market and the query."""

from collections.abc import Mapping
from datetime import date
from statistics import fmean, median

from gateway_project.upstream.prices import Bar, Listing, Market, nearest
from gateway_project.upstream.refusal import bad_request, not_found

Query = Mapping[str, str]
DAY_FORM = "a date as YYYY-MM-DD, for instance 2012-05-18"


def symbols(market: Market) -> dict[str, object]:
    """List the symbols with the span of their data."""
    return {"symbols": [_outline(listing) for listing in market.listings.values()]}


def series(market: Market, symbol: str, query: Query) -> dict[str, object]:
    """List a symbol's trading days from ``from`` to ``to``, both included and both optional."""
    listing = _listing(market, symbol)
    first, last = _span(query)
    bars = listing.between(first, last)
    return {
        "symbol": listing.symbol,
        "from": first,
        "to": last,
        "count": len(bars),
        "days": [_prices(bar) for bar in bars],
    }


def day(market: Market, symbol: str, text: str) -> dict[str, object]:
    """Return one symbol's one day."""
    listing = _listing(market, symbol)
    asked = _day("day", text)
    bar = listing.on(asked)
    if bar is None:
        raise _no_trading(f"{listing.symbol} was not traded on {asked}", listing.days, asked)
    return {"symbol": listing.symbol, **_prices(bar)}


def summary(market: Market, symbol: str, query: Query) -> dict[str, object]:
    """Summarise a symbol's days from ``from`` to ``to``."""
    listing = _listing(market, symbol)
    bars = listing.between(*_span(query))
    if not bars:
        raise not_found(
            f"{listing.symbol} has no trading day in this span; "
            f"its data runs from {listing.days[0]} to {listing.days[-1]}.",
            first_day=listing.days[0],
            last_day=listing.days[-1],
        )
    return {"symbol": listing.symbol, **_statistics(bars)}


def movers(market: Market, text: str) -> dict[str, object]:
    """Rank the symbols by their change from the close of their previous trading day."""
    asked = _day("day", text)
    bars = [bar for listing in market.listings.values() if (bar := listing.on(asked))]
    if not bars:
        raise _no_trading(f"No symbol was traded on {asked}", market.days, asked)
    moves = [_move(bar, market.listings[bar.symbol].before(asked)) for bar in bars]
    ranked = sorted((move for move in moves if move), key=_change, reverse=True)
    moved = {move["symbol"] for move in ranked}
    first_days = [bar.symbol for bar in bars if bar.symbol not in moved]
    return {"day": asked, "movers": ranked, "without_previous_day": first_days}


def _outline(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "first_day": listing.days[0],
        "last_day": listing.days[-1],
        "days": len(listing.days),
        "last_close": listing.bars[-1].close,
    }


def _prices(bar: Bar) -> dict[str, object]:
    return {
        "day": bar.day,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }


def _statistics(bars: tuple[Bar, ...]) -> dict[str, object]:
    highest = max(bars, key=lambda bar: bar.high)
    lowest = min(bars, key=lambda bar: bar.low)
    closes = [bar.close for bar in bars]
    return {
        "days": len(bars),
        "first": {"day": bars[0].day, "close": bars[0].close},
        "last": {"day": bars[-1].day, "close": bars[-1].close},
        "change_percent": _percent(bars[0].close, bars[-1].close),
        "highest": {"day": highest.day, "price": highest.high},
        "lowest": {"day": lowest.day, "price": lowest.low},
        "mean_close": round(fmean(closes), 4),
        "median_close": round(median(closes), 4),
        "mean_volume": round(fmean(bar.volume for bar in bars)),
    }


def _move(bar: Bar, previous: Bar | None) -> dict[str, object] | None:
    if previous is None:
        return None
    return {
        "symbol": bar.symbol,
        "change_percent": _percent(previous.close, bar.close),
        "close": bar.close,
        "previous_day": previous.day,
        "previous_close": previous.close,
    }


def _change(move: dict[str, object]) -> float:
    change = move["change_percent"]
    return change if isinstance(change, float) else 0.0


def _percent(before: float, after: float) -> float:
    return round((after - before) / before * 100, 4)


def _listing(market: Market, symbol: str) -> Listing:
    listing = market.listings.get(symbol.upper())
    if listing is None:
        known = list(market.listings)
        raise not_found(f"Unknown symbol {symbol!r}; known are {', '.join(known)}.", known=known)
    return listing


def _span(query: Query) -> tuple[str | None, str | None]:
    first, last = (_day(name, query[name]) if name in query else None for name in ("from", "to"))
    if first and last and first > last:
        raise bad_request(
            f"from ({first}) is after to ({last}); from must be the earlier day, or the same.",
            parameter="from",
        )
    return first, last


def _day(parameter: str, text: str) -> str:
    """Return the day in its one form: ``fromisoformat`` alone would also take 20120518."""
    try:
        parsed = date.fromisoformat(text).isoformat()
    except ValueError:
        parsed = None
    if parsed != text:
        raise bad_request(f"{parameter} must be {DAY_FORM}; not {text!r}.", parameter=parameter)
    return text


def _no_trading(what: str, days: tuple[str, ...], asked: str) -> Exception:
    around = nearest(days, asked)
    return not_found(
        f"{what}; the nearest trading days are {' and '.join(around)}.", nearest=around
    )
