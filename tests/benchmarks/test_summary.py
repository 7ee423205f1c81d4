"""The figures in README, from a run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.page import summary
from benchmarks.page.numbers import DASH
from benchmarks.report import Report
from tests.benchmarks.made import a_figure, a_part, a_report, a_row, a_table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(f"Before.\n\n{summary.BEGIN}\nold\n{summary.END}\n\nAfter.\n")
    return path


def test_what_is_between_the_marks_is_the_run_s(readme: Path):
    row = a_row("`get`, text of 100 characters")
    summary.refresh(a_report(a_part(a_table(row, title="Hits in memory"))), readme, summary.README)
    text = readme.read_text()
    line = f"| `get`, text of 100 characters | 2.50 | {DASH} | 0.250 | 0.100 of LocMemCache |"
    assert line in text
    assert "old" not in text
    assert text.startswith("Before.")
    assert text.endswith("After.\n")


def test_it_can_be_made_again(readme: Path):
    summary.refresh(a_report(), readme, summary.README)
    first = readme.read_text()
    summary.refresh(a_report(), readme, summary.README)
    assert readme.read_text() == first


def test_what_was_not_measured_has_no_line(readme: Path):
    row = a_row("`set`", figures={"tiercache": a_figure(80.0)}, ratios={})
    title = "Writes, the server on another core"
    summary.refresh(a_report(a_part(a_table(row, title=title))), readme, summary.README)
    assert (
        f"| `set`, server on another core | {DASH} | {DASH} | 80.0 | {DASH} |" in readme.read_text()
    )
    assert "`get_many`" not in readme.read_text()


@pytest.mark.parametrize("text", ["", f"{summary.END}\n{summary.BEGIN}\n", summary.BEGIN])
def test_a_readme_without_its_marks_is_left_alone(readme: Path, text: str):
    readme.write_text(text)
    with pytest.raises(ValueError, match=r"README\.md should have"):
        summary.refresh(a_report(), readme, summary.README)
    assert readme.read_text() == text


def test_the_comparison_has_columns_of_its_own(readme: Path):
    row = a_row("200 threads", figures={"tiercache": a_figure(1), "LocMemCache": a_figure(200)})
    table = a_table(row, title="Loads of one missing key")
    summary.refresh(a_report(a_part(table)), readme, summary.COMPARISON)
    cells = f"1 | 200{f' | {DASH}' * 4}"
    assert f"| loads for 200 threads that miss one key | {cells} |\n" in readme.read_text()


@pytest.mark.parametrize("shown", [summary.README, summary.COMPARISON])
def test_each_line_is_a_row_of_the_page(shown: summary.Summary):
    """One that is renamed there would be left out here, and nobody would say so."""
    measured = Report.from_json((ROOT / "docs" / "performance.json").read_text())
    rows = {
        (table.title, row.what)
        for part in measured.parts
        for table in (part.result.tables if part.result else ())
        for row in table.rows
    }
    assert {(line.table, line.what) for line in shown.lines} <= rows
