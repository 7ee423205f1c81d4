"""The figures in README, from a run's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.page import summary
from benchmarks.page.numbers import DASH
from tests.benchmarks.made import a_figure, a_part, a_report, a_row, a_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(f"Before.\n\n{summary.BEGIN}\nold\n{summary.END}\n\nAfter.\n")
    return path


def test_what_is_between_the_marks_is_the_run_s(readme: Path):
    row = a_row("`get`, text of 100 characters")
    summary.refresh(a_report(a_part(a_table(row, title="Hits in memory"))), readme)
    text = readme.read_text()
    line = f"| `get`, text of 100 characters | 2.50 | {DASH} | 0.250 | 0.100 of LocMemCache |"
    assert line in text
    assert "old" not in text
    assert text.startswith("Before.")
    assert text.endswith("After.\n")


def test_it_can_be_made_again(readme: Path):
    summary.refresh(a_report(), readme)
    first = readme.read_text()
    summary.refresh(a_report(), readme)
    assert readme.read_text() == first


def test_what_was_not_measured_has_no_line(readme: Path):
    row = a_row("`set`", figures={"tiercache": a_figure(80.0)}, ratios={})
    title = "Writes, the server on another core"
    summary.refresh(a_report(a_part(a_table(row, title=title))), readme)
    assert f"| `set` | {DASH} | {DASH} | 80.0 | {DASH} |" in readme.read_text()
    assert "`get_many`" not in readme.read_text()


@pytest.mark.parametrize("text", ["", f"{summary.END}\n{summary.BEGIN}\n", summary.BEGIN])
def test_a_readme_without_its_marks_is_left_alone(readme: Path, text: str):
    readme.write_text(text)
    with pytest.raises(ValueError, match=r"README\.md should have"):
        summary.refresh(a_report(), readme)
    assert readme.read_text() == text


def test_each_row_of_the_readme_is_one_that_the_parts_measure():
    """A row that is renamed there would leave the README without it, and say nothing."""
    from benchmarks.parts import cases, concurrency, operations

    measured = {
        (group.full_title, case.what) for group in operations.groups() for case in group.cases
    } | {("Calls on an event loop", case.what) for case in concurrency.CASES}
    titles = {title for title, _ in measured}
    shown = {(title, what) for title, what, _ in summary.SHOWN if title in titles}
    assert cases.HITS
    assert shown <= measured
    assert {what for _, what, _ in summary.SHOWN} <= {what for _, what in measured}
