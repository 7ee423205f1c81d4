"""Goals: what was to be reached, what was measured, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.part import Goal, Row

from .numbers import DASH, bound, number


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal of a row.

    Attributes:
        goal: what was to be reached.
        value: what was measured; None if it was not.
    """

    goal: Goal
    value: float | None

    @property
    def met(self) -> bool:
        """Whether it is reached; what was not measured is not."""
        goal, value = self.goal, self.value
        if value is None:
            return False
        return (goal.most is None or value <= goal.most) and (
            goal.least is None or value >= goal.least
        )

    @property
    def wanted(self) -> str:
        """What was to be reached, in words."""
        goal = self.goal
        bounds = [
            f"{word} {bound(value)}"
            for word, value in (("at most", goal.most), ("at least", goal.least))
            if value is not None
        ]
        of = ""
        if goal.of:
            of = f" times {goal.of}" if (goal.least or 0) >= 1 else f" of {goal.of}"
        aim = "" if goal.aim is None else f" (aim {bound(goal.aim)})"
        return f"{' and '.join(bounds)}{of}{aim}"

    @property
    def measured(self) -> str:
        """What was measured, a dash if nothing was."""
        return DASH if self.value is None else number(self.value)

    @property
    def outcome(self) -> str:
        """Whether it is met, in a word."""
        if self.value is None:
            return "not measured"
        if not self.met:
            return "missed"
        return "✓, and the aim" if self._aim_is_met else "✓"

    @property
    def _aim_is_met(self) -> bool:
        aim, value = self.goal.aim, self.value
        if aim is None or value is None:
            return False
        return value >= aim if self.goal.least is not None else value <= aim


def verdicts(row: Row) -> list[Verdict]:
    """Judge each goal of a row."""
    return [Verdict(goal, _value(row, goal)) for goal in row.goals]


def _value(row: Row, goal: Goal) -> float | None:
    if goal.of:
        return row.ratios.get(goal.of)
    first = next(iter(row.figures.values()), None)
    return None if first is None else first.median
