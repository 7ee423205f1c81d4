"""Loads in every order with changes: what was computed from what is no more is kept nowhere.

The claim: whatever happens while a value is computed, at the end Redis and every memory hold
nothing or what the source has now; no copy differs from Redis; and every load brings a value that
the source had while somebody waited for it. And the test has teeth: without the lease's token,
with leases that changes leave in place, with tags' numbers from after the computation, or with
callers who join a load that began before a change they know of, it finds an order that fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercache.flights import Flights
from tiercache.flows import Extras
from tiercache.flows.loads import Loads
from tiercache.steps import Flow

from .model import ModelNode, ModelRedis, Task, Terms, World, schedules

KEY = ":1:key"
TAG = Terms().tag("t")

Operation = Callable[[World, ModelNode], Flow[Any]]


def load(world: World, node: ModelNode, **how: Any) -> Flow[Any]:
    return node.load(KEY, lambda: world.source, **how)


def update(world: World, node: ModelNode, then: Callable[[], Flow[Any]]) -> Flow[Any]:
    """Change what values are computed from, then tell the cache, as a site does."""
    world.source += 1
    return (yield from then())


def tag_while_computing(world: World, node: ModelNode) -> Flow[Any]:
    def compute(context: Any) -> int:
        context.tag("t")
        return world.source

    return node.load(KEY, compute)


LOADS: dict[str, Operation] = {
    "load": load,
    "load tagged": lambda world, node: load(world, node, tags=("t",)),
    "load, tagged meanwhile": tag_while_computing,
    "load anew": lambda world, node: load(world, node, force=True),
    "load without lease": lambda world, node: load(world, node, lease=False),
}

UPDATES: dict[str, Operation] = {
    "delete": lambda world, node: update(world, node, lambda: node.flows.delete((KEY,))),
    "evict": lambda world, node: update(world, node, lambda: node.flows.evict((TAG,))),
    "evict softly": lambda world, node: update(
        world, node, lambda: node.flows.evict((TAG,), soft=True)
    ),
    "set": lambda world, node: update(
        world, node, lambda: node.flows.set(KEY, world.source, 60_000)
    ),
    "set tagged": lambda world, node: update(
        world, node, lambda: node.flows.set(KEY, world.source, 60_000, "", Extras(0, (TAG,)))
    ),
    "clear": lambda world, node: update(
        world, node, lambda: node.flows.remove_pattern(":*", lambda key: True)
    ),
}

PAIRS = [
    (loading, changing)
    for loading in LOADS
    for changing in UPDATES
    # An entry without the tag is not evicted with it.
    if "evict" not in changing or "tagged" in loading
]

STARTS: dict[str, Callable[[World], object]] = {
    "nothing": lambda world: None,
    "stale": lambda world: world.finish(stale(world)),
}


def stale(world: World) -> Flow[Any]:
    yield from world.nodes[0].flows.set(KEY, 0, 1, "", Extras(10_000, (TAG,)))
    world.now += 1


def run(
    operations: list[Operation],
    places: tuple[int, ...],
    order: list[int],
    start: str,
    nodes: int,
) -> tuple[World, list[Task]]:
    world = World.of(nodes)
    STARTS[start](world)
    tasks = [
        Task(lambda operation=operation, place=place: operation(world, world.nodes[place]))
        for operation, place in zip(operations, places, strict=True)
    ]
    for turn in order:
        if turn < len(tasks):
            world.advance(tasks[turn], places[turn])
        else:
            world.deliver(turn - len(tasks))
    world.complete(tasks, places)
    return world, tasks


def violations(
    names: tuple[str, ...],
    events: tuple[int, ...],
    *,
    start: str = "nothing",
    places: tuple[int, ...] | None = None,
    deliveries: tuple[int, ...] = (),
    first: bool = False,
) -> list[str]:
    """Return every order of these operations that breaks the claim (or the first)."""
    places = places or (0,) * len(names)
    operations = [{**LOADS, **UPDATES}[name] for name in names]
    found = []
    for order in schedules([*events, *deliveries]):
        world, tasks = run(operations, places, order, start, max(places) + 1)
        wrong: Any = world.disagreements()
        world.settle()
        wrong = wrong or world.disagreements() or world.untrue()
        wrong = wrong or [task.error for task in tasks if task.error] or leftovers(world)
        if wrong:
            found.append(f"{names} on {places} from {start!r} in order {order}: {wrong}")
            if first:
                break
    return found


def leftovers(world: World) -> list[Any]:
    """Return what is still under way when nothing should be."""
    under_way = [node.traffic for node in world.nodes if len(node.traffic)]
    return [*under_way, *world.redis.leases.items()]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("names", PAIRS, ids=" + ".join)
def test_a_load_and_a_change_on_one_node(names: tuple[str, ...], start: str) -> None:
    """Whatever the order of their steps, what was computed before the change is not kept."""
    assert violations(names, (9, 3), start=start) == []


@pytest.mark.parametrize("names", PAIRS, ids=" + ".join)
def test_a_load_here_and_a_change_there(names: tuple[str, ...]) -> None:
    """Nor where they are on two nodes, wherever the message arrives in between."""
    assert violations(names, (9, 3), places=(0, 1), deliveries=(1,)) == []


@pytest.mark.parametrize("places", [(0, 0), (0, 1)])
@pytest.mark.parametrize("names", [("load", "load"), ("load tagged", "load")], ids=" + ".join)
def test_two_loads_compute_once(names: tuple[str, ...], places: tuple[int, ...]) -> None:
    """Two callers, on one node or on two, cause one computation, whatever the order."""
    for order in schedules([6, 6] if places == (0, 0) else [5, 5, 1]):
        calls: list[int] = []

        def counted(world: World, node: ModelNode, calls: list[int] = calls) -> Flow[Any]:
            return node.load(KEY, lambda: calls.append(1) or world.source)

        world, tasks = run([counted, counted], places, order, "nothing", max(places) + 1)
        assert len(calls) == 1, order
        assert [task.result for task in tasks] == [1, 1], order
        assert leftovers(world) == []


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_many_loads_and_changes_on_three_nodes(data: st.DataObject) -> None:
    """Nor with any number of them on three nodes, while subscriptions come and go."""
    world = World.of(3)
    # Two who set different values at once are not in step with any source.
    everything = {**LOADS, "delete": UPDATES["delete"], "clear": UPDATES["clear"]}
    names = data.draw(st.lists(st.sampled_from(sorted(everything)), min_size=3, max_size=7))
    places = [data.draw(st.integers(0, 2)) for _ in names]
    tasks = [
        Task(lambda name=name, place=place: everything[name](world, world.nodes[place]))
        for name, place in zip(names, places, strict=True)
    ]
    deaf: set[int] = set()
    while free := [n for n, task in enumerate(tasks) if not task.done and not task.blocked]:
        match data.draw(st.sampled_from(["step", "step", "step", "deliver", "ear"])):
            case "step":
                number = data.draw(st.sampled_from(free))
                world.advance(tasks[number], places[number])
            case "deliver":
                world.deliver(data.draw(st.integers(0, 2)))
            case "ear":
                node = data.draw(st.integers(0, 2))
                (world.rejoin if node in deaf else world.lose)(node)
                deaf ^= {node}
        for node in deaf:
            world.mail[node].clear()
    world.complete(tasks, places)
    for node in deaf:
        world.rejoin(node)
    world.settle()
    assert world.disagreements() == {}
    assert world.untrue() == []
    assert leftovers(world) == []
    assert [task.error for task in tasks if task.error] == []


class TestTeeth:
    """With a guard taken out the exploration finds what goes wrong."""

    @staticmethod
    def found(*names: str, **how: Any) -> bool:
        return bool(violations(names, (9, 3), first=True, **how))

    def test_a_store_that_does_not_ask_for_the_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was computed before a delete must not be stored after it."""
        original = ModelRedis._store

        def store(self: ModelRedis, step: Any) -> Any:
            step.token = None
            return original(self, step)

        monkeypatch.setattr(ModelRedis, "_store", store)
        assert self.found("load", "delete")

    def test_a_change_that_leaves_the_lease(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A delete takes the lease of the load under way with it."""
        original = ModelRedis.perform

        def perform(self: ModelRedis, step: Any) -> Any:
            leases = dict(self.leases)
            answer = original(self, step)
            if type(step).__name__ == "Remove":
                self.leases = leases
            return answer

        monkeypatch.setattr(ModelRedis, "perform", perform)
        assert self.found("load", "delete")

    def test_numbers_of_tags_from_after_the_computation(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An entry bears the numbers that its tags had before it was computed."""

        def numbers_after(self: Loads, load: Any) -> Flow[Any]:
            return (yield from self._given_numbers(load.tags)).numbers if load.tags else {}

        monkeypatch.setattr(Loads, "_numbers_before", numbers_after)
        assert self.found("load tagged", "evict")
        assert self.found("load, tagged meanwhile", "evict")

    def test_callers_who_join_what_began_before_a_change(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asks after a change was acknowledged must not get what was computed before it."""

        def join(board: Callable[..., Any]) -> list[Any]:
            monkeypatch.setattr(Flights, "board", board)
            world = World.of(1)
            first = Task(lambda: load(world, world.nodes[0]))
            while not world.redis.leases:
                world.advance(first, 0)
            for _ in range(2):  # it computes, and has not stored
                world.advance(first, 0)
            world.finish(UPDATES["delete"](world, world.nodes[0]))
            second = Task(lambda: load(world, world.nodes[0]))
            world.complete([second, first], [0, 0])
            return [first.result, second.result]

        original = Flights.board
        assert join(original) == [1, 2]

        def careless(self: Flights, key: str, ticket: int, *, alone: bool = False) -> Any:
            flight = self._flights.get(key)
            return (flight, False) if flight else original(self, key, ticket, alone=alone)

        assert join(careless) == [1, 1]
