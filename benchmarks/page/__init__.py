"""The page that shows a run: Markdown, and a picture for each table that wants one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.report import Report

from .charts import SCHEMES, chart, is_drawn
from .markdown import markdown, picture_name
from .summary import COMPARISON as COMPARISON
from .summary import README as README
from .summary import refresh as refresh

FIGURES: Final = "performance.json"
PAGE: Final = "performance.md"
IMAGES: Final = "images/performance"

_GAINS: Final = Path(__file__).parent / "gains.md"


def text(report: Report) -> str:
    """Return the page without pictures, for a terminal."""
    return markdown(report, _GAINS.read_text(), images=None)


def write(report: Report, docs: Path) -> None:
    """Write the page and its pictures into a folder; pictures of earlier runs go."""
    images = docs / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("*.svg"):
        old.unlink()
    for done in report.parts:
        for table in done.result.tables if done.result else ():
            if is_drawn(table):
                for scheme in SCHEMES:
                    path = images / f"{picture_name(done.name, table)}-{scheme}.svg"
                    path.write_text(chart(table, scheme))
    (docs / PAGE).write_text(markdown(report, _GAINS.read_text(), images=IMAGES))
