"""Where the time goes: calls taken apart, from nothing, or from a bare socket, to the whole."""

from __future__ import annotations

from benchmarks.measuring import pace
from benchmarks.part import Part, Result, Run

from . import profile_calls, profile_hit

TABLES = 3

NOTE = (
    "Each line has what the one before has and one thing more, if it begins with three dots; the "
    "last column is what that takes."
)


def steps(run: Run) -> int:
    """Return how many rounds there are."""
    return pace(run).rounds * TABLES


def measure(run: Run) -> Result:
    """Measure all tables, the lines of each in turns."""
    return Result([profile_hit.table(run), *profile_calls.tables(run)], [NOTE])


PART = Part("profile", "Where the time goes", steps, measure)
