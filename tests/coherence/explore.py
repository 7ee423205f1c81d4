"""Explore more than the suite does: `python -m tests.coherence.explore`.

Exit code 1, and how to see it again, if any order of a plan's events breaks a promise.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from typing import Any, TypeAlias

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from . import plans
from .exploration import Explored, explore

Task: TypeAlias = tuple[str, Any, float]
"""A kind of plan, a plan, and until when to explore it."""

EVERY = 1.0
"""Seconds between two lines of progress."""


def main(arguments: list[str] | None = None) -> int:
    """Explore, show the progress, print what came of it."""
    options = _parser().parse_args(arguments)
    todo = list(_plans(options))
    # What is cut short should have seen something of everything; small plans find most.
    random.Random(options.seed).shuffle(todo)
    todo.sort(key=lambda each: each[1].size)
    until = time.monotonic() + options.seconds if options.seconds else float("inf")
    progress = Progress(todo, options.seconds)
    for kind, plan, found in _explored([(*each, until) for each in todo], options.jobs):
        progress.note(kind, plan, found)
    progress.print_table()
    return 1 if progress.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.coherence.explore", description=__doc__)
    add = parser.add_argument
    add("--operations", type=int, default=3, help="operations in each plan without an outage (3)")
    add("--nodes", type=int, default=2, help="nodes that they are put on (2)")
    add("--deliveries", type=int, default=2, help="messages that each node hears in between (2)")
    add("--loads", type=int, default=2, help="loads and changes in each plan with loads (2)")
    add("--outages", action="store_true", help="outages as well, with --outage-operations")
    add("--only-outages", action="store_true", help="nothing but outages")
    add("--outage-operations", type=int, default=2, help="operations around an outage (2)")
    add("--seconds", type=float, default=0, help="stop after so long (0: when all is done)")
    add("--seed", type=int, default=0, help="the order of the plans (0)")
    add("--jobs", type=int, default=1, help="processes (1)")
    return parser


def _plans(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    kind = f"{options.operations} operations on {options.nodes} nodes"
    if options.only_outages:
        yield from _outages(options)
        return
    for plan in plans.memory_plans(options.operations, options.nodes, options.deliveries):
        yield kind, plan
    for plan in plans.single_step_plans(options.operations + 1):
        yield f"{options.operations + 1} single steps on one node", plan
    for plan in plans.load_plans(options.loads, options.nodes, options.deliveries):
        yield f"{options.loads} loads and changes on {options.nodes} nodes", plan
    if options.outages:
        yield from _outages(options)


def _outages(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    for operations in range(1, options.outage_operations + 1):
        kind = f"{operations} operations around an outage"
        for plan in plans.outage_plans(operations, options.nodes):
            yield kind, plan


def _explored(tasks: list[Task], jobs: int) -> Iterator[tuple[str, Any, Explored]]:
    if jobs == 1:
        yield from map(_explore, tasks)
        return
    with Pool(jobs) as pool:
        yield from pool.imap_unordered(_explore, tasks)


def _explore(task: Task) -> tuple[str, Any, Explored]:
    kind, plan, until = task
    return kind, plan, explore(plan, until)


class Progress:
    """What has been done of what there is."""

    def __init__(self, todo: list[tuple[str, Any]], seconds: float) -> None:
        self.planned = Counter(kind for kind, _ in todo)
        self.done: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.schedules: Counter[str] = Counter()
        self.violations = 0
        self._seconds = seconds
        self._began = self._said = time.monotonic()

    def note(self, kind: str, plan: Any, found: Explored) -> None:
        """Count one plan; say what it found."""
        self.done[kind] += found.complete
        self.states[kind] += found.states
        self.schedules[kind] += found.schedules
        if found.violation:
            self.violations += 1
            path, wrong = found.violation
            print(f"{plan}\n  {'; '.join(wrong)}\nto see it again:")
            print(
                f"  from tests.coherence import exploration; from {type(plan).__module__} import *"
            )
            print(f"  run = exploration.replay({plan!r}, {path!r})", flush=True)
        if time.monotonic() - self._said >= EVERY:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        spent = self._said - self._began
        done, planned = self.done.total(), self.planned.total()
        left = spent / max(done, 1) * (planned - done)
        if self._seconds:
            left = min(left, self._seconds - spent)
        print(
            f"{done} of {planned} plans, {self.states.total() / spent:,.0f} states and "
            f"{self.schedules.total() / spent:,.3g} schedules a second, {max(left, 0):.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    def print_table(self) -> None:
        """Print what was explored."""
        print("| plans | explored | of | states | schedules |\n| --- | ---: | ---: | ---: | ---: |")
        for kind, planned in self.planned.items():
            numbers = f"{self.states[kind]:,} | {self.schedules[kind]:.4g}"
            print(f"| {kind} | {self.done[kind]:,} | {planned:,} | {numbers} |")
        spent = time.monotonic() - self._began
        print(f"{self.violations} plans broke a promise; {spent:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
