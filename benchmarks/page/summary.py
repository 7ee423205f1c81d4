"""The few figures that README and docs/comparison.md show, from the same run as the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import rivals
from benchmarks.part import Row
from benchmarks.report import Report

from .numbers import DASH, number

BEGIN: Final = "<!-- figures: made by `python -m benchmarks` -->"
END: Final = "<!-- /figures -->"


@dataclass(frozen=True, slots=True)
class Shown:
    """One line.

    Attributes:
        table, what: the row of the page that it is.
        rival: the rival with which the last column compares; "" for none.
        label: what it is called here.
    """

    table: str
    what: str
    rival: str
    label: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands between the marks of one file.

    Attributes:
        unit: what heads the first column.
        columns: rivals.
        lines: what is shown.
        compares: whether there is a last column with ratios.
    """

    unit: str
    columns: tuple[str, ...]
    lines: tuple[Shown, ...]
    compares: bool


_HITS = "Hits in memory"
_LOOP = "Calls on an event loop"
_THREADS = "Hits on several threads"
_MEMORY = "Beyond key and value"
_LOADS = "Loads of one missing key"
_WHERE = (("the same core", "server on the same core"), ("another core", "server on another core"))


def _asked(what: str, group: str, call: str, unit: str = "") -> tuple[Shown, ...]:
    """Return a line for either place of the server."""
    return tuple(
        Shown(f"{group}, the server on {where}", what, rivals.DJANGO_REDIS, f"{call}, {told}{unit}")
        for where, told in _WHERE
    )


README: Final = Summary(
    "µs",
    (rivals.LOCMEM, rivals.DJANGO_REDIS, rivals.OURS),
    (
        *(
            Shown(_HITS, what, rivals.LOCMEM, what)
            for what in (
                "`get`, text of 100 characters",
                "the same through `django.core.cache.cache`",
                "`get`, small dict",
                "`get`, response of 5 KB",
                "`get_many` of 10",
            )
        ),
        Shown(_LOOP, "`await aget`, in memory", rivals.LOCMEM, "`await aget`, in memory"),
        *_asked("`get` that fills memory", "Redis is asked", "`get` that fills memory"),
        *_asked("`set`", "Writes", "`set`"),
    ),
    compares=True,
)

COMPARISON: Final = Summary(
    "",
    (
        rivals.OURS,
        rivals.LOCMEM,
        rivals.REDIS_CACHE,
        rivals.DJANGO_REDIS,
        rivals.CASHEWS,
        rivals.DISKCACHE,
    ),
    (
        Shown(_HITS, "`get`, text of 100 characters", "", "`get`, a text that is there, µs"),
        Shown(_HITS, "`get`, small dict", "", "`get`, a small dict, µs"),
        Shown(_HITS, "`get_many` of 10", "", "`get_many` of ten, µs"),
        Shown(_LOOP, "`await aget`, in memory", "", "`await aget` (cashews: `get`), µs"),
        Shown(_THREADS, "8 threads", "", "`get` on 8 threads, thousand a second"),
        *_asked("`get` that fills memory", "Redis is asked", "`get` from the server", ", µs"),
        *_asked("`set`", "Writes", "`set`", ", µs"),
        Shown(_MEMORY, "10,000 entries, just filled", "", "bytes an entry, 10,000 just filled"),
        Shown(_MEMORY, "10,000 entries, after churn", "", "… after churn"),
        Shown(_LOADS, "200 threads", "", "loads for 200 threads that miss one key"),
        Shown(_LOADS, "4 processes, 50 threads each", "", "… in four processes"),
    ),
    compares=False,
)


def refresh(report: Report, file: Path, shown: Summary) -> None:
    """Replace what stands between the marks in a file.

    Raises:
        ValueError: the file has not exactly one pair of marks.
    """
    text = file.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{file.name} should have {BEGIN} and {END} once, in this order")
    made = "\n".join([BEGIN, *_lines(report, shown), END])
    file.write_text(pattern.sub(lambda _: made, text))


def _lines(report: Report, shown: Summary) -> Iterator[str]:
    about = report.about
    versions = ", ".join(
        f"{name} {about.versions[name]}"
        for name in ("Python", "Django", "redis-py", *shown.columns)
        if name in about.versions and name != rivals.OURS
    )
    yield f"Medians of one run in which rivals take turns ({about.machine}; {versions})."
    yield ""
    last = (f"{rivals.OURS} is",) if shown.compares else ()
    yield f"| {' | '.join((shown.unit, *shown.columns, *last))} |"
    yield f"| --- |{' ---: |' * len(shown.columns)}{' --- |' * shown.compares}"
    rows = {
        (table.title, row.what): row
        for done in report.parts
        for table in (done.result.tables if done.result else ())
        for row in table.rows
    }
    for line in shown.lines:
        if (row := rows.get((line.table, line.what))) is not None:
            yield f"| {' | '.join(_cells(row, line, shown))} |"


def _cells(row: Row, line: Shown, shown: Summary) -> Iterator[str]:
    yield line.label
    for name in shown.columns:
        yield DASH if (figure := row.figures.get(name)) is None else number(figure.median)
    if shown.compares:
        ratio = row.ratios.get(line.rival)
        yield DASH if ratio is None else f"{number(ratio)} of {line.rival}"
