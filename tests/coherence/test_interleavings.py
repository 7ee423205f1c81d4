"""Every order of every two operations, and of three: memory never ends up behind Redis.

The claim: when all operations have returned, a copy in memory is what Redis has and does not
outlive it. And the test has teeth: with any one of the four guards of the protocol taken out,
it finds an order in which the claim does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercache.entry import Copy
from tiercache.memory import MemoryTier
from tiercache.steps import Flow

from .model import Task, World, schedules

KEY = ":1:key"

Operation = Callable[[World], Flow[Any]]

OPERATIONS: dict[str, Operation] = {
    "get": lambda world: world.node.read(KEY),
    "get_many": lambda world: world.node.flows.get_many((KEY, ":1:other")),
    "set 1": lambda world: world.node.flows.set(KEY, 1, 60_000),
    "set 2": lambda world: world.node.flows.set(KEY, 2, None),
    "set_many": lambda world: world.node.flows.set_many({KEY: 3, ":1:other": 3}, 60_000),
    "add": lambda world: world.node.flows.set(KEY, 4, 60_000, "NX"),
    "set gone": lambda world: world.node.flows.set(KEY, 5, 0),
    "delete": lambda world: world.node.flows.delete((KEY,)),
    "touch": lambda world: world.node.flows.expire(KEY, "TOUCH", 1000, 1000),
    "incr": lambda world: world.node.flows.increment(KEY, 10),
    "rename": lambda world: world.node.flows.rename(KEY, ":2:key"),
    "clear": lambda world: world.node.flows.remove_pattern(":*", lambda key: True),
}

STARTS: dict[str, Callable[[World], None]] = {
    "nothing": lambda world: None,
    "in Redis": lambda world: world.redis.data.update({KEY: (100, float("inf"))}),
    "in both": lambda world: world.finish(world.node.flows.set(KEY, 100, None)),
    "in Redis, no integer": lambda world: world.redis.data.update(
        {KEY: (world.node.codec.pack(1.5).raw, float("inf"))}
    ),
}

MOST_EVENTS = 7
"""Events of one operation at the most: begin, and two for each step."""


def run(operations: list[Operation], order: list[int], start: Callable[[World], None]) -> World:
    """Let the operations take turns in this order; whoever is done is passed over."""
    world = World()
    start(world)
    tasks = [Task(lambda op=op: op(world)) for op in operations]
    for turn in order:
        if not tasks[turn].done:
            tasks[turn].advance(world.redis)
    # A loop of compare and swap may need more turns than were planned.
    for task in tasks:
        while not task.done:
            task.advance(world.redis)
    return world


def violations(names: tuple[str, ...], start: str, events: int = MOST_EVENTS) -> list[str]:
    """Return every order of these operations after which memory and Redis differ."""
    operations = [OPERATIONS[name] for name in names]
    found = []
    for order in schedules([events] * len(names)):
        wrong = run(operations, order, STARTS[start]).disagreements()
        if wrong:
            found.append(f"{names} from {start!r} in order {order}: {wrong}")
    return found


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("names", list(combinations_with_replacement(OPERATIONS, 2)), ids=" + ".join)
def test_two_operations_in_every_order(names: tuple[str, ...], start: str) -> None:
    """Whatever the order of two operations' steps, no copy differs from Redis afterwards."""
    assert violations(names, start, events=5) == []


@pytest.mark.parametrize(
    "names",
    list(combinations_with_replacement(["get", "set 1", "set 2", "delete", "incr"], 3)),
    ids=" + ".join,
)
def test_three_operations_in_every_order(names: tuple[str, ...]) -> None:
    """Nor does one after three operations that take one step each."""
    assert violations(names, "in Redis", events=3) == []


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_many_operations_in_random_order(data: st.DataObject) -> None:
    """Nor after any number of them, while time passes and entries expire."""
    world = World()
    names = data.draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=3, max_size=8))
    tasks = [Task(lambda op=OPERATIONS[name]: op(world)) for name in names]
    while any(not task.done for task in tasks):
        task = data.draw(st.sampled_from([task for task in tasks if not task.done]))
        task.advance(world.redis)
        world.now += data.draw(st.sampled_from([0.0, 0.0, 0.0, 0.4, 30.0]))
        if all(t.flow is None or t.done for t in tasks):
            assert world.disagreements() == {}
    assert world.disagreements() == {}


def test_an_aborted_write_leaves_no_copy() -> None:
    """When a write is cancelled while Redis carries it out, memory does not keep the old value."""
    for name in ("set 1", "set_many", "add", "delete", "touch", "incr", "rename", "clear"):
        for carried_out in (False, True):
            world = World()
            STARTS["in both"](world)
            task = Task(lambda name=name, world=world: OPERATIONS[name](world))
            task.advance(world.redis)
            if carried_out:
                task.advance(world.redis)
            assert task.flow is not None
            task.flow.close()
            assert world.disagreements() == {}, (name, carried_out)


class TestTeeth:
    """With a guard taken out the exploration finds what goes wrong."""

    @staticmethod
    def found() -> bool:
        names = ["get", "set 1", "set 2", "delete", "incr", "touch"]
        return any(
            violations(pair, start, events=3)
            for pair in combinations_with_replacement(names, 2)
            for start in ("in Redis", "in both")
        )

    def test_as_it_is_nothing_is_found(self) -> None:
        """The control: with all guards in place these plans find nothing."""
        assert not self.found()

    def test_a_fill_without_its_ticket_check(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Guard 1: a fill that raced with a change must not be kept."""
        original = MemoryTier.install

        def install(self: MemoryTier, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
            return original(self, key, copy, deadline, self.ticket(key))

        monkeypatch.setattr(MemoryTier, "install", install)
        assert self.found()

    def test_a_write_that_leaves_tickets_valid_when_it_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Guard 2: a fill that began during a write must not replace the written copy."""

        def finish(self: MemoryTier, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
            if self.ticket(key) != ticket:
                self.invalidate(key)
                return False
            return self.install(key, copy, deadline, ticket)

        monkeypatch.setattr(MemoryTier, "finish", finish)
        assert self.found()

    def test_a_write_that_keeps_its_copy_whatever_came_between(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Guard 3: of two writes at once nobody here knows which was the last."""
        original = MemoryTier.finish

        def finish(self: MemoryTier, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
            return original(self, key, copy, deadline, self.ticket(key))

        monkeypatch.setattr(MemoryTier, "finish", finish)
        assert self.found()

    def test_a_change_that_does_not_drop_the_copy_afterwards(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Guard 4: what was read while a delete was under way must go when it is done."""
        monkeypatch.setattr(MemoryTier, "invalidate_many", lambda self, keys: None)
        assert self.found()
