"""Outages in the model: a server that fails in every way, nodes that decide and heal as real ones.

What a node decides is decided by the methods of `Node`, `Backplane`, `Health` and `heal`
themselves. Only the threads and the server are the model's: each step of a flow is cut where
another thread, another node or the server may come in between.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tiercache.backplane import Backplane
from tiercache.entry import Entry
from tiercache.errands import HAPPENED, Wait
from tiercache.exceptions import RedisAway
from tiercache.healing import heal
from tiercache.health import Health
from tiercache.meter import Meter
from tiercache.node import Node
from tiercache.passage import Passage
from tiercache.shelves import Shelves
from tiercache.steps import Flow, Probe, Read, Step

from .exploration import frozen
from .model import ModelNode, ModelRedis

HEAD = ":1:"
KEY, OTHER, RENAMED = ":1:key", ":1:other", ":2:key"


class Fault(NamedTuple):
    """How the server fails: what the client sees, and when the step is carried out."""

    kind: str
    carried_out: Literal["never", "at once", "late"]

    def hits(self, step: Step) -> bool:
        """Tell whether it keeps this step from being answered; a full server serves reads."""
        return self.kind != "full" or step.writes or isinstance(step, Probe)


FAULTS = {
    "refused": Fault("refused", "never"),
    "lost": Fault("closed", "never"),
    "unheard": Fault("closed", "at once"),
    "slow": Fault("timeout", "at once"),
    "late": Fault("timeout", "late"),
    "full": Fault("full", "never"),
}


class OutageRedis(ModelRedis):
    """The model of Redis, with the step by which a healer asks whether it is back."""

    def _probe(self, step: Probe) -> bool:
        return True


class OneServer:
    """The only server that there is; steps go to it without a connection."""

    def renew(self) -> None:
        """Nothing has to be made anew."""


class Ear:
    """A node's backplane without its thread; `hears` is whether the server tells it anything."""

    joined, lost, heard = Backplane.joined, Backplane.lost, Backplane.heard
    _distrust = Backplane._distrust

    def _tell(self, state: str) -> None:
        """Nobody is told."""

    def __init__(self, node: OutageNode) -> None:
        self.hears = self.connected = False
        self._memory, self._keep, self._changed = node.memory, node._is_own, node._set_shelves
        self._node_id, self._store, self._traffic = "me", "model", node.traffic
        self._meter = node.meter
        self._primary = OneServer()
        # So that nothing is logged.
        self._closed = True


class NoSamples(NamedTuple):
    """No hit is looked at more closely."""

    lookup: dict[str, Entry]


class OutageNode(ModelNode):
    """One node with its health, its shelf and its backplane."""

    _admit, _failed = Passage._admit, Passage._failed
    _is_own, _set_shelves = Node._is_own, Node._set_shelves

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.shelves = Shelves(self.memory, 10**6)
        self.shelf = self.shelves.of(HEAD, strict=False)
        self.clock = clock
        self.name, self._pool, self._remote = "model", object(), object()
        self._trust_lock, self.meter = threading.Lock(), Meter()
        self._sampler = NoSamples(self.memory.entries)
        self.health = Health(clock, lambda state: self._set_shelves())
        self.health.journal.namespaces.add(":*")
        self._backplane = self.ear = Ear(self)
        self.ear.hears = True
        self.ear.joined()

    def read(self, key: str) -> Flow[Any]:
        """Read as a face does: what is on the shelf first."""
        entry = self._found(key)
        if entry is not None:
            return self.flows.local.value(entry)
        return (yield from self.flows.get(key))

    def _found(self, key: str) -> Entry | None:
        names, name = self.shelf.names, key.removeprefix(HEAD)
        for entry in (names.get(name), self.shelf.entries.get(key)):
            if entry is not None and self.clock() < entry.deadline:
                self.shelf.learn(names, name, entry)
                return entry
        return None

    def alone(self, key: str) -> Any:
        """Return what a read answers without Redis; the text "asks Redis" if it would ask."""
        entry = self.shelf.entries.get(key)
        fresh = entry is not None and self.clock() < entry.deadline
        if not fresh and not self.health.refuses(Read((key,))):
            return "asks Redis"
        return self.flows.local.get(key)

    def state(self) -> Hashable:
        """Return all that its future depends on."""
        health, journal = self.health, self.health.journal
        return (
            frozen(self.memory),
            frozen(self.flows),
            frozen(self.traffic),
            (health.reads.open, health.reads._failures),
            (health.writes.open, health.writes._failures),
            (tuple(journal._keys), tuple(journal._patterns), frozenset(journal._asked_for)),
            journal.overflowed,
            (self.ear.hears, self.ear.connected, self.shelf.entries is self.memory.entries),
            frozen(dict(self.shelf.names)),
        )


