"""The plans that are explored: what the suite runs of them, and the longer ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product

from . import test_loads
from .exploration import Event, frozen
from .model import Task, World
from .outage_model import FAULTS
from .outages import Plan
from .promises import CHANGES
from .promises import OPERATIONS as OUTAGE_OPERATIONS
from .test_interleavings import OPERATIONS, SINGLE_STEP, STARTS


@dataclass(frozen=True)
class MemoryPlan:
    """Operations on nodes whose Redis is always there.

    Attributes:
        operations: nodes and names.
        start: what there is at the beginning.
        deliveries: how many messages each node hears before the operations have returned; the
            others it hears afterwards.
    """

    operations: tuple[tuple[int, str], ...]
    start: str = "in memories"
    deliveries: int = 2

    @property
    def size(self) -> int:
        """A number that grows with the states there are."""
        return len(self.operations)

    def __call__(self) -> MemoryRun:
        """Begin it."""
        return MemoryRun(self)


@dataclass
class MemoryRun:
    """A world on its way through one order of a plan."""

    plan: MemoryPlan
    world: World = field(init=False)
    tasks: list[Task] = field(init=False)

    def __post_init__(self) -> None:
        count = 1 + max(node for node, _ in self.plan.operations)
        self.world = World.of(count)
        STARTS[self.plan.start](self.world)
        self.tasks = [
            Task(lambda name=name, node=self.world.nodes[node]: OPERATIONS[name](node))
            for node, name in self.plan.operations
        ]
        self.deliveries_left = [self.plan.deliveries] * count

    def events(self) -> list[Event]:
        """Return which operations may go on, and who may hear a message."""
        steps = [
            ("step", number)
            for number, task in enumerate(self.tasks)
            if not task.done and not task.blocked
        ]
        return steps and [
            *steps,
            *[
                ("deliver", node)
                for node, box in enumerate(self.world.mail)
                if box and self.deliveries_left[node]
            ],
        ]

    def do(self, event: Event) -> None:
        """Let an operation go on, or a node hear a message."""
        name, number = event
        if name == "step":
            self.world.advance(self.tasks[number], self.plan.operations[number][0])
        else:
            self.deliveries_left[number] -= 1
            self.world.deliver(number)

    def state(self) -> Hashable:
        """Return all that its future and the verdict depend on."""
        return frozen(self.world), frozen(self.tasks), tuple(self.deliveries_left)

    def wrong(self) -> list[str]:
        """Return how memories and Redis differ once nothing is under way any more."""
        if any(task.begun and not task.done for task in self.tasks):
            return []
        return [f"{where}: {what}" for where, what in self.world.disagreements().items()]

    def finish(self) -> list[str]:
        """Deliver what is under way; judge again."""
        self.world.settle()
        return self.wrong()


@dataclass(frozen=True)
class LoadPlan(MemoryPlan):
    """Loads and changes of what they are computed from."""

    start: str = "nothing"

    def __call__(self) -> LoadRun:
        """Begin it."""
        return LoadRun(self)


class LoadRun(MemoryRun):
    """A world in which values are computed from a source, on its way through one order."""

    def __post_init__(self) -> None:
        count = 1 + max(node for node, _ in self.plan.operations)
        self.world = World.of(count)
        test_loads.STARTS[self.plan.start](self.world)
        known = {**test_loads.LOADS, **test_loads.UPDATES}
        self.tasks = [
            Task(lambda name=name, place=place: known[name](self.world, self.world.nodes[place]))
            for place, name in self.plan.operations
        ]
        self.deliveries_left = [self.plan.deliveries] * count

    def events(self) -> list[Event]:
        """Return which operations may go on, and who may hear a message."""
        events = super().events()
        if events or all(task.done for task in self.tasks):
            return events
        # All of them wait: for a message, and be it beyond the plan's, or for time to pass.
        heard = [("deliver", node) for node, box in enumerate(self.world.mail) if box]
        return heard or [
            ("give up", n)
            for n, task in enumerate(self.tasks)
            if not task.done and task.may_give_up
        ]

    def do(self, event: Event) -> None:
        """Let an operation go on, a node hear a message, or the time be over that one waits for."""
        if event[0] == "give up":
            self.tasks[event[1]].gives_up()
        else:
            super().do(event)

    def finish(self) -> list[str]:
        """Deliver what is under way; judge again, by the source as well."""
        wrong = super().finish()
        wrong += [f"{value} is held, the source has another" for value in self.world.untrue()]
        wrong += [f"{left} is left" for left in test_loads.leftovers(self.world)]
        wrong += [f"{task.error!r} was raised" for task in self.tasks if task.error]
        return wrong + [f"{task} waits for ever" for task in self.tasks if not task.done]


def _placed(names: tuple[str, ...], nodes: int) -> Iterator[tuple[tuple[int, str], ...]]:
    """Yield the ways to put operations on nodes; which node is called 0 makes no difference."""
    seen = set()
    for places in product(range(nodes), repeat=len(names)):
        first_seen = {place: number for number, place in enumerate(dict.fromkeys(places))}
        placed = tuple(sorted((first_seen[p], n) for p, n in zip(places, names, strict=True)))
        if placed not in seen:
            seen.add(placed)
            yield placed


def memory_plans(operations: int, nodes: int, deliveries: int) -> Iterator[MemoryPlan]:
    """Yield so many operations of all kinds on up to so many nodes."""
    for names in combinations_with_replacement(OPERATIONS, operations):
        for placed in _placed(names, nodes):
            yield MemoryPlan(placed, deliveries=deliveries)


def single_step_plans(operations: int) -> Iterator[MemoryPlan]:
    """Yield so many operations of a single step on one node."""
    for names in combinations_with_replacement(SINGLE_STEP, operations):
        yield MemoryPlan(tuple((0, name) for name in names), "in Redis")


def load_plans(operations: int, nodes: int, deliveries: int) -> Iterator[LoadPlan]:
    """Yield so many loads and changes on up to so many nodes, at least one of them a load."""
    # Two who set values at once are in step with no source; an entry without tags is not evicted.
    changes = [name for name in test_loads.UPDATES if not name.startswith("set")]
    for names in combinations_with_replacement([*test_loads.LOADS, *changes], operations):
        loads = [name for name in names if name in test_loads.LOADS]
        evicts = any("evict" in name for name in names)
        if not loads or (evicts and any("tagged" not in name for name in loads)):
            continue
        for placed in _placed(names, nodes):
            for start in test_loads.STARTS:
                yield LoadPlan(placed, start, deliveries)


def outage_plans(operations: int, nodes: int) -> Iterator[Plan]:
    """Yield so many operations around an outage, on up to so many nodes, at least one a change.

    Every fault, with and without subscriptions lost, from every beginning, for all nodes or one.
    """
    for names in combinations_with_replacement(OUTAGE_OPERATIONS, operations):
        if not set(names) & set(CHANGES):
            continue
        for placed in _placed(names, nodes):
            count = 1 + max(node for node, _ in placed)
            for fault in FAULTS:
                yield Plan(placed, fault)
                yield Plan(placed, fault, ages=True)
                yield Plan(placed, fault, start="nothing")
                yield Plan(placed, fault, start="no integer")
                yield Plan(placed, fault, journal=0)
                yield Plan(placed, fault, heals=2, falls=2)
                yield Plan(placed, fault, deaf=tuple(range(count)))
                yield from (Plan(placed, fault, away=(node,)) for node in range(count))
