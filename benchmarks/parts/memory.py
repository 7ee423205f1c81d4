"""What entries cost the process, beyond their keys and values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from benchmarks import rivals
from benchmarks.child import lines
from benchmarks.measuring import figure
from benchmarks.part import Figure, Goal, Part, Result, Row, Run, Table

TAKING_PART: Final = (rivals.OURS, rivals.LOCMEM, rivals.CASHEWS)

REPEATS: Final = {10_000: 3, 100_000: 3, 1_000_000: 1}
"""How many processes are filled with so many entries, of each rival."""

QUICK: Final = {10_000: 1, 100_000: 1}

GOAL: Final = Goal(most=250)

WHEN: Final = {"just filled": "filled", "after churn": "churned", "asked for": "asked"}
"""When a process is looked at, in words and as fields of `Grown`."""

AT_ONCE: Final = 2
"""Processes that are filled at the same time: what is measured is room, not time."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What one process has grown by, in bytes for each entry that it holds.

    Attributes:
        filled: when it was just filled.
        churned: after twice as many further writes, of new keys.
        asked: after all of them were asked for, too.
        own: what of that are key and value themselves.
        accounted: what the cache itself says that it holds; None: it says nothing.
    """

    filled: float
    churned: float
    asked: float
    own: float
    accounted: float | None


def steps(run: Run) -> int:
    """Return how many processes are filled."""
    return sum(_repeats(run).values()) * len(_there())


def measure(run: Run) -> Result:
    """Fill processes, two at a time."""
    jobs = [
        (name, entries)
        for entries, repeats in _repeats(run).items()
        for name in _there()
        for _ in range(repeats)
    ]
    run.progress.say("filling processes")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        grown: dict[tuple[str, int], list[Grown]] = {}
        for job, made in zip(jobs, pool.map(_filled, jobs), strict=True):
            grown.setdefault(job, []).append(made)
            run.progress.step()
    return Result([_beyond(grown), _accounted(grown)], missing=rivals.missing(*TAKING_PART))


def _there() -> list[str]:
    return [name for name in TAKING_PART if rivals.RIVALS[name].missing is None]


def _repeats(run: Run) -> dict[int, int]:
    return QUICK if run.quick else REPEATS


def _filled(job: tuple[str, int]) -> Grown:
    name, entries = job
    return Grown(**next(lines("benchmarks.parts.memory_filled", name, str(entries))))


def _beyond(grown: dict[tuple[str, int], list[Grown]]) -> Table:
    rows: list[Row] = []
    for entries in sorted({entries for _, entries in grown}):
        for when, field in WHEN.items():
            figures = {
                name: figure(getattr(one, field) - one.own for one in made)
                for (name, size), made in grown.items()
                if size == entries
            }
            rows.append(Row(f"{entries:,} entries, {when}", {**figures}, goal=GOAL))
    notes = [
        (
            "What the process has grown by (its USS), divided by the number of entries it holds "
            "then, less the key (20 characters) and the value (a text of 100), as Python's "
            "allocator rounds them. Each figure is from a process of its own; there are ten caches "
            "of 10,000 entries in it, since Python takes memory a mebibyte at a time."
        ),
        (
            "Churn: twice as many further writes, each of a new key, for which entries leave. "
            "Asked for: a `get` of each, after which tiercache knows the names of as many as it "
            "may, by which it finds them sooner. What is made together with a cache is counted, "
            "what a process has once is not."
        ),
        (
            "LocMemCache drops a third of its entries whenever it is full, and keeps the room: "
            "what it has grown by is divided by what it still holds."
        ),
    ]
    return Table("Beyond key and value", "bytes an entry", rows, "less", "bars", notes)


def _accounted(grown: dict[tuple[str, int], list[Grown]]) -> Table:
    rows = []
    for (name, entries), made in grown.items():
        if name != rivals.OURS:
            continue
        figures: dict[str, Figure | None] = {
            "accounted": figure(one.accounted or 0.0 for one in made),
            **{when: figure(getattr(one, field) for one in made) for when, field in WHEN.items()},
        }
        told = figures["accounted"]
        shares = {
            when: told.median / real.median
            for when in WHEN
            if told and (real := figures[when]) is not None
        }
        rows.append(Row(f"{entries:,} entries", figures, shares))
    notes = [
        (
            "`MAX_BYTES` bounds what is accounted: key and value included. Above 1.00 of what the "
            "process has grown by, the bound is kept with room to spare; below, the process has "
            "grown by more than the bound says."
        )
    ]
    return Table("What tiercache accounts for", "bytes an entry", rows, "less", "", notes)


PART = Part("memory", "Memory", steps, measure)
