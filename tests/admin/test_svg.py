"""The drawings: numbers in, SVG out."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import tiercache
from tiercache.admin import svg
from tiercache.admin.svg import Series

CSS = Path(tiercache.__file__).parent / "static" / "tiercache" / "admin.css"
BACKGROUNDS = ("#ffffff", "#f8f8f8", "#121212", "#212121")


def paths(drawing: str, kind: str) -> list[str]:
    root = ET.fromstring(drawing)
    return [part.get("d", "") for part in root.iter("path") if kind in part.get("class", "")]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_bars_parts_are_as_wide_as_their_shares_and_leave_no_gap() -> None:
    drawing = svg.bar("t", "d", [Series("a", "A", (3.0,)), Series("b", "B", (1.0,))])
    rects = [(r.get("x"), r.get("width")) for r in ET.fromstring(drawing).iter("rect")]
    assert rects == [("0", "750"), ("750", "250")]


def test_a_bar_of_nothing_is_empty() -> None:
    assert "<rect" not in svg.bar("t", "d", [Series("a", "A", (0.0,))])


def test_a_line_is_broken_where_nothing_was_counted() -> None:
    drawing = svg.lines("t", "d", [Series("a", "A", (1.0, 2.0, None, 2.0))], 2.0)
    (line,) = paths(drawing, "tc-line")
    assert line == "M125 50h0L375 0M875 0h0"


def test_columns_stand_on_those_below_them() -> None:
    series = [Series("a", "A", (1.0,)), Series("b", "B", (3.0,))]
    lower, upper = paths(svg.columns("t", "d", series, 4.0), "tc-fill")
    assert lower == "M100 100h800v-25h-800z"
    assert upper == "M100 75h800v-75h-800z"


def test_nothing_counted_is_no_column() -> None:
    (column,) = paths(svg.columns("t", "d", [Series("a", "A", (None, 0.0))], 1.0), "tc-fill")
    assert column == ""


def test_a_drawing_says_what_it_is_and_escapes_it() -> None:
    drawing = svg.lines("<b>", '"d"', [Series("a", "A", (1.0,))], 1.0)
    root = ET.fromstring(drawing)
    assert root.get("role") == "img"
    assert (root.findtext("title"), root.findtext("desc")) == ("<b>", '"d"')


def test_a_drawing_has_no_style_of_its_own() -> None:
    assert "style=" not in svg.bar("t", "d", [Series("a", "A", (1.0,))])


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0.0, 1.0), (1.0, 1.0), (1.1, 2.0), (0.0034, 0.004), (850.0, 1000.0), (5e-7, 6e-7)],
)
def test_a_scale_ends_at_a_round_number_above_all_values(highest: float, top: float) -> None:
    assert svg.ceiling([None, highest, 0.0]) == pytest.approx(top)


def test_every_colour_of_charts_stands_out_from_every_background() -> None:
    colours = re.findall(r"--tc-(\w+): (#[0-9a-f]{6});", CSS.read_text())
    assert len(colours) == 6
    for name, colour in colours:
        for background in BACKGROUNDS:
            high, low = sorted((luminance(colour), luminance(background)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 3.0, (name, background)
