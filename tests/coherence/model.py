"""A model small enough to explore: Redis as a dictionary, the nodes' threads as flows.

The flows are the real ones, on the real memory tier; only time and the server are the model's.
Each step of a flow is cut in two, as on a real server: Redis carries it out at one moment, and
the flow hears of it at a later one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tiercache.codec import pickle_codec
from tiercache.flows import Flows
from tiercache.memory import MemoryTier
from tiercache.stats import Calls
from tiercache.steps import (
    FOREVER,
    NOT_AN_INTEGER,
    Exists,
    Expire,
    Flow,
    Found,
    Increment,
    Left,
    Read,
    Remove,
    Rename,
    Scan,
    Step,
    Store,
    Swap,
)


class ModelRedis:
    """What the steps mean, on a dictionary: key -> (bytes or integer, when it expires).

    Each change and its message are one step; `told` takes the keys of every change.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.data: dict[str, tuple[Any, float]] = {}
        self.told: list[tuple[str, ...]] = []

    def alive(self, key: str) -> tuple[Any, float] | None:
        entry = self.data.get(key)
        if entry is not None and entry[1] <= self.clock():
            del self.data[key]
            return None
        return entry

    def left(self, key: str) -> int | None:
        entry = self.alive(key)
        if entry is None:
            return None
        return FOREVER if entry[1] == float("inf") else int((entry[1] - self.clock()) * 1000)

    def perform(self, step: Step) -> Any:
        """Carry a step out, and note what the nodes are to be told."""
        before = dict(self.data)
        answer = getattr(self, f"_{type(step).__name__.lower()}")(step)
        if step.writes and step.keys and self.data != before:
            self.told.append(step.keys)
        return answer

    def _end(self, life: int | None) -> float:
        return float("inf") if life is None else self.clock() + life / 1000

    def _read(self, step: Read) -> list[Found | None]:
        found = []
        for key in step.keys:
            entry, left = self.alive(key), self.left(key)
            if entry is None or left is None:
                found.append(None)
                continue
            found.append(Found(self._text(entry[0]), left))
        return found

    @staticmethod
    def _text(raw: Any) -> bytes:
        """What a client sees: an integer is text as well."""
        return raw if isinstance(raw, bytes) else str(raw).encode()

    def _exists(self, step: Exists) -> bool:
        return self.alive(step.keys[0]) is not None

    def _left(self, step: Left) -> int | None:
        return self.left(step.keys[0])

    def _store(self, step: Store) -> list[bool]:
        answers = []
        for key, raw in step.items:
            there = self.alive(key) is not None
            allowed = {"": True, "NX": not there, "XX": there}[step.when]
            if allowed:
                self.data[key] = (raw, self._end(step.life))
            answers.append(allowed)
        return answers

    def _remove(self, step: Remove) -> int:
        return sum(
            self.alive(key) is not None and self.data.pop(key) is not None for key in step.keys
        )

    def _expire(self, step: Expire) -> bool:
        entry = self.alive(step.key)
        if entry is None:
            return False
        assert step.command == "TOUCH"
        self.data[step.key] = (entry[0], self._end(step.argument))
        self.alive(step.key)
        return True

    def _increment(self, step: Increment) -> Any:
        entry = self.alive(step.key)
        if entry is None:
            return None
        if isinstance(entry[0], bytes):
            return NOT_AN_INTEGER
        self.data[step.key] = (entry[0] + step.delta, entry[1])
        return entry[0] + step.delta

    def _swap(self, step: Swap) -> bool:
        entry = self.alive(step.key)
        if entry is None or self._text(entry[0]) != step.old:
            return False
        self.data[step.key] = (step.new, entry[1])
        return True

    def _rename(self, step: Rename) -> bool:
        entry = self.alive(step.old)
        if entry is None:
            return False
        self.data[step.new] = self.data.pop(step.old)
        return True

    def _scan(self, step: Scan) -> tuple[int, list[str]]:
        return 0, [key for key in list(self.data) if self.alive(key)]

    _scantoremove = _scan


