"""Which charts there are: a view's figures as drawings, with what they say in words and numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_lazy

from ..operations import formatting
from ..reports.cluster import TIERS, WINDOWS, View, Window
from . import svg
from .svg import GRID, Series

TIER_LABELS: Final = {
    "memory": gettext_lazy("memory"),
    "redis": gettext_lazy("Redis"),
    "stale": gettext_lazy("stale"),
    "loaded": gettext_lazy("loaded"),
    "miss": gettext_lazy("miss"),
    "error": gettext_lazy("error"),
}
"""What readers call each of `TIERS`."""

CAUSE_LABELS: Final = {
    "entries": gettext_lazy("room for entries"),
    "bytes": gettext_lazy("room for bytes"),
    "expired": gettext_lazy("expired"),
    "too_large": gettext_lazy("too large"),
}
"""What readers call each of `bounded.REASONS`."""

TIMED_LABELS: Final = {
    "memory": gettext_lazy("Hits in memory"),
    "read": gettext_lazy("Reads from Redis"),
    "load": gettext_lazy("Loads"),
}
"""What is timed and drawn, by the names in `MEASURED`."""

SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The quantiles that are drawn."""

WINDOW_LABELS: Final = {
    "15m": gettext_lazy("15 minutes"),
    "1h": gettext_lazy("1 hour"),
    "24h": gettext_lazy("24 hours"),
}
"""The spans of time that charts are drawn over, by the names in `WINDOWS`."""

