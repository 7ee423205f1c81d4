"""The page that is made from figures: tables, goals, failures, pictures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import page
from benchmarks.page.goals import verdicts
from benchmarks.page.numbers import number
from benchmarks.part import Goal, Table
from benchmarks.report import Done, Report
from tests.benchmarks.made import a_figure, a_part, a_report, a_row, a_table

LAST = "## What is left to gain, and why it stays"

SIZE = 40_000
"""Bytes that a picture may have."""


def shown(report: Report) -> str:
    """Return the page without its last section, which is written by hand."""
    return page.text(report).partition(LAST)[0]


def line(text: str, begins: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(begins))


def test_the_heading_says_where_it_was_measured():
    text = shown(a_report())
    assert "2026-11-23 09:00 UTC; Some processor, 2 cores; Django 6.1. The run took 512 s." in text
    assert "compare ratios" in text


def test_a_quick_run_says_so():
    assert "with `--quick`" in shown(a_report(quick=True))


def test_a_cell_has_the_median_and_the_spread():
    text = shown(a_report())
    assert line(text, "| µs") == "| µs | tiercache | LocMemCache | ratio to LocMemCache |"
    spread = "0.250<br><sub>0.200\N{EN DASH}0.300</sub>"
    assert line(text, "| `get`").startswith(f"| `get` | {spread} | 2.50<br>")


def test_a_figure_of_one_sample_has_no_spread():
    row = a_row(figures={"tiercache": a_figure(3.0)}, ratios={})
    assert line(shown(a_report(a_part(a_table(row)))), "| `get`") == "| `get` | 3.00 |"


def test_who_cannot_do_anything_of_a_table_has_no_column_in_it():
    row = a_row(figures={"tiercache": a_figure(1.0), "dict": None}, ratios={})
    assert line(shown(a_report(a_part(a_table(row)))), "| µs") == "| µs | tiercache |"


def test_who_cannot_do_one_thing_has_a_dash():
    rows = a_row("one"), a_row("other", figures={"tiercache": a_figure(1.0)}, ratios={})
    text = shown(a_report(a_part(a_table(*rows))))
    assert line(text, "| other") == "| other | 1.00 | \N{EN DASH} | \N{EN DASH} |"


def test_further_columns_are_shown():
    rows = a_row("one", plain={"x": 5, "CPU": 0.5, "by": "wrk"}), a_row("other")
    text = shown(a_report(a_part(a_table(*rows))))
    assert line(text, "| µs").endswith("| CPU | by |")
    assert line(text, "| one").endswith("| 0.500 | wrk |")


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (Goal("LocMemCache", most=0.1), "at most 0.10 of LocMemCache: 0.100 ✓"),
        (Goal("LocMemCache", most=0.09), "at most 0.09 of LocMemCache: 0.100 missed"),
        (Goal("LocMemCache", most=0.2, aim=0.05),
         "at most 0.20 of LocMemCache (aim 0.05): 0.100 ✓"),
        (Goal("LocMemCache", most=0.2, aim=0.1),
         "at most 0.20 of LocMemCache (aim 0.10): 0.100 ✓, and the aim"),
        (Goal("LocMemCache", least=8), "at least 8 times LocMemCache: 0.100 missed"),
        (Goal(most=3), "at most 3: 0.250 ✓"),
        (Goal(most=0.2), "at most 0.20: 0.250 missed"),
        (Goal("theine", most=1.0), "at most 1 of theine: not measured"),
    ],
)  # fmt: skip
def test_a_goal_stands_beside_its_row_and_says_whether_it_is_met(goal: Goal, said: str):
    text = shown(a_report(a_part(a_table(a_row(goal=goal)))))
    assert line(text, "| `get`").endswith(f"| {said} |")


def test_a_row_may_have_several_goals():
    row = a_row(goal=(Goal("LocMemCache", most=0.1), Goal(most=0.1)))
    assert [verdict.met for verdict in verdicts(row)] == [True, False]
    assert line(shown(a_report(a_part(a_table(row)))), "| `get`").count("<br>") == 3


def test_all_goals_are_listed_at_the_top():
    text = shown(a_report(a_part(a_table(a_row(goal=Goal("LocMemCache", most=0.05))))))
    assert "| Hits | `get` | at most 0.05 of LocMemCache | 0.100 | missed |" in text
    assert text.index("## Goals") < text.index("## One call")


def test_missing_rivals_are_named_with_the_reason():
    text = shown(a_report(a_part(missing={"cashews": "cashews is not installed"})))
    assert "Missing: cashews (cashews is not installed)." in text


def test_a_part_that_failed_says_why_and_the_others_are_shown():
    failed = Done("threads", "Several threads", 1.0, error="OSError: no more of them")
    text = shown(a_report(failed, a_part()))
    assert "**This part failed:** `OSError: no more of them`" in text
    assert "### Hits" in text


def test_notes_stand_below_their_table():
    text = shown(a_report(a_part(a_table(notes=["Measured so."]))))
    assert text.index("| `get`") < text.index("- Measured so.")


def test_what_is_written_by_hand_ends_the_page():
    assert LAST in page.text(a_report()).partition("### Hits")[2]


def test_a_report_comes_back_from_json():
    row = a_row(goal=(Goal("LocMemCache", most=0.1), Goal(most=1)), plain={"x": 5})
    failed = Done("threads", "Several threads", 1.0, error="OSError: no more of them")
    report = a_report(a_part(a_table(row), missing={"cashews": "not there"}), failed)
    assert Report.from_json(report.to_json()) == report


def test_figures_of_something_else_are_refused():
    with pytest.raises(ValueError, match="not the figures of a run: 'about'"):
        Report.from_json("{}")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.01234, "0.012"), (0.5, "0.500"), (3.14159, "3.14"), (42.42, "42.4"),
     (123.4, "123"), (1234567.0, "1,234,567"), (42, "42")],
)  # fmt: skip
def test_numbers_have_about_three_digits(value: float, said: str):
    assert number(value) == said


BARS = a_table(plot="bars")
APART = a_table(a_row(figures={"tiercache": a_figure(0.02), "a < b": a_figure(150.0)}), plot="bars")
MANY = a_table(*(a_row(f"row {number}") for number in range(60)), plot="bars")
NOTHING = a_table(a_row(figures={"tiercache": a_figure(0.0)}), plot="bars")
LINES = a_table(*(a_row(plain={"x": 10.0**size}) for size in range(3, 7)), plot="lines")
POINT = a_table(a_row(plain={"x": 5}), plot="lines")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("table", [BARS, APART, MANY, NOTHING, LINES, POINT])
def test_a_picture_is_well_formed_and_small_and_has_its_text_as_text(table: Table, scheme: str):
    drawn = page.chart(table, scheme)
    texts = [
        element.text for element in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "tiercache" in texts
    assert len(drawn.encode()) < SIZE


def test_the_same_figures_make_the_same_picture():
    assert page.chart(BARS, "dark") == page.chart(BARS, "dark")


def test_figures_far_apart_are_drawn_on_a_logarithmic_scale():
    assert "logarithmic" in page.chart(APART, "light")
    assert "logarithmic" not in page.chart(BARS, "light")


def test_nothing_is_drawn_outside_of_the_picture():
    for drawn in (page.chart(table, "light") for table in (BARS, APART, MANY, LINES)):
        for shape in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}rect"):
            if shape.get("x"):
                assert float(shape.get("x", "")) + float(shape.get("width", "")) < 520


def test_the_page_has_pictures_for_light_and_dark(tmp_path: Path):
    page.write(a_report(a_part(BARS)), tmp_path)
    text = (tmp_path / page.PAGE).read_text()
    assert 'srcset="images/performance/operations-hits-dark.svg"' in text
    assert 'src="images/performance/operations-hits-light.svg"' in text
    assert sorted(path.name for path in (tmp_path / page.IMAGES).iterdir()) == [
        "operations-hits-dark.svg", "operations-hits-light.svg",
    ]  # fmt: skip


def test_pictures_of_an_earlier_run_go(tmp_path: Path):
    page.write(a_report(a_part(BARS)), tmp_path)
    page.write(a_report(), tmp_path)
    assert list((tmp_path / page.IMAGES).iterdir()) == []