class ModelNode:
    """One node: a real memory tier with real flows, on a clock that stands still."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.memory = MemoryTier(
            max_entries=100, max_bytes=10**6, max_entry_bytes=10**5, clock=clock
        )
        self.codec = pickle_codec()
        self.flows = Flows(
            memory=self.memory,
            codec=self.codec,
            calls=Calls(),
            raises=False,
            cap=float("inf"),
            clock=clock,
            undecodable=lambda key, error: None,
        )

    def read(self, key: str) -> Flow[Any]:
        """Read as a face does: memory first."""
        entry = self.memory.fresh(key)
        if entry is not None:
            return self.flows.local.value(entry)
        return (yield from self.flows.get(key))


@dataclass
class Task:
    """An operation under way: one event begins it, then two for each of its steps."""

    make: Callable[[], Flow[Any]]
    flow: Flow[Any] | None = None
    waiting: Step | None = None
    answer: Any = None
    answered: bool = False
    done: bool = False
    result: Any = None

    def advance(self, redis: ModelRedis) -> None:
        """Do what comes next: begin, let Redis carry the step out, or hear the answer."""
        if self.done:
            return
        try:
            if self.flow is None:
                self.flow = self.make()
                self.waiting = next(self.flow)
            elif not self.answered:
                assert self.waiting is not None
                self.answer, self.answered = redis.perform(self.waiting), True
            else:
                self.answered = False
                self.waiting = self.flow.send(self.answer)
        except StopIteration as stop:
            self.done, self.result = True, stop.value


@dataclass
class World:
    """Some nodes, their Redis, the messages under way, and a clock that the test moves."""

    nodes: list[ModelNode] = field(default_factory=list)
    now: float = 1000.0
    redis: ModelRedis = field(init=False)
    mail: list[deque[tuple[str, ...]]] = field(default_factory=list)

    @classmethod
    def of(cls, nodes: int) -> World:
        """Make a world with this many nodes."""
        world = cls()
        world.redis = ModelRedis(lambda: world.now)
        world.nodes = [ModelNode(lambda: world.now) for _ in range(nodes)]
        world.mail = [deque() for _ in range(nodes)]
        return world

    def advance(self, task: Task, node: int) -> None:
        """Let a node's operation do what comes next; what it changes is told to the others."""
        task.advance(self.redis)
        for keys in self.redis.told:
            for other, box in enumerate(self.mail):
                if other != node:
                    box.append(keys)
        self.redis.told.clear()

    def deliver(self, node: int) -> None:
        """Let a node hear the next message, if there is one."""
        if self.mail[node]:
            self.nodes[node].memory.invalidate_many(self.mail[node].popleft())

    def lose(self, node: int) -> None:
        """Cut a node's subscription: what is under way to it is lost."""
        self.nodes[node].memory.pause()
        self.mail[node].clear()

    def rejoin(self, node: int) -> None:
        """Acknowledge a new subscription: from here on the node is told."""
        self.mail[node].clear()
        self.nodes[node].memory.resume(lambda key: False)

    def finish(self, flow: Flow[Any], node: int = 0) -> Any:
        """Carry an operation out, undisturbed."""
        task = Task(lambda: flow)
        while not task.done:
            self.advance(task, node)
        return task.result

    def settle(self) -> None:
        """Deliver all that is under way."""
        for node, box in enumerate(self.mail):
            while box:
                self.deliver(node)

    def disagreements(self) -> dict[tuple[int, str], tuple[Any, Any]]:
        """Return where a node's memory differs from Redis, and what each has: none is right.

        Copies of keys about which a message is under way may differ until it is delivered.
        """
        wrong = {}
        for number, node in enumerate(self.nodes):
            awaited = {key for keys in self.mail[number] for key in keys}
            for key, entry in node.memory.entries.items():
                if entry.deadline <= self.now or key in awaited:
                    continue
                held = node.flows.local.value(entry)
                there = self.redis.alive(key)
                value = None if there is None else self._value(there[0])
                if there is None or value != held or entry.deadline > there[1] + 1e-9:
                    wrong[number, key] = (held, value)
        return wrong

    def _value(self, raw: Any) -> Any:
        return raw if isinstance(raw, int) else self.nodes[0].codec.unpack(raw)[0]


def schedules(lengths: list[int]) -> Iterator[list[int]]:
    """Yield every order in which tasks of these lengths can take turns."""
    if len(lengths) == 1:
        yield [0] * lengths[0]
        return
    total = sum(lengths)
    last = len(lengths) - 1
    for places in combinations(range(total), lengths[last]):
        for others in schedules(lengths[:last]):
            order = iter(others)
            chosen = set(places)
            yield [last if place in chosen else next(order) for place in range(total)]