_STEPS = 60
_LABELS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table behind a chart: the end of a step, and each series' figure as text."""

    at: float
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and all that is read beside it.

    Attributes:
        name: unlike any other chart's on its page.
        title: what is drawn.
        drawing: the SVG.
        kind: "columns" or "lines": how the legend shows the colours.
        series: what is drawn, in the order of the table's columns.
        scale: the labels beside it, from the top to the bottom.
        times: moments below it, the oldest first, at equal distances.
        rows: the figures, the latest first.
        empty: whether nothing was counted at all.
    """

    name: str
    title: str
    drawing: SafeString
    kind: str
    series: tuple[Series, ...]
    scale: tuple[str, ...]
    times: tuple[float, ...]
    rows: tuple[Row, ...]
    empty: bool


def steps(view: View, window: str) -> tuple[Window, ...]:
    """Return what was counted over one of `WINDOW_LABELS`, in about 60 steps or fewer."""
    if WINDOWS[window] > WINDOWS["1h"]:
        return view.day
    begin = view.at - WINDOWS[window]
    return merged([step for step in view.hour if step.at > begin], _STEPS)


def merged(windows: Sequence[Window], most: int) -> tuple[Window, ...]:
    """Return windows such that each stands for as many neighbours as it takes to have few."""
    each = max(math.ceil(len(windows) / most), 1)
    # From the end, so that the latest step is whole.
    first = len(windows) % each
    starts = [*([0] if first else []), *range(first, len(windows), each)]
    return tuple(
        _sum(windows[start : (first if start < first else start + each)]) for start in starts
    )


def _sum(windows: Sequence[Window]) -> Window:
    if len(windows) == 1:
        return windows[0]
    calls: Counter[str] = Counter()
    store: Counter[str] = Counter()
    for window in windows:
        calls.update(window.calls)
        store.update(window.store)
    return Window(windows[-1].at, sum(window.seconds for window in windows), calls, store)


def over_time(view: View, window: str) -> tuple[Chart, ...]:
    """Return the charts of one cache over one of `WINDOW_LABELS`."""
    counted = steps(view, window)
    return (
        _by_tier(counted),
        _requests(counted),
        *(_latencies(counted, measured) for measured in TIMED_LABELS),
        _evictions(counted),
    )


def tiers(window: Window) -> tuple[Series, ...]:
    """Return what became of the look-ups, as series of one value."""
    return tuple(
        Series(tier, str(TIER_LABELS[tier]), (float(count),))
        for tier, count in window.tiers.items()
    )


def shares(window: Window) -> tuple[tuple[Series, float | None], ...]:
    """Return the series of `tiers`, each with its share of all look-ups."""
    total = window.requests
    return tuple((one, (one.values[0] or 0.0) / total if total else None) for one in tiers(window))


def tier_bar(window: Window) -> SafeString:
    """Draw what became of the look-ups as one bar."""
    said = ", ".join(f"{one.label} {formatting.share(part)}" for one, part in shares(window))
    return svg.bar(gettext("Look-ups by tier"), said, tiers(window))


def ratio_line(view: View) -> SafeString:
    """Draw the hit ratio of the last hour, small."""
    counted = merged(view.hour, _STEPS)
    ratios = Series("memory", gettext("hit ratio"), tuple(step.ratio for step in counted))
    said = _said([ratios], formatting.share)
    return svg.lines(gettext("Hit ratio over the last hour"), said, [ratios], 1.0)


def requests_line(view: View) -> SafeString:
    """Draw the look-ups a second of the last hour, small."""
    one = Series("requests", gettext("look-ups"), _per_second(merged(view.hour, _STEPS)))
    title = gettext("Look-ups a second over the last hour")
    return svg.columns(title, _said([one], _rate), [one], svg.ceiling(one.values))


def _by_tier(counted: Sequence[Window]) -> Chart:
    series = [
        Series(tier, str(TIER_LABELS[tier]), tuple(_of_all(step, tier) for step in counted))
        for tier in TIERS
    ]
    title = gettext("Look-ups by tier")
    return _chart("tiers", title, "columns", series, counted, formatting.share, top=1.0)


def _requests(counted: Sequence[Window]) -> Chart:
    one = Series("requests", gettext("look-ups a second"), _per_second(counted))
    return _chart("requests", gettext("Look-ups a second"), "columns", [one], counted, _rate)


def _latencies(counted: Sequence[Window], measured: str) -> Chart:
    series = [
        Series(name, name, tuple(step.quantile(measured, share) for step in counted))
        for name, share in SHARES.items()
    ]
    title = str(format_lazy("{}: p50, p95, p99", TIMED_LABELS[measured]))
    return _chart(measured, title, "lines", series, counted, formatting.latency)


def _evictions(counted: Sequence[Window]) -> Chart:
    series = [
        Series(
            cause.replace("_", "-"), str(label), tuple(_evicted(step, cause) for step in counted)
        )
        for cause, label in CAUSE_LABELS.items()
    ]
    title = gettext("Copies that left memory, by cause")
    return _chart("evictions", title, "columns", series, counted, _count)


def _chart(
    name: str,
    title: str,
    kind: str,
    series: Sequence[Series],
    counted: Sequence[Window],
    text: Callable[[float | None], str],
    top: float | None = None,
) -> Chart:
    if top is None:
        top = svg.ceiling(_stacked(series) if kind == "columns" else _all(series))
    draw = svg.columns if kind == "columns" else svg.lines
    return Chart(
        name=name,
        title=title,
        drawing=draw(title, _said(series, text), series, top),
        kind=kind,
        series=tuple(series),
        scale=tuple(text(top * part / GRID) for part in range(GRID, -1, -1)),
        times=_times(counted),
        rows=tuple(
            Row(step.at, tuple(text(one.values[at]) for one in series))
            for at, step in reversed(list(enumerate(counted)))
        ),
        empty=not any(_all(series)),
    )


def _of_all(step: Window, tier: str) -> float | None:
    total = step.requests
    return step.tiers[tier] / total if total else None


def _evicted(step: Window, cause: str) -> float | None:
    """Return how many copies left; where not even a look-up was counted, nobody can tell."""
    count = step.evicted.get(cause)
    return None if count is None and not step.requests else float(count or 0)


def _per_second(counted: Iterable[Window]) -> tuple[float | None, ...]:
    return tuple(step.per_second if step.requests else None for step in counted)


def _all(series: Iterable[Series]) -> list[float | None]:
    return [value for one in series for value in one.values]


def _stacked(series: Sequence[Series]) -> list[float | None]:
    return [
        sum(value or 0.0 for value in values)
        for values in zip(*(one.values for one in series), strict=True)
    ]


def _times(counted: Sequence[Window]) -> tuple[float, ...]:
    """Return moments at equal distances, from the beginning of the first step to the last's end."""
    if not counted:
        return ()
    begin, end = counted[0].at - counted[0].seconds, counted[-1].at
    return tuple(begin + (end - begin) * part / _LABELS for part in range(_LABELS + 1))


def _said(series: Iterable[Series], text: Callable[[float | None], str]) -> str:
    """Return a chart in words: each series' latest value and its highest."""
    phrases: list[str] = []
    for one in series:
        known = [value for value in one.values if value is not None]
        if known:
            facts = {"series": one.label, "last": text(known[-1]), "most": text(max(known))}
            phrases.append(gettext("%(series)s: lately %(last)s, at most %(most)s") % facts)
    return "; ".join(phrases) or gettext("Nothing was counted.")


def _rate(value: float | None) -> str:
    return formatting.NOTHING if value is None else formatting.rate(value)


def _count(value: float | None) -> str:
    return (
        formatting.NOTHING if value is None else f"{value:,.3g}" if value < 10 else f"{value:,.0f}"
    )
