"""Numbers as readers want them: three digits that count, and no more."""

from __future__ import annotations

from typing import Final

from benchmarks.part import Figure

DASH: Final = "\N{EN DASH}"


def number(value: float) -> str:
    """Return a quantity with about three digits; a count as it is."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size == 0 or size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def bound(value: float) -> str:
    """Return what somebody has set, as they have written it."""
    return f"{value:,.2f}" if value < 1 else f"{value:,g}"


def spread(figure: Figure) -> str:
    """Return the lowest and the highest."""
    return f"{number(figure.low)}{DASH}{number(figure.high)}"
