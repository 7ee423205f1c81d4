"""The explorer: it tries every order, says how to see a violation again, and ends when told to."""

from __future__ import annotations

import re
import time
from collections.abc import Hashable
from math import comb
from typing import Any

import pytest

from tiercache.entry import Copy
from tiercache.memory import MemoryTier

from . import explore as command
from .exploration import Event, explore
from .outages import Plan
from .plans import LoadPlan, MemoryPlan


class Counters:
    """Two counters that each go up by one a few times; wrong once both say `wrong`."""

    def __init__(self, most: int, wrong: int = -1) -> None:
        self.at, self.most, self.bad = [0, 0], most, wrong
        self.finished = False

    def events(self) -> list[Event]:
        return [("up", number) for number in range(2) if self.at[number] < self.most]

    def do(self, event: Event) -> None:
        self.at[event[1]] += 1

    def state(self) -> Hashable:
        return tuple(self.at)

    def wrong(self) -> list[str]:
        return ["both"] if self.at == [self.bad] * 2 else []

    def finish(self) -> list[str]:
        return []


def test_every_order_is_counted_and_every_state_looked_at_once() -> None:
    """As many orders as there are ways to take turns, and no more states than there are."""
    found = explore(lambda: Counters(6))
    assert (found.schedules, found.states) == (comb(12, 6), 49)
    assert found.violation is None
    assert found.complete


@pytest.mark.parametrize(
    "plan",
    [
        Plan(((0, "set"),), "unheard"),
        Plan(((0, "delete"),), "late"),
        Plan(((0, "incr"),), "lost", start="no integer"),
        MemoryPlan(((0, "set 1"), (1, "delete"))),
        MemoryPlan(((0, "get"), (0, "incr")), "in Redis, no integer"),
        LoadPlan(((0, "load"), (1, "delete"))),
    ],
    ids=str,
)
def test_orders_that_are_told_together_go_on_together(plan: Any) -> None:
    """Run one by one, with no two states taken for the same, there are as many."""
    one_by_one = plan.__call__

    def make() -> Any:
        run = one_by_one()
        run.state = object
        return run

    assert explore(make).schedules == explore(plan).schedules


def test_a_violation_is_told_with_its_order() -> None:
    """The events that lead to it, and what is wrong then."""
    path, wrong = explore(lambda: Counters(3, wrong=2)).violation
    assert (sorted(path), wrong) == ([("up", 0)] * 2 + [("up", 1)] * 2, ["both"])


def test_what_is_raised_is_a_violation() -> None:
    """No flow may raise."""

    class Raising(Counters):
        def do(self, event: Event) -> None:
            raise ZeroDivisionError("by zero")

    assert explore(lambda: Raising(1)).violation == (
        [("up", 0)],
        ["raised ZeroDivisionError: by zero"],
    )


def test_whoever_comes_back_to_where_it_was_ends_nothing() -> None:
    """One who polls may come back to the same state; each state is looked at all the same."""

    class Polling(Counters):
        def do(self, event: Event) -> None:
            self.at[event[1]] = (self.at[event[1]] + 1) % 3

    assert explore(lambda: Polling(3)).states == 9


def test_it_stops_in_time() -> None:
    """And says that it is not done."""
    assert not explore(Plan(((0, "set"), (1, "set")), "late"), until=time.monotonic()).complete


def test_the_command_tells_what_it_explored(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each kind of plan; nothing found is success."""
    assert command.main(["--operations", "1", "--loads", "1", "--nodes", "1", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"\| 1 operations on 1 nodes \| (\d+) \| \1 \|", out)
    assert "0 plans broke a promise" in out


def test_the_command_tells_how_to_see_a_violation_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found once, the order can be followed step by step."""
    original = MemoryTier.install

    def install(self: MemoryTier, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
        return original(self, key, copy, deadline, self.ticket(key))

    monkeypatch.setattr(MemoryTier, "install", install)
    assert command.main(["--operations", "1", "--loads", "1", "--nodes", "1"]) == 1
    out = capsys.readouterr().out
    lines = out.partition("to see it again:\n")[2].splitlines()[:2]
    seen: dict[str, Any] = {}
    exec("\n".join(line.strip() for line in lines), seen)
    assert seen["run"].wrong() or seen["run"].finish()
