"""Drawings as inline SVG: pure functions of numbers.

They stretch to the box that the style sheet gives them, so no text is drawn in them: what is to be
read stands beside them in HTML. Colours are classes ("tc-" and the series' name), and every
drawing has a title and a description for those who do not see it. Where a number is None, nothing
was counted, and there is a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH: Final = 1000.0
HEIGHT: Final = 100.0
GRID: Final = 4
"""Into how many parts the grid cuts the height; the labels beside a chart are as many and one."""

_COLUMN = 0.8
_NICE = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn in one colour.

    Attributes:
        name: what its class ends with.
        label: what readers call it.
        values: one for each step of time, the oldest first.
    """

    name: str
    label: str
    values: tuple[float | None, ...]


def ceiling(values: Iterable[float | None]) -> float:
    """Return the number at the top of a scale for these values, such that its quarters are round.

    It is 1 if there is nothing above 0.
    """
    highest = max((value for value in values if value is not None), default=0.0)
    if highest <= 0.0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(highest))
    return next(nice * unit for nice in _NICE if nice * unit >= highest * (1 - 1e-9))


def bar(title: str, description: str, series: Sequence[Series]) -> SafeString:
    """Draw one bar across, cut by the share of each series' only value."""
    values = [(one.name, one.values[0] or 0.0) for one in series]
    total = sum(value for _, value in values)
    parts: list[tuple[str, str, str]] = []
    left = 0.0
    for name, value in values:
        width = WIDTH * value / total if total else 0.0
        if width:
            parts.append((name, _number(left), _number(width)))
        left += width
    drawn = format_html_join(
        "", '<rect class="tc-fill tc-{}" x="{}" y="0" width="{}" height="100"/>', parts
    )
    return _drawing(title, description, drawn)


def columns(title: str, description: str, series: Sequence[Series], top: float) -> SafeString:
    """Draw a column for each step of time, the series one on another, the first at the bottom."""
    floors = [0.0] * _steps(series)
    parts: list[tuple[str, str]] = []
    for one in series:
        parts.append((one.name, _blocks(one.values, floors, top)))
        floors = [floor + (value or 0.0) for floor, value in zip(floors, one.values, strict=True)]
    drawn = format_html_join("", '<path class="tc-fill tc-{}" d="{}"/>', parts)
    return _drawing(title, description, format_html("{}{}", _grid(), drawn))


def lines(title: str, description: str, series: Sequence[Series], top: float) -> SafeString:
    """Draw a line for each series; it is broken where there is no value."""
    parts = [(one.name, _line(one.values, top)) for one in series]
    drawn = format_html_join("", '<path class="tc-line tc-{}" d="{}"/>', parts)
    return _drawing(title, description, format_html("{}{}", _grid(), drawn))


def _drawing(title: str, description: str, drawn: SafeString) -> SafeString:
    return format_html(
        '<svg class="tc-drawing" role="img" viewBox="0 0 1000 100" preserveAspectRatio="none" '
        'focusable="false"><title>{}</title><desc>{}</desc>{}</svg>',
        title,
        description,
        drawn,
    )


def _grid() -> SafeString:
    heights = ((_number(HEIGHT * step / GRID),) for step in range(GRID + 1))
    return format_html_join("", '<path class="tc-grid" d="M0 {}H1000"/>', heights)


def _steps(series: Sequence[Series]) -> int:
    return max((len(one.values) for one in series), default=0)


def _blocks(values: Sequence[float | None], floors: Sequence[float], top: float) -> str:
    step = WIDTH / len(values) if values else 0.0
    blocks: list[str] = []
    for at, (value, floor) in enumerate(zip(values, floors, strict=True)):
        if value:
            left, height = step * (at + (1 - _COLUMN) / 2), HEIGHT * value / top
            low = HEIGHT * (1 - floor / top)
            width = _number(step * _COLUMN)
            blocks.append(f"M{_number(left)} {_number(low)}h{width}v-{_number(height)}h-{width}z")
    return "".join(blocks)


def _line(values: Sequence[float | None], top: float) -> str:
    step = WIDTH / len(values) if values else 0.0
    drawn: list[str] = []
    pen = "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        # A value alone between two gaps is a line without length: its round ends make a dot.
        drawn.append(
            f"{pen}{_number(step * (at + 0.5))} {_number(HEIGHT * (1 - value / top))}"
            f"{'h0' if pen == 'M' else ''}"
        )
        pen = "L"
    return "".join(drawn)


def _number(value: float) -> str:
    return f"{round(value, 2):g}"
