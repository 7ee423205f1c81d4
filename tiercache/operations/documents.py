"""A view as plain data that JSON can carry: what pages refresh from and commands print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from ..reports.cluster import MEASURED, WINDOWS, Node, View, Window

SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The quantiles that are shown, by name."""

_OWN: Final = ("totals", "recent", "errors")
_OF_A_STEP: Final = ("at", "seconds", "requests", "ratio", "tiers", "evicted", "quantiles")


def document(view: View, window: str | None = None) -> dict[str, Any]:
    """Return everything that a view says; all times are seconds, all moments Unix time.

    Args:
        view: one cache.
        window: one of `WINDOWS`, for its figures and the steps within it alone; None: all windows,
            the hour in small steps and the day in larger ones.

    Raises:
        ValueError: there is no such window.
    """
    return {
        "alias": view.alias,
        "prefix": view.prefix,
        "store": view.store,
        "at": view.at,
        "reached": view.reached,
        "shared": view.shared,
        "alone": view.alone,
        "reason": view.reason,
        "away_since": view.away_since,
        "windows": {
            name: figures(view.windows[name]) for name in _named(window) if name in view.windows
        },
        "totals": figures(view.totals),
        **_steps(view, window),
        "nodes": [of_node(node) for node in view.nodes],
        "server": None if view.server is None else asdict(view.server),
        "top": asdict(view.top),
        "settings": dict(view.settings),
    }


def figures(window: Window) -> dict[str, Any]:
    """Return what was counted in a window: sums, shares, quantiles in seconds, and the counters."""
    return {
        "at": window.at,
        "seconds": window.seconds,
        "requests": window.requests,
        "per_second": window.per_second,
        "ratio": window.ratio,
        "tiers": window.tiers,
        "evicted": window.evicted,
        "quantiles": quantiles(window),
        "calls": _counters(window.calls),
        "store": _counters(window.store),
    }


def quantiles(window: Window) -> dict[str, dict[str, float | None]]:
    """Return each of `SHARES` of each of `MEASURED`, in seconds; None where nothing was timed."""
    return {
        measured: {name: window.quantile(measured, share) for name, share in SHARES.items()}
        for measured in MEASURED
    }


def of_node(node: Node) -> dict[str, Any]:
    """Return what a node says of itself."""
    plain = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name in node.__dataclass_fields__
        if name not in _OWN
        for value in (getattr(node, name),)
    }
    return {
        **plain,
        "up_for": node.up_for,
        "errors": [mishap._asdict() for mishap in node.errors],
        "totals": figures(node.totals),
        "recent": figures(node.recent),
    }


def _named(window: str | None) -> tuple[str, ...]:
    if window is None:
        return tuple(WINDOWS)
    if window not in WINDOWS:
        raise ValueError(f"window is {window!r}; allowed: {', '.join(WINDOWS)}")
    return (window,)


def _steps(view: View, window: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return the windows over time: those that a chart of this window shows."""
    if window is None:
        return {"hour": _series(view.hour), "day": _series(view.day)}
    if WINDOWS[window] > WINDOWS["1h"]:
        return {"day": _series(view.day)}
    begin = view.at - WINDOWS[window]
    return {"hour": _series(tuple(step for step in view.hour if step.at > begin))}


def _series(steps: tuple[Window, ...]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in figures(s).items() if name in _OF_A_STEP} for s in steps
    ]


def _counters(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts without histograms' buckets, of which the quantiles are made."""
    buckets = tuple(f"{measured}." for measured in MEASURED)
    return {name: count for name, count in counts.items() if not name.startswith(buckets)}
