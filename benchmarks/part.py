"""What a part of the benchmarks is given and what it returns: figures, never text about figures.

A part measures; `benchmarks.page` shows. What stands between them is plain data that
JSON carries, so that a page can be made again from the figures of an earlier run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol


class Progress(Protocol):
    """Where a part says how far it is."""

    def say(self, what: str) -> None:
        """Name what is being measured now."""

    def step(self, count: int = 1) -> None:
        """So many of the steps that the part announced are done."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the benchmarks gives each of its parts.

    Attributes:
        url: a Valkey server of the run's own, with nothing else on it; a part uses a database of
            its own and empties it first.
        quick: whether to take about a fifth of the time, and be noisier.
        progress: where to say how far the part is.
    """

    url: str
    quick: bool
    progress: Progress


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity of one rival.

    Attributes:
        median: the median of the rounds.
        low, high: the smallest and the largest round.
        samples: how many rounds there were.
    """

    median: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be, or the first rival's figure itself.

    Attributes:
        of: the rival that the first one is compared with; "": none, it is the figure that is
            bounded, in the table's unit.
        most, least: it should be at most, or at least, this; None: no such bound.
        aim: what would be better still.
    """

    of: str = ""
    most: float | None = None
    least: float | None = None
    aim: float | None = None


@dataclass(slots=True)
class Row:
    """One line of a table: one thing that was measured, on all rivals.

    Attributes:
        what: what was measured.
        figures: by the rivals' names; None for one that cannot do it.
        ratios: the first rival's median divided by others', by their names.
        goal: what one of the ratios should be, or several of them; None where nothing was set.
        plain: further columns that are no rival's, by their names.
    """

    what: str
    figures: dict[str, Figure | None] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    goal: Goal | tuple[Goal, ...] | None = None
    plain: dict[str, float | str] = field(default_factory=dict)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goal, or all of them."""
        if self.goal is None:
            return ()
        return (self.goal,) if isinstance(self.goal, Goal) else self.goal


@dataclass(slots=True)
class Table:
    """Figures that belong together.

    Attributes:
        title: what they are.
        unit: of all figures.
        rows: the lines.
        better: whether less or more is better.
        plot: how they are drawn: bars by row and rival (logarithmic where figures differ by more
            than twentyfold), lines with `plain["x"]` as the abscissa, or not at all.
        notes: how it was measured, and what a reader has to know; sentences in Markdown.
    """

    title: str
    unit: str
    rows: list[Row] = field(default_factory=list)
    better: Literal["less", "more"] = "less"
    plot: Literal["bars", "lines", ""] = ""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """What a part has found.

    Attributes:
        tables: its figures.
        notes: what holds for all of them.
        missing: rivals that could not take part, by name, and why ("cashews is not installed").
    """

    tables: list[Table]
    notes: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """Return what `as_dict` was made of, also after it went through JSON."""
        tables = [_table(table) for table in data["tables"]]
        return cls(tables, data["notes"], data["missing"])


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the benchmarks.

    Attributes:
        name: by which `--only` chooses it.
        title: its heading on the page.
        steps: returns how many steps it will announce to its progress, for this run.
        measure: measures; may start processes, and ends them whatever happens.
    """

    name: str
    title: str
    steps: Callable[[Run], int]
    measure: Callable[[Run], Result]


def _table(data: dict[str, Any]) -> Table:
    return Table(**{**data, "rows": [_row(row) for row in data["rows"]]})


def _row(data: dict[str, Any]) -> Row:
    goal = data["goal"]
    figures = {
        rival: None if figure is None else Figure(**figure)
        for rival, figure in data["figures"].items()
    }
    if isinstance(goal, dict):
        goal = Goal(**goal)
    elif goal is not None:
        goal = tuple(Goal(**one) for one in goal)
    return Row(**{**data, "figures": figures, "goal": goal})
