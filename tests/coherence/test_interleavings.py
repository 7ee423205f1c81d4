"""Every order of every two operations, on one node and on two: memory is never behind Redis.

The claim: when all operations have returned and all messages are delivered, every copy is what
Redis has and does not outlive it; and before that, only copies about which a message is under
way may differ. And the test has teeth: with any one of the four guards of the protocol taken out,
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

from .model import ModelNode, Task, World, schedules

KEY = ":1:key"

Operation = Callable[[ModelNode], Flow[Any]]

OPERATIONS: dict[str, Operation] = {
    "get": lambda node: node.read(KEY),
    "get_many": lambda node: node.flows.get_many((KEY, ":1:other")),
    "set 1": lambda node: node.flows.set(KEY, 1, 60_000),
    "set 2": lambda node: node.flows.set(KEY, 2, None),
    "set_many": lambda node: node.flows.set_many({KEY: 3, ":1:other": 3}, 60_000),
    "add": lambda node: node.flows.set(KEY, 4, 60_000, "NX"),
    "set gone": lambda node: node.flows.set(KEY, 5, 0),
    "delete": lambda node: node.flows.delete((KEY,)),
    "touch": lambda node: node.flows.expire(KEY, "TOUCH", 1000, 1000),
    "incr": lambda node: node.flows.increment(KEY, 10),
    "rename": lambda node: node.flows.rename(KEY, ":2:key"),
    "clear": lambda node: node.flows.remove_pattern(":*", lambda key: True),
}


def in_memories(world: World) -> None:
    """Begin with a value in Redis of which every node has a copy."""
    world.finish(world.nodes[0].flows.set(KEY, 100, None))
    world.settle()
    for number, node in enumerate(world.nodes):
        world.finish(node.read(KEY), number)


STARTS: dict[str, Callable[[World], object]] = {
    "nothing": lambda world: None,
    "in Redis": lambda world: world.redis.data.update({KEY: (100, float("inf"))}),
    "in memories": in_memories,
    "in Redis, no integer": lambda world: world.redis.data.update(
        {KEY: (world.nodes[0].codec.pack(1.5).raw, float("inf"))}
    ),
}

SINGLE_STEP = ("get", "set 1", "set 2", "delete", "incr", "touch")


def run(
    names: tuple[str, ...], places: tuple[int, ...], order: list[int], start: str, nodes: int
) -> World:
    """Let operations on these nodes, and one node's deliveries, take turns in this order.

    A turn past the operations' numbers delivers a message: the first of them to node 0, the
    next to node 1, and so on. Whoever is done is passed over.
    """
    world = World.of(nodes)
    STARTS[start](world)
    tasks = [
        Task(lambda name=name, node=world.nodes[place]: OPERATIONS[name](node))
        for name, place in zip(names, places, strict=True)
    ]
    for turn in order:
        if turn < len(tasks):
            world.advance(tasks[turn], places[turn])
        else:
            world.deliver(turn - len(tasks))
    # A loop of compare and swap may need more turns than were planned, and so may a load.
    world.complete(tasks, places)
    return world


def violations(
    names: tuple[str, ...],
    start: str,
    *,
    places: tuple[int, ...] | None = None,
    events: int = 3,
    deliveries: tuple[int, ...] = (),
) -> list[str]:
    """Return every order of these operations after which memory and Redis differ.

    Args:
        places: the node of each operation, all on one if not given.
        events: turns of each operation: begin, and two for each of its steps.
        deliveries: turns in which each node is given a message.
    """
    places = places or (0,) * len(names)
    nodes = max(len(deliveries), max(places) + 1)
    found = []
    for order in schedules([events] * len(names) + list(deliveries)):
        world = run(names, places, order, start, nodes)
        wrong = world.disagreements()
        world.settle()
        wrong = wrong or world.disagreements()
        if wrong:
            found.append(f"{names} on {places} from {start!r} in order {order}: {wrong}")
    return found


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "names", list(combinations_with_replacement(OPERATIONS, 2)), ids=" + ".join
)
def test_two_operations_on_one_node(names: tuple[str, ...], start: str) -> None:
    """Whatever the order of two threads' steps, no copy differs from Redis afterwards."""
    assert violations(names, start, events=5) == []


@pytest.mark.parametrize(
    "names", list(combinations_with_replacement(OPERATIONS, 2)), ids=" + ".join
)
def test_two_operations_on_two_nodes(names: tuple[str, ...]) -> None:
    """Nor after one operation on each of two nodes, wherever the messages arrive in between."""
    assert violations(names, "in memories", places=(0, 1), deliveries=(1, 1)) == []


