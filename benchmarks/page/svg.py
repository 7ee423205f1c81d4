"""A small writer of SVG: text stays text, and the same figures give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

WIDTH: Final = 520
"""Units across; on a phone of 390 px the text is then two thirds of what it is here."""

SIZE: Final = 15
"""Of text."""

LETTER: Final = 9.2
"""How wide a letter of that size is, on average and rather more; fonts differ."""


@dataclass(frozen=True, slots=True)
class Colours:
    """What a drawing is painted with.

    Attributes:
        paper, ink, faint, grid: background, text, lesser text, lines of the grid.
        ours, theirs: what is shown, and what it is compared with.
    """

    paper: str
    ink: str
    faint: str
    grid: str
    ours: str
    theirs: str


@dataclass(slots=True)
class Drawing:
    """What has been drawn so far, from the top left corner."""

    colours: Colours
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, said: str, colour: str, anchor: str = "start", weight: str = ""
    ) -> None:
        """Write a line; `y` is where its letters stand."""
        bold = f' font-weight="{weight}"' if weight else ""
        self.parts.append(
            f'<text x="{_short(x)}" y="{_short(y)}" fill="{colour}" text-anchor="{anchor}"{bold}>'
            f"{escape(said)}</text>"
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle."""
        self.parts.append(
            f'<rect x="{_short(x)}" y="{_short(y)}" width="{_short(max(width, 1))}" '
            f'height="{_short(height)}" rx="2" fill="{colour}"/>'
        )

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, dashes: str = ""
    ) -> None:
        """Draw a line through points."""
        path = "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{_short(width)}"'
            f"{dashed}/>"
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """Mark a point."""
        self.parts.append(f'<circle cx="{_short(x)}" cy="{_short(y)}" r="4" fill="{colour}"/>')

    def finish(self, title: str, height: float) -> str:
        """Return the file."""
        size = f"{WIDTH} {_short(height)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {size}" '
            f'width="{WIDTH}" height="{_short(height)}" '
            f'font-family="system-ui, sans-serif" font-size="{SIZE}">\n'
            f"<title>{escape(title)}</title>\n"
            f'<rect width="100%" height="100%" fill="{self.colours.paper}"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """From quantities to places on a line.

    Attributes:
        low, high: the quantities at its ends.
        begin, end: the places of its ends.
        logarithmic: whether equal ratios are equally far apart.
    """

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Return where a quantity stands; one below the scale stands at its beginning."""
        if value <= self.low:
            return self.begin
        low, high = self._on(self.low), self._on(self.high)
        return self.begin + (self._on(value) - low) / (high - low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Return the quantities that have a line in the grid."""
        if self.logarithmic:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = self.high / 4
        return [step * number for number in range(5)]

    def _on(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def scale(values: Sequence[float], begin: float, end: float, apart: float) -> Scale:
    """Return a scale for quantities: logarithmic where they differ by more than `apart`-fold."""
    known = [value for value in values if value > 0] or [1.0]
    lowest, highest = min(known), max(known)
    if highest > lowest * apart:
        low = 10.0 ** math.floor(math.log10(lowest))
        return Scale(low, 10.0 ** math.ceil(math.log10(highest)), begin, end, logarithmic=True)
    unit = 10.0 ** math.floor(math.log10(highest))
    nice = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    high = next(step * unit for step in nice if step * unit >= highest * (1 - 1e-9))
    return Scale(0.0, high, begin, end, logarithmic=False)


def _short(value: float) -> str:
    return f"{round(value, 1):g}"
