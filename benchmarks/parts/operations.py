"""What one call takes: hits in memory, what Redis has to be asked for, and writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import cores, rivals
from benchmarks.measuring import microseconds, pace, ratios
from benchmarks.part import Part, Result, Row, Run, Table

from . import round_trips
from .cases import ASKED, HITS, WRITES, Case

NOTES: Final = {
    "Hits in memory": [
        "Rivals without a memory of their own ask their server, or their files, each time.",
        (
            "The dictionary gives everybody the same object; caches give each caller a dict and a "
            "response of their own."
        ),
    ],
    "Redis is asked": [
        (
            "Between samples all copies are dropped from memory, which is not timed; in a sample "
            "each key is asked for once, so every call goes to Redis and its answer is kept."
        ),
        "tiercache asks for the value and the time that it has left, the others for the value.",
    ],
    "Writes": [
        (
            "tiercache tells every other process of each of these, in the same step; "
            "none of the others does, but for redis-py's cache, where the server does it."
        ),
    ],
}


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that make one table, measured with the server on the same core or another."""

    title: str
    cases: tuple[Case, ...]
    apart: bool = False

    @property
    def full_title(self) -> str:
        """The title, and where the server is, if that matters and can be chosen."""
        if self.cases is HITS or not cores.can_be_chosen():
            return self.title
        return f"{self.title}, the server on {'another' if self.apart else 'the same'} core"


def groups() -> list[Group]:
    """Return all tables of calls."""
    hits, asked, writes = zip(NOTES, (HITS, ASKED, WRITES), strict=True)
    made = [Group(*hits), Group(*asked), Group(*writes)]
    if cores.can_be_chosen():
        made += [Group(*asked, apart=True), Group(*writes, apart=True)]
    return made


def steps(run: Run) -> int:
    """Return how many rounds there are, and one step for the round trips."""
    return pace(run).rounds * sum(len(group.cases) for group in groups()) + 1


def measure(run: Run) -> Result:
    """Measure all cases."""
    names = tuple(name for name in rivals.RIVALS if name != rivals.CASHEWS)
    with rivals.opened(run.url, *names) as caches:
        tables = [_table(group, caches, run) for group in groups()]
        run.progress.say("round trips")
        tables.append(round_trips.table(run.url, caches))
        run.progress.step()
    return Result(tables, [_how(run)], rivals.missing(*names))


def _table(group: Group, caches: dict[str, Any], run: Run) -> Table:
    with cores.chosen({os.getpid(): 0, cores.id_of(run.url): int(group.apart)}):
        rows = [_row(case, caches, run) for case in group.cases]
    return Table(group.full_title, "µs", rows, "less", "bars", NOTES[group.title])


def _row(case: Case, caches: dict[str, Any], run: Run) -> Row:
    run.progress.say(case.what.replace("`", ""))
    able = [name for name in rivals.able(*case.needs) if name in caches]
    calls = {name: case.prepare(caches[name], rivals.RIVALS[name]) for name in able}
    figures = microseconds(calls, pace(run), run.progress)
    return Row(
        case.what,
        {name: figures.get(name) for name in caches},
        ratios(figures, only=[rivals.LOCMEM, rivals.DJANGO_REDIS]),
        case.goal,
    )


def _how(run: Run) -> str:
    made = pace(run)
    where = (
        "This process and the server are kept on one core, unless a table says otherwise: then "
        "a round trip is the work of both, and nothing is waited for. With a core for each, a "
        "sleeping core is woken twice for each round trip, which on a virtual machine may take "
        "longer than the work."
    )
    return (
        f"Microseconds for one call: the median of {made.rounds} rounds, and under it the lowest "
        f"and the highest. In each round all rivals have their turn, each time another one first, "
        f"for about {made.seconds * 1000:g} ms; the garbage collector is on. The time of the loop "
        f"that makes the calls is measured and subtracted."
        f"{' ' + where if cores.can_be_chosen() else ''}"
    )


PART = Part("operations", "One call", steps, measure)
