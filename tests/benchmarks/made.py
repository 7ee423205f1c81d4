"""Figures, tables and reports for tests, with as little said as possible."""

from __future__ import annotations

from typing import Any

from benchmarks.part import Figure, Result, Row, Run, Table
from benchmarks.report import About, Done, Report


class Steps:
    """Progress that is only counted."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps = 0

    def say(self, what: str) -> None:
        self.said.append(what)

    def step(self, count: int = 1) -> None:
        self.steps += count


def a_figure(median: float, low: float | None = None, high: float | None = None) -> Figure:
    if low is None or high is None:
        return Figure(median, median, median, 1)
    return Figure(median, low, high, 3)


def a_row(what: str = "`get`", /, **more: Any) -> Row:
    figures = {"tiercache": a_figure(0.25, 0.2, 0.3), "LocMemCache": a_figure(2.5, 2.0, 3.0)}
    return Row(what, **{"figures": figures, "ratios": {"LocMemCache": 0.1}, **more})


def a_table(*rows: Row, **more: Any) -> Table:
    return Table(**{"title": "Hits", "unit": "µs", "rows": list(rows) or [a_row()], **more})


def a_report(*done: Done, quick: bool = False) -> Report:
    about = About(
        "2026-11-23 09:00 UTC", 512.4, quick, "Some processor, 2 cores", {"Django": "6.1"}
    )
    return Report(about, list(done) or [a_part()])


def a_part(*tables: Table, **more: Any) -> Done:
    return Done("operations", "One call", 1.0, Result(list(tables) or [a_table()], **more))


def a_run(*, quick: bool = True) -> Run:
    return Run("redis://127.0.0.1:1", quick, Steps())