@pytest.mark.parametrize(
    "names", list(combinations_with_replacement(SINGLE_STEP[:5], 3)), ids=" + ".join
)
def test_three_operations_on_one_node(names: tuple[str, ...]) -> None:
    """Nor after three threads' operations that take one step each."""
    assert violations(names, "in Redis") == []


@pytest.mark.parametrize(
    "names",
    [("get", "get", "set 1"), ("get", "set 1", "set 2"), ("get", "delete", "set 1")],
    ids=" + ".join,
)
def test_two_threads_here_and_one_there(names: tuple[str, ...]) -> None:
    """Nor after two threads of one node and one of another."""
    assert violations(names, "in Redis", places=(0, 0, 1), deliveries=(1,)) == []


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_many_operations_on_three_nodes(data: st.DataObject) -> None:
    """Nor after any number of operations, while time passes and subscriptions come and go."""
    world = World.of(3)
    names = data.draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=3, max_size=8))
    places = [data.draw(st.integers(0, 2)) for _ in names]
    tasks = [
        Task(lambda name=name, node=world.nodes[place]: OPERATIONS[name](node))
        for name, place in zip(names, places, strict=True)
    ]
    deaf: set[int] = set()
    while any(not task.done and not task.blocked for task in tasks):
        match data.draw(st.sampled_from(["step", "step", "step", "deliver", "time", "ear"])):
            case "step":
                number = data.draw(
                    st.sampled_from(
                        [n for n, task in enumerate(tasks) if not task.done and not task.blocked]
                    )
                )
                world.advance(tasks[number], places[number])
            case "deliver":
                world.deliver(data.draw(st.integers(0, 2)))
            case "time":
                world.now += data.draw(st.sampled_from([0.4, 30.0]))
            case "ear":
                node = data.draw(st.integers(0, 2))
                (world.rejoin if node in deaf else world.lose)(node)
                deaf ^= {node}
        for node in deaf:
            world.mail[node].clear()
        if all(not task.begun or task.done for task in tasks):
            check(world, deaf)
    world.complete(tasks, places)
    world.settle()
    check(world, deaf)


def check(world: World, deaf: set[int]) -> None:
    """What a node without a subscription still holds is not read, so it may differ."""
    assert {
        place: wrong for place, wrong in world.disagreements().items() if place[0] not in deaf
    } == {}


def test_what_is_read_while_the_subscription_is_lost_is_not_kept() -> None:
    """Between the loss of a subscription and the next acknowledgement memory keeps nothing."""
    world = World.of(2)
    in_memories(world)
    world.lose(0)
    world.finish(world.nodes[1].flows.set(KEY, 1, None), 1)
    assert world.finish(world.nodes[0].flows.get(KEY), 0) == 1
    held = world.nodes[0].memory.entries.get(KEY)
    assert held is None or held.held == 100, "a new copy was kept without a subscription"
    world.rejoin(0)
    assert KEY not in world.nodes[0].memory.entries


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize(
    "name", ["set 1", "set_many", "add", "delete", "touch", "incr", "rename", "clear"]
)
def test_an_aborted_write_leaves_no_copy(name: str, carried_out: bool) -> None:
    """When a write is cancelled while Redis carries it out, memory does not keep the old value."""
    world = World.of(1)
    in_memories(world)
    task = Task(lambda: OPERATIONS[name](world.nodes[0]))
    task.advance(world.redis)
    if carried_out:
        task.advance(world.redis)
    (flow,) = task.flows
    flow.close()
    assert world.disagreements() == {}


class TestTeeth:
    """With a guard taken out the exploration finds what goes wrong."""

    @staticmethod
    def found() -> bool:
        return any(
            violations(pair, start)
            for pair in combinations_with_replacement(SINGLE_STEP, 2)
            for start in ("in Redis", "in memories")
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

    def test_a_node_that_does_not_drop_on_reconnect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was changed while the subscription was lost must not be served afterwards."""

        def resume(self: MemoryTier, keep: Callable[[str], bool]) -> None:
            self._paused = False

        monkeypatch.setattr(MemoryTier, "resume", resume)
        world = World.of(2)
        in_memories(world)
        world.lose(0)
        world.finish(world.nodes[1].flows.set(KEY, 1, None), 1)
        world.rejoin(0)
        assert world.disagreements()

    def test_a_node_that_keeps_what_it_reads_while_deaf(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fill that began before the subscription was lost must not end up in memory."""
        monkeypatch.setattr(MemoryTier, "pause", lambda self: None)
        monkeypatch.setattr(MemoryTier, "resume", lambda self, keep: None)
        world = World.of(2)
        STARTS["in Redis"](world)
        world.lose(0)
        world.finish(world.nodes[0].flows.get(KEY), 0)
        world.finish(world.nodes[1].flows.set(KEY, 1, None), 1)
        world.rejoin(0)
        assert world.disagreements()
