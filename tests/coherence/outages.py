"""Plans of operations around an outage, as runs that can be explored."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from tiercache.entry import MISSING
from tiercache.journal import MOST_KEYS

from .exploration import Event
from .outage_model import FAULTS, KEY, OutageTask, OutageWorld
from .promises import LIFE, OPERATIONS, Book

START = 100


def in_memories(world: OutageWorld) -> None:
    """Begin with a value of which every node has a copy."""
    world.redis.data[KEY] = (START, float("inf"))
    _read_by_all(world)


def no_integer(world: OutageWorld) -> None:
    """Begin with one that Redis cannot add to."""
    world.redis.data[KEY] = (world.nodes[0].codec.pack(START + 0.5).raw, float("inf"))
    _read_by_all(world)


def _read_by_all(world: OutageWorld) -> None:
    for number in range(world.count):
        world.finish(OutageTask(number, lambda number=number: world.nodes[number].read(KEY)))


STARTS: dict[str, Callable[[OutageWorld], None]] = {
    "in memories": in_memories,
    "no integer": no_integer,
    "nothing": lambda world: None,
}


@dataclass(frozen=True)
class Plan:
    """Operations, each on a node, and what befalls them; every order of it is to be tried.

    Attributes:
        operations: nodes and names.
        fault: how the server fails ("": it does not).
        away: for which nodes it does, all if not given.
        deaf: which nodes lose their subscription and get another.
        heals: how often each node may try to heal in between; at last it does in any case.
        falls: how often it fails.
        ages: whether time passes.
        journal: how many keys a journal tells apart.
    """

    operations: tuple[tuple[int, str], ...]
    fault: str = ""
    away: tuple[int, ...] | None = None
    deaf: tuple[int, ...] = ()
    heals: int = 1
    falls: int = 1
    ages: bool = False
    journal: int = MOST_KEYS
    start: str = "in memories"
    nodes: int = 0

    @property
    def size(self) -> int:
        """A number that grows with the states there are."""
        nodes = len({node for node, _ in self.operations})
        healing = len(self.away) if self.away else nodes
        more = self.ages + (self.fault == "late") + 2 * (self.falls - 1) + 2 * len(self.deaf)
        return len(self.operations) + nodes + healing + more

    def __call__(self) -> OutageRun:
        """Begin it."""
        return OutageRun(self)


@dataclass
class OutageRun:
    """A world on its way through one order of a plan."""

    plan: Plan
    world: OutageWorld = field(init=False)
    tasks: list[OutageTask] = field(init=False)
    book: Book = field(init=False)
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = self.plan
        count = plan.nodes or 1 + max(node for node, _ in plan.operations)
        self.world = OutageWorld(count)
        for each in self.world.nodes:
            each.health.journal._most_keys = plan.journal
        STARTS[plan.start](self.world)
        self.tasks = [
            OutageTask(
                node,
                lambda node=self.world.nodes[node], name=name, number=number: OPERATIONS[name](
                    node, number
                ),
            )
            for number, (node, name) in enumerate(plan.operations)
        ]
        self.book = Book(plan.operations)
        self.healers: dict[int, OutageTask] = {}
        self.heals_left = [plan.heals] * count
        self.falls_left = plan.falls if plan.fault else 0
        self.ears_left = [int(node in plan.deaf) for node in range(count)]
        self.ages_left = int(plan.ages)

    # What may happen

    def events(self) -> list[Event]:
        """Return what may happen next."""
        world = self.world
        events: list[Event] = [
            ("step", number)
            for number, task in enumerate(self.tasks)
            if task.stage != "done" and not task.blocked
        ]
        if world.faults:
            events.append(("return",))
        elif self.falls_left:
            events.append(("fall",))
        else:
            events.extend(("wake", place) for place in range(len(world.late)))
        for number in range(world.count):
            events.extend(self._events_of(number))
        if self.ages_left:
            events.append(("age",))
        return events

    def _events_of(self, number: int) -> list[Event]:
        ear, events = self.world.nodes[number].ear, []
        if number in self.healers or (self.heals_left[number] and self._is_down(number)):
            events.append(("heal", number))
        if self.world.mail[number] and ear.connected:
            events.append(("deliver", number))
        if ear.hears and ear.connected:
            if self.ears_left[number]:
                events.append(("cut", number))
        elif ear.connected:
            events.append(("notice", number))
        elif ear.hears:
            events.append(("join", number))
        elif number not in self.world.faults:
            events.append(("subscribe", number))
        return events

    def _is_down(self, number: int) -> bool:
        return self.world.nodes[number].health.next_probe() is not None

    # What happens

    def do(self, event: Event) -> None:
        """Let it happen."""
        name, *arguments = event
        getattr(self, f"_{name}")(*arguments)

    def _step(self, number: int) -> None:
        task, book = self.tasks[number], self.book
        stage = task.stage
        if stage == "begin":
            book.begin(number)
        task.advance(self.world)
        if task.stage == "go_on" and stage != "go_on":
            book.fail(number)
        if task.stage == "done":
            book.end(number, task.result)
            self.found += book.wrong_read(number)

    def _heal(self, number: int) -> None:
        if number not in self.healers:
            self.heals_left[number] -= 1
            self.healers[number] = self.world.healer(number)
        healer = self.healers[number]
        healer.advance(self.world)
        if healer.stage == "done":
            del self.healers[number]
            if not self._is_down(number):
                self.book.disturb(number, healed=True)

    def _fall(self) -> None:
        self.falls_left -= 1
        away = range(self.world.count) if self.plan.away is None else self.plan.away
        self.world.faults.update((node, FAULTS[self.plan.fault]) for node in away)

    def _return(self) -> None:
        self.world.faults.clear()
        for healer in self.healers.values():
            healer.answered = 0

    def _wake(self, place: int) -> None:
        self.world.wake(place)

    def _deliver(self, number: int) -> None:
        if KEY in self.world.deliver(number):
            self.book.disturb(number)

    def _cut(self, number: int) -> None:
        self.ears_left[number] -= 1
        self.world.cut(number)

    def _notice(self, number: int) -> None:
        self.world.nodes[number].ear.lost()

    def _subscribe(self, number: int) -> None:
        self.world.nodes[number].ear.hears = True

    def _join(self, number: int) -> None:
        self.world.nodes[number].ear.joined()

    def _age(self) -> None:
        self.ages_left -= 1
        self.world.now += LIFE + 1
        self.book.let_time_pass(all_known=not self.world.late)

    # What must not be

    def state(self) -> Hashable:
        """Return all that its future and the verdict depend on."""
        return (
            self.world.state(),
            tuple([task.state() for task in self.tasks]),
            tuple([(number, healer.state()) for number, healer in sorted(self.healers.items())]),
            self.book.state(),
            (self.falls_left, *self.heals_left, *self.ears_left, self.ages_left),
        )

    def wrong(self) -> list[str]:
        """Return which promises are broken here."""
        world, wrong = self.world, self.found[:]
        there = world.redis.alive(KEY)
        if there is not None:
            wrong += self.book.wrong_in_redis(self._value(there[0]))
        for number, node in enumerate(world.nodes):
            for write, value in self.book.own_writes(number):
                answer = node.alone(KEY)
                if answer != value:
                    wrong.append(f"node {number} answers {answer}, its operation {write} {value}")
            if all(task.node != number or not task.under_way for task in self.tasks):
                wrong += self._differing(number)
        return wrong

    def _differing(self, number: int) -> list[str]:
        """Judge a node's copies: what it trusts is what Redis has, and ends no later.

        Neither is asked while it cannot hear, or answers alone; nor of keys about which a
        message is under way, or which wait to be made good.
        """
        world, node = self.world, self.world.nodes[number]
        if not (node.ear.hears and node.ear.connected) or node.health.state == "away":
            return []
        wrong = []
        for key, entry in node.memory.entries.items():
            awaited = any(key in keys for keys in world.mail[number])
            if entry.deadline <= world.now or awaited or key in node.health.journal:
                continue
            held, there = node.flows.local.value(entry), world.redis.alive(key)
            if there is None and node.health.state != "up":
                # Removed there by the healing, which drops the node's own copy at its end.
                continue
            if there is None or self._value(there[0]) != held:
                wrong.append(f"node {number} has {held} under {key}, Redis {there}")
            elif entry.deadline > there[1] + 1e-9:
                wrong.append(f"node {number} keeps {key} to {entry.deadline}, Redis to {there[1]}")
        return wrong

    def _value(self, raw: Any) -> Any:
        return raw if isinstance(raw, int) else self.world.nodes[0].codec.unpack(raw)[0]

    def finish(self) -> list[str]:
        """Let Redis be back, every node hear and heal; what is wrong then stays so."""
        world = self.world
        self._return()
        for number in range(world.count):
            self._recover(number)
        for number in range(world.count):
            while world.mail[number]:
                self._deliver(number)
        wrong = [f"node {n} does not heal" for n in range(world.count) if self._is_down(n)]
        everything = frozenset(range(len(self.tasks)))
        for number, node in enumerate(world.nodes):
            read = world.finish(OutageTask(number, lambda node=node: node.read(KEY)))
            by = None if read is MISSING else self.book.replaced(read, everything)
            if by is not None:
                wrong.append(f"node {number} reads {read}, which operation {by} had replaced")
        return wrong + self.wrong()

    def _recover(self, number: int) -> None:
        ear = self.world.nodes[number].ear
        if not (ear.hears and ear.connected):
            if ear.connected:
                ear.lost()
            self.world.join(number)
        # One that was begun while Redis was away may fail yet; the next does not.
        for _ in range(2):
            if number in self.healers or self._is_down(number):
                self._heal(number)
            while number in self.healers:
                self._heal(number)
