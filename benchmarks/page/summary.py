"""The few figures that README shows, from the same run as the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks import rivals
from benchmarks.part import Row
from benchmarks.report import Report

from .numbers import DASH, number

BEGIN: Final = "<!-- figures: made by `python -m benchmarks` -->"
END: Final = "<!-- /figures -->"

SHOWN: Final = (
    ("Hits in memory", "`get`, text of 100 characters", rivals.LOCMEM),
    ("Hits in memory", "`get`, small dict", rivals.LOCMEM),
    ("Hits in memory", "`get`, response of 5 KB", rivals.LOCMEM),
    ("Hits in memory", "`get_many` of 10", rivals.LOCMEM),
    ("Calls on an event loop", "`await aget`, in memory", rivals.LOCMEM),
    ("Redis is asked, the server on another core", "`get` that fills memory", rivals.DJANGO_REDIS),
    ("Writes, the server on another core", "`set`", rivals.DJANGO_REDIS),
)
"""Tables and rows of them, and the rival with which the last column compares."""

COLUMNS: Final = (rivals.LOCMEM, rivals.DJANGO_REDIS, rivals.OURS)


def refresh(report: Report, readme: Path) -> None:
    """Replace what stands between the marks in a file.

    Raises:
        ValueError: the file has not exactly one pair of marks.
    """
    text = readme.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{readme.name} should have {BEGIN} and {END} once, in this order")
    made = "\n".join([BEGIN, *_lines(report), END])
    readme.write_text(pattern.sub(lambda _: made, text))


def _lines(report: Report) -> Iterator[str]:
    about = report.about
    versions = ", ".join(
        f"{name} {about.versions[name]}"
        for name in ("Python", "Django", "redis-py", "django-redis")
        if name in about.versions
    )
    yield f"Medians of one run in which rivals take turns ({about.machine}; {versions})."
    yield ""
    yield f"| µs | {' | '.join(COLUMNS)} | {rivals.OURS} is |"
    yield f"| --- |{' ---: |' * len(COLUMNS)} --- |"
    rows = {
        (table.title, row.what): row
        for done in report.parts
        for table in (done.result.tables if done.result else ())
        for row in table.rows
    }
    for title, what, rival in SHOWN:
        if (row := rows.get((title, what))) is not None:
            yield _line(row, rival)


def _line(row: Row, rival: str) -> str:
    cells = [
        DASH if (figure := row.figures.get(name)) is None else number(figure.median)
        for name in COLUMNS
    ]
    ratio = row.ratios.get(rival)
    compared = DASH if ratio is None else f"{number(ratio)} of {rival}"
    return f"| {row.what} | {' | '.join(cells)} | {compared} |"
