"""A run as Markdown: heading, goals, and each part's tables with their notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from benchmarks.part import Figure, Result, Table
from benchmarks.report import About, Done, Report

from .charts import is_drawn
from .goals import Verdict, verdicts
from .numbers import DASH, number, spread

ABSCISSA = "x"
"""The column of `plain` that a line's points stand over; the row's name says the same."""

_MADE = (
    "<!-- Made by `python -m benchmarks` from performance.json and benchmarks/page/gains.md; "
    "changes are to be made there. -->"
)


def markdown(report: Report, gains: str, *, images: str | None) -> str:
    """Return the page.

    Args:
        gains: its last section, which is written by hand.
        images: the folder of the pictures, as seen from the page; None: it has none.
    """
    sections = [f"# Performance\n\n{_MADE}\n\n{_heading(report.about)}", _goals(report)]
    sections += [_part(done, images) for done in report.parts]
    return "\n\n".join(section.strip() for section in [*sections, gains] if section) + "\n"


def picture_name(part: str, table: Table) -> str:
    """Return what the pictures of a table are called, before "-light.svg" and "-dark.svg"."""
    return f"{part}-{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}"


def _heading(about: About) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about.versions.items())
    kind = " with `--quick`, so the figures are noisy" if about.quick else ""
    return (
        f"{about.date}; {about.machine}; {versions}. The run took {about.seconds:,.0f} s{kind}.\n\n"
        "All figures are from this one run of `python -m benchmarks`, in which rivals take turns. "
        "Another machine gives other figures, so compare ratios, which say how many times longer, "
        "or how many times more; those of calls to Redis for the same place of the server. Figures "
        "in the last section are rounded by hand."
    )


def _goals(report: Report) -> str:
    lines = [
        f"| {table.title} | {row.what} | {one.wanted}{'' if one.goal.of else f' {table.unit}'} "
        f"| {one.measured} | {one.outcome} |"
        for done in report.parts
        for table in (done.result.tables if done.result else ())
        for row in table.rows
        for one in verdicts(row)
    ]
    if not lines:
        return ""
    head = ["| table | row | goal | measured | |", "| --- | --- | --- | ---: | --- |"]
    return "## Goals\n\n" + "\n".join([*head, *lines])


def _part(done: Done, images: str | None) -> str:
    head = f"## {done.title}"
    if done.result is None:
        return f"{head}\n\n**This part failed:** `{done.error}`"
    result = done.result
    blocks = [head, *result.notes, *_missing(result)]
    for table in result.tables:
        blocks += _table(done.name, table, images)
    return "\n\n".join(blocks)


def _missing(result: Result) -> Iterator[str]:
    if result.missing:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in result.missing.items())
        yield f"Missing: {reasons}."


def _table(part: str, table: Table, images: str | None) -> Iterator[str]:
    yield f"### {table.title}"
    if images is not None and is_drawn(table):
        yield _picture(f"{images}/{picture_name(part, table)}", table)
    yield "\n".join(_lines(table))
    if table.notes:
        yield "\n".join(f"- {note}" for note in table.notes)


def _picture(path: str, table: Table) -> str:
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{path}-dark.svg">\n'
        f'  <img alt="{table.title}, {table.unit}; the table below has the figures" '
        f'src="{path}-light.svg">\n'
        "</picture>"
    )


def _lines(table: Table) -> Iterator[str]:
    rivals = _known(name for row in table.rows for name in row.figures if row.figures[name])
    others = _known(name for row in table.rows for name in row.ratios)
    plain = _known(name for row in table.rows for name in row.plain if name != ABSCISSA)
    heads = [table.unit, *rivals, *(f"ratio to {name}" for name in others), *plain]
    judged = [verdicts(row) for row in table.rows]
    if any(judged):
        heads.append("goal")
    yield f"| {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * (len(heads) - 1 - any(judged))}{' --- |' * any(judged)}"
    for row, goals in zip(table.rows, judged, strict=True):
        cells = [row.what, *(_figure(row.figures.get(name)) for name in rivals)]
        cells += [_cell(row.ratios.get(name)) for name in others]
        cells += [_cell(row.plain.get(name)) for name in plain]
        if any(judged):
            cells.append("<br>".join(_verdict(one) for one in goals))
        yield f"| {' | '.join(cells)} |"


def _known(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return DASH
    if figure.samples == 1:
        return number(figure.median)
    return f"{number(figure.median)}<br><sub>{spread(figure)}</sub>"


def _cell(value: float | str | None) -> str:
    if value is None:
        return DASH
    return value if isinstance(value, str) else number(value)


def _verdict(verdict: Verdict) -> str:
    measured = "" if verdict.value is None else f"{verdict.measured} "
    return f"{verdict.wanted}: {measured}{verdict.outcome}"
