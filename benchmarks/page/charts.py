"""Tables as pictures: bars for each row and rival, or lines over a quantity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.part import Figure, Row, Table

from .numbers import number
from .svg import LETTER, SIZE, WIDTH, Colours, Drawing, Scale, scale

SCHEMES: Final = {
    "light": Colours("#ffffff", "#1f2328", "#59636e", "#dfe4ea", "#0969da", "#aeb8c4"),
    "dark": Colours("#0d1117", "#e6edf3", "#9198a1", "#2a313a", "#4493f8", "#56606c"),
}
"""By the name that a picture's file ends with."""

APART: Final = 20
"""Figures that differ by more than so many times are drawn on a logarithmic scale."""

MARGIN: Final = 14
BAR: Final = 15
PITCH: Final = 21
"""From one bar to the next."""

VALUE: Final = 62
"""What is left for a figure at the end of its bar."""

SHORTEST: Final = 0.7
"""Where a logarithmic scale begins, as a part of the smallest figure; rounded to a power of ten."""

HEIGHT: Final = 300
"""Of the box in which lines are drawn."""

_DASHES: Final = ("6 3", "2 3", "9 3 2 3", "1 5", "12 4")


def is_drawn(table: Table) -> bool:
    """Tell whether there is a picture of a table."""
    return bool(table.plot) and any(_shown(row) for row in table.rows)


def chart(table: Table, scheme: str) -> str:
    """Return a table as SVG.

    Args:
        scheme: one of `SCHEMES`.
    """
    drawing = Drawing(SCHEMES[scheme])
    draw = _lines if table.plot == "lines" else _bars
    return drawing.finish(f"{table.title}, {table.unit}", draw(table, drawing))


def _shown(row: Row) -> dict[str, Figure]:
    return {name: figure for name, figure in row.figures.items() if figure is not None}


def _values(table: Table) -> list[float]:
    return [figure.median for row in table.rows for figure in _shown(row).values()]


def _bars(table: Table, drawing: Drawing) -> float:
    colours, rows = drawing.colours, [row for row in table.rows if _shown(row)]
    longest = max(len(name) for row in rows for name in _shown(row))
    begin = MARGIN + min(longest * LETTER, WIDTH * 0.5) + 8
    values = _values(table)
    # The shortest bar still has a length.
    axis = scale([min(values) * SHORTEST, *values], begin, WIDTH - MARGIN - VALUE, APART)
    top = _head(table, drawing, axis)
    bottom = top + sum(34 + PITCH * len(_shown(row)) for row in rows)
    _grid(drawing, axis, top + 6, bottom)
    y = top
    for row in rows:
        y += 28
        drawing.text(MARGIN, y, _plain(row.what), colours.ink, weight="600")
        y += 6
        for name, figure in _shown(row).items():
            _bar(drawing, axis, y, name, figure.median, ours=name == _ours(table))
            y += PITCH
    return bottom + SIZE + MARGIN


def _bar(drawing: Drawing, axis: Scale, y: float, name: str, value: float, *, ours: bool) -> None:
    colours, end = drawing.colours, axis.place(value)
    text = colours.ink if ours else colours.faint
    weight = "600" if ours else ""
    letters = y + BAR - 2
    drawing.text(axis.begin - 8, letters, _plain(name), text, "end", weight)
    drawing.bar(axis.begin, y, end - axis.begin, BAR, colours.ours if ours else colours.theirs)
    drawing.text(end + 6, letters, number(value), text, weight=weight)


def _lines(table: Table, drawing: Drawing) -> float:
    rows = [row for row in table.rows if _shown(row)]
    names = list(dict.fromkeys(name for row in rows for name in _shown(row)))
    right = WIDTH - MARGIN - min(max(map(len, names)) * LETTER, WIDTH * 0.35) - 10
    over = scale([_over(row) for row in rows], MARGIN + 58, right, APART)
    top = 60.0
    axis = scale(_values(table), top + HEIGHT, top, APART)
    _head(table, drawing, axis)
    _levels(drawing, axis, over)
    for row in rows:
        place = over.place(_over(row))
        said = _tick(_over(row))
        drawing.text(place, top + HEIGHT + 22, said, drawing.colours.faint, "middle")
    ends = {}
    for index, name in reversed(list(enumerate(names))):
        points = [
            (over.place(_over(row)), axis.place(figure.median))
            for row in rows
            if (figure := row.figures.get(name))
        ]
        _line(drawing, points, index)
        ends[name] = points[-1][1]
    for name, y in _apart(ends):
        ours = name == names[0]
        colour = drawing.colours.ours if ours else drawing.colours.faint
        drawing.text(right + 10, y + 5, _plain(name), colour, weight="600" if ours else "")
    return top + HEIGHT + 22 + MARGIN


def _line(drawing: Drawing, points: Sequence[tuple[float, float]], index: int) -> None:
    """Draw one rival's line; ours is the first."""
    if index == 0:
        drawing.line(points, drawing.colours.ours, 3)
        for x, y in points:
            drawing.dot(x, y, drawing.colours.ours)
    else:
        drawing.line(points, drawing.colours.theirs, 2, _DASHES[(index - 1) % len(_DASHES)])


def _apart(ends: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Yield where names stand at the ends of their lines: moved down where they would overlap."""
    last = float("-inf")
    for name, y in sorted(ends.items(), key=lambda item: item[1]):
        last = max(y, last + SIZE + 2)
        yield name, last


def _head(table: Table, drawing: Drawing, axis: Scale) -> float:
    """Say what is drawn; return how far down that goes."""
    kind = "logarithmic; " if axis.logarithmic else ""
    drawing.text(MARGIN, 22, table.title, drawing.colours.ink, weight="700")
    said = f"{table.unit}; {kind}{table.better} is better"
    drawing.text(MARGIN, 42, said, drawing.colours.faint)
    return 48


def _grid(drawing: Drawing, axis: Scale, top: float, bottom: float) -> None:
    free = 0.0
    for tick in axis.ticks():
        x, half = axis.place(tick), len(_tick(tick)) * LETTER / 2
        drawing.line([(x, top), (x, bottom)], drawing.colours.grid, 1)
        if x - half >= free:
            drawing.text(x, bottom + SIZE, _tick(tick), drawing.colours.faint, "middle")
            free = x + half


def _levels(drawing: Drawing, axis: Scale, over: Scale) -> None:
    for tick in axis.ticks():
        y = axis.place(tick)
        drawing.line([(over.begin, y), (over.end, y)], drawing.colours.grid, 1)
        drawing.text(over.begin - 10, y + 5, _tick(tick), drawing.colours.faint, "end")


def _tick(value: float) -> str:
    return f"{value:,g}" if value < 1_000_000 else f"{value / 1_000_000:g} M"


def _over(row: Row) -> float:
    return float(row.plain["x"])


def _ours(table: Table) -> str:
    return next(iter(table.rows[0].figures))


def _plain(text: str) -> str:
    return text.replace("`", "")
