"""Tables in which each line has one thing more than another: where the time of a call goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import rivals
from benchmarks.measuring import Call, microseconds, pace
from benchmarks.part import Figure, Row, Run, Table


@dataclass(frozen=True, slots=True)
class Rung:
    """One line.

    Attributes:
        what: what is measured.
        call: how.
        after: the line than which it has one thing more, "" if it stands for itself.
    """

    what: str
    call: Call
    after: str = ""


def ladder(title: str, rungs: Sequence[Rung], run: Run, *notes: str) -> Table:
    """Measure the lines in turns; the last column is what each takes more than the one it names."""
    run.progress.say(title)
    figures = microseconds({rung.what: rung.call for rung in rungs}, pace(run), run.progress)
    rows = [_row(rung, figures) for rung in rungs]
    return Table(title, "µs", rows, notes=list(notes))


def _row(rung: Rung, figures: dict[str, Figure]) -> Row:
    own, before = figures[rung.what], figures.get(rung.after)
    more: dict[str, float | str] = {}
    if before is not None:
        more["more"] = own.median - before.median
    return Row(rung.what, {rivals.OURS: own}, plain=more)