@dataclass
class OutageTask:
    """A flow under way on a node: `advance` is one event of it.

    They are: begin; be let through or refused; let Redis carry the step out, or fail; hear of it
    (a failure is noted here); go on. What succeeds is heard and gone on with at once, as nothing
    that others see lies between. Where it waits for another's look-up, nothing comes next until
    that is over. A healer is never refused, and its failures are not counted.
    """

    node: int
    make: Callable[[], Flow[Any]]
    heals: bool = False
    flow: Flow[Any] | None = None
    waiting: Step | None = None
    stage: str = "begin"
    outcome: Any = None
    result: Any = None
    asked: int = 0
    answered: int = 0

    @property
    def under_way(self) -> bool:
        return self.stage not in ("begin", "done")

    @property
    def blocked(self) -> bool:
        return isinstance(self.waiting, Wait) and not self.waiting.signal.happened

    def advance(self, world: OutageWorld) -> None:
        """Do what comes next."""
        getattr(self, f"_{self.stage}")(world)
        while self.heals and self._is_its_own_business():
            getattr(self, f"_{self.stage}")(world)

    def _is_its_own_business(self) -> bool:
        """Tell whether what a healer does next neither sees nor changes what others share.

        Then it may as well do it now: asking first, and hearing of the first probe or of a failure.
        """
        if self.stage == "hear":
            return self.asked == 1 or isinstance(self.outcome, RedisAway)
        return self.stage == "arrive" and not self.asked

    def state(self) -> Hashable:
        """Return all that its future depends on."""
        return self.stage, frozen(self.flow), frozen(self.outcome), self.asked, self.answered

    def _begin(self, world: OutageWorld) -> None:
        self.flow = self.make()
        self._resume(next)

    def _wait(self, world: OutageWorld) -> None:
        self._resume(lambda flow: flow.send(HAPPENED))

    def _admit(self, world: OutageWorld) -> None:
        try:
            world.nodes[self.node]._admit(self.waiting)
        except RedisAway as away:
            self.outcome, self.stage = away, "go_on"
        else:
            self.stage = "arrive"

    def _arrive(self, world: OutageWorld) -> None:
        assert self.waiting is not None
        self.asked += 1
        self.outcome, self.stage = world.carry_out(self, self.waiting), "hear"

    def _hear(self, world: OutageWorld) -> None:
        failed = isinstance(self.outcome, RedisAway)
        if failed and not self.heals:
            world.nodes[self.node]._failed(self.waiting, 0, self.outcome)
            self.stage = "go_on"
            return
        if not self.heals:
            world.nodes[self.node].health.succeeded(self.waiting)
        self._go_on(world)

    def _go_on(self, world: OutageWorld) -> None:
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, RedisAway):
            self._resume(lambda flow: flow.throw(outcome))
        else:
            self._resume(lambda flow: flow.send(outcome))

    def _resume(self, move: Callable[[Flow[Any]], Step]) -> None:
        try:
            self.waiting = move(self.flow)
            waits = isinstance(self.waiting, Wait)
            self.stage = "wait" if waits else "arrive" if self.heals else "admit"
        except StopIteration as stop:
            self.result, self.flow, self.waiting, self.stage = stop.value, None, None, "done"


@dataclass
class OutageWorld:
    """Some nodes, their Redis and how it fails, and the messages under way."""

    count: int
    now: float = 1000.0
    faults: dict[int, Fault] = field(default_factory=dict)
    late: list[tuple[int, Step]] = field(default_factory=list)
    redis: OutageRedis = field(init=False)
    nodes: list[OutageNode] = field(init=False)
    mail: list[deque[tuple[str, ...]]] = field(init=False)

    def __post_init__(self) -> None:
        self.redis = OutageRedis(lambda: self.now)
        self.nodes = [OutageNode(lambda: self.now) for _ in range(self.count)]
        self.mail = [deque() for _ in range(self.count)]

    def healer(self, node: int) -> OutageTask:
        """Return the healing of a node, to be carried out as its keeper does."""
        health, memory = self.nodes[node].health, self.nodes[node].memory

        def subscribe() -> None:
            self.cut(node)
            self.nodes[node].ear.lost()

        return OutageTask(node, lambda: heal(health, memory, "probe", subscribe), heals=True)

    def carry_out(self, task: OutageTask, step: Step) -> Any:
        """Let the server do with a step as it can now; return the answer, or what is seen."""
        fault = self.faults.get(task.node)
        if fault is not None and fault.hits(step):
            if fault.carried_out == "at once":
                self.perform(task.node, step)
            elif fault.carried_out == "late":
                self.late.append((task.node, step))
            return RedisAway(*fault[:1])
        # Whoever is answered twice asked again after the server had begun to read.
        if task.heals and task.answered:
            self.wake()
        task.answered += 1
        return self.perform(task.node, step)

    def perform(self, node: int, step: Step) -> Any:
        """Carry a step out, and tell the others who hear."""
        answer = self.redis.perform(step)
        for keys in self.redis.told:
            for other, box in enumerate(self.mail):
                if other != node and self.nodes[other].ear.hears:
                    box.append(keys)
        self.redis.told.clear()
        return answer

    def finish(self, task: OutageTask) -> Any:
        """Carry an operation out with nothing in between."""
        while task.stage != "done":
            task.advance(self)
        return task.result

    def wake(self, place: int | None = None) -> None:
        """Carry out what was sent while the server was frozen: one step, or all of it."""
        steps = self.late[:] if place is None else [self.late[place]]
        for entry in steps:
            self.late.remove(entry)
            self.perform(*entry)

    def deliver(self, node: int) -> tuple[str, ...]:
        """Let a node hear the next message."""
        keys = self.mail[node].popleft()
        self.nodes[node].ear.heard("another", keys)
        return keys

    def cut(self, node: int) -> None:
        """End a subscription; the node does not know it yet."""
        self.nodes[node].ear.hears = False
        self.mail[node].clear()

    def join(self, node: int) -> None:
        """Acknowledge a new subscription."""
        self.nodes[node].ear.hears = True
        self.nodes[node].ear.joined()

    def state(self) -> Hashable:
        """Return all that its future depends on."""
        return (
            self.now,
            tuple(self.faults),
            tuple([(node, frozen(step)) for node, step in self.late]),
            tuple(sorted(self.redis.data.items())),
            tuple([node.state() for node in self.nodes]),
            tuple(map(tuple, self.mail)),
        )
