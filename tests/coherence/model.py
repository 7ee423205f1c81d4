"""A model small enough to explore: Redis as a dictionary, the nodes' threads as flows.

The flows are the real ones, on the real memory tier; only time and the server are the model's.
Each step of a flow is cut in two, as on a real server: Redis carries it out at one moment, and
the flow hears of it at a later one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tiercache.codec import pickle_codec
from tiercache.entry import KEPT
from tiercache.errands import HAPPENED, LATE, Compute, Launch, Wait
from tiercache.flights import Traffic
from tiercache.flows import Flows, Habits, Plan
from tiercache.header import MARK, split
from tiercache.keys import LEASE, TAG, lease_of, softened_of
from tiercache.loading import compute
from tiercache.memory import MemoryTier
from tiercache.stats import Calls
from tiercache.steps import (
    FOREVER,
    NOT_AN_INTEGER,
    TAGS_CHANGED,
    Expire,
    Extend,
    Flow,
    Found,
    Increment,
    Numbers,
    Peek,
    Peeked,
    Read,
    Release,
    Remove,
    Rename,
    Scan,
    Soften,
    Step,
    Store,
    Swap,
    Tags,
    Take,
    Taken,
)


class ModelRedis:
    """What the steps mean, on a dictionary: key -> (bytes or integer, when it expires).

    Each change and its message are one step; `told` takes the keys of every change.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.data: dict[str, tuple[Any, float]] = {}
        self.leases: dict[str, str] = {}
        self.given = 0
        self.evictions = 0
        self.told: list[tuple[str, ...]] = []

    def there(self, key: str) -> tuple[Any, float] | None:
        entry = self.data.get(key)
        if entry is not None and entry[1] <= self.clock():
            del self.data[key]
            return None
        return entry

    def left(self, key: str) -> int | None:
        entry = self.there(key)
        if entry is None:
            return None
        return FOREVER if entry[1] == float("inf") else int((entry[1] - self.clock()) * 1000)

    def perform(self, step: Step) -> Any:
        """Carry a step out, and note what the nodes are to be told."""
        before = dict(self.data)
        leases = dict(self.leases)
        answer = getattr(self, f"_{type(step).__name__.lower()}")(step)
        changed = tuple(key for key in step.keys if self._differs(key, before))
        if step.writes and changed:
            # Whatever changed is no more to be loaded from what was before.
            for key in step.keys:
                self.leases.pop(key, None)
        removes = isinstance(step, Remove)
        if step.writes and step.keys and (changed or removes or self.leases != leases):
            self.told.append(step.keys)
        if isinstance(step, Release) and self.leases != leases:
            self.told.append((step.key,))
        return answer

    def _differs(self, key: str, before: dict[str, Any]) -> bool:
        return self.data.get(key) is not before.get(key)

    def alive(self, key: str) -> tuple[Any, float] | None:
        """Return an entry that is fresh, and whose tags have the numbers that it bears."""
        entry = self.there(key)
        if entry is None or not isinstance(entry[0], bytes):
            return entry
        meta, _ = split(entry[0])
        if meta is None:
            return entry
        if entry[1] - meta.grace / 1000 <= self.clock():
            return None
        if any(self.number(tag) != number for tag, number in meta.tags):
            return None
        return entry

    def number(self, tag: str) -> int | None:
        entry = self.there(tag)
        return None if entry is None else entry[0]

    def _end(self, life: int | None) -> float:
        return float("inf") if life is None else self.clock() + life / 1000

    def _read(self, step: Read) -> list[Found | None]:
        found = []
        for key in step.keys:
            entry, left = self.there(key), self.left(key)
            if entry is None or left is None:
                found.append(None)
                continue
            found.append(Found(self._text(entry[0]), left))
        return found

    @staticmethod
    def _text(raw: Any) -> bytes:
        """What a client sees: an integer is text as well."""
        return raw if isinstance(raw, bytes) else str(raw).encode()

    def _peek(self, step: Peek) -> Peeked | None:
        entry, left = self.there(step.keys[0]), self.left(step.keys[0])
        if entry is None or left is None:
            return None
        return Peeked(left, self._text(entry[0])[:1] == MARK)

    def _store(self, step: Store) -> list[bool | str]:
        answers: list[bool | str] = []
        for key, raw in step.items:
            if step.token is not None and self.leases.get(key) != step.token:
                answers.append(False)
                continue
            if any(self.number(tag) != number for tag, number in step.tags):
                if step.token is not None:
                    del self.leases[key]
                answers.append(TAGS_CHANGED)
                continue
            there = self.alive(key) is not None
            allowed = {"": True, "NX": not there, "XX": there}[step.when]
            if allowed:
                self.data[key] = (raw, self._end(step.life))
                self.leases.pop(key, None)
            answers.append(allowed)
        return answers

    def _remove(self, step: Remove) -> int:
        self.evictions += step.evicts
        for key in step.keys:
            self.leases.pop(key.removesuffix(LEASE), None)
            self.data.pop(lease_of(key), None)
        return sum(
            self.there(key) is not None and self.data.pop(key) is not None for key in step.keys
        )

    def _soften(self, step: Soften) -> int:
        self.evictions += 1
        known = [tag for tag in step.keys if self.number(tag) is not None]
        for tag in known:
            self.leases.pop(tag, None)
            softened = self.there(softened_of(tag))
            former = f"-1:{self.number(tag)}"
            former += f",{softened[0].decode().partition(':')[2]}" if softened else ""
            self.data[softened_of(tag)] = (former.encode(), float("inf"))
            del self.data[tag]
        self._numbers(tuple(known))
        return len(known)

    def _numbers(self, tags: tuple[str, ...]) -> Numbers:
        last = self.given
        for tag in tags:
            if self.number(tag) is None:
                self.given += 1
                self.data[tag] = (self.given, float("inf"))
        found = [Found(self._text(self.number(tag)), FOREVER) for tag in tags]
        return Numbers(found, last, self.evictions)

    def _tags(self, step: Tags) -> Numbers:
        return self._numbers(step.tags)

    def _take(self, step: Take) -> Taken:
        numbers = self._numbers(step.tags)
        mine = step.over == "any" or step.key not in self.leases
        if mine:
            self.leases[step.key] = step.token
        (found,) = self._read(Read((step.key,)))
        return Taken(mine, 10_000, found, numbers)

    def _release(self, step: Release) -> bool:
        if self.leases.get(step.key) != step.token:
            return False
        # The model's clock stands still, so nobody rests.
        del self.leases[step.key]
        return True

    def _extend(self, step: Extend) -> bool:
        if self.leases.get(step.key) != step.token:
            return False
        del self.leases[step.key]
        entry = self.there(step.key)
        if entry is None:
            return False
        self.data[step.key] = (entry[0], self._end(step.life))
        return True

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
        entry = self.there(step.key)
        if entry is None or self._text(entry[0]) != step.old:
            return False
        self.data[step.key] = (step.new, entry[1])
        return True

    def _rename(self, step: Rename) -> bool:
        entry = self.there(step.old)
        if entry is None:
            return False
        self.data[step.new] = self.data.pop(step.old)
        return True

    def _scan(self, step: Scan) -> tuple[int, list[str]]:
        leases = [lease_of(key) for key in self.leases]
        return 0, [*leases, *(key for key in list(self.data) if self.there(key))]

    _scantoremove = _scan


class ModelNode:
    """One node: a real memory tier with real flows, on a clock that stands still."""

    def __init__(self, clock: Callable[[], float], name: str = "", shelf: Any = None) -> None:
        self.memory = MemoryTier(
            max_entries=100, max_bytes=10**6, max_entry_bytes=10**5, clock=clock
        )
        self.codec = pickle_codec()
        self.traffic = Traffic(lambda: None)
        self.traffic.begin(name)
        self.flows = Flows(
            memory=self.memory,
            codec=self.codec,
            calls=Calls(),
            shelf=shelf or self.memory,
            traffic=self.traffic,
            habits=Habits(),
            clock=clock,
            undecodable=lambda key, error: None,
        )

    def read(self, key: str) -> Flow[Any]:
        """Read as a face does: memory first."""
        entry = self.memory.fresh(key)
        if entry is not None and self.flows.local.holds(entry):
            return self.flows.local.value(entry)
        return (yield from self.flows.get(key))

    def load(
        self, key: str, source: Callable[[Any], Any], *, tags: tuple[str, ...] = (), **how: Any
    ) -> Flow[Any]:
        """Load as a face does: memory first."""
        entry = self.memory.fresh(key)
        if entry is not None and self.flows.local.holds(entry) and not how.get("force"):
            return self.flows.local.value(entry)
        force = how.pop("force", False)
        plan = Plan(terms=Terms(), timeout=60, grace=how.pop("grace", 0), tags=tags, **how)
        return (yield from self.flows.load(key, source, plan, force=force))


class Terms:
    """Seconds to milliseconds, names to full keys."""

    def life(self, timeout: Any) -> int | None:
        return None if timeout is None else int(timeout * 1000)

    def grace(self, seconds: Any) -> int:
        return int(seconds * 1000)

    def tag(self, name: str) -> str:
        return f":1:{TAG}{name}"


def _tell(flow: Flow[Any]) -> Step:
    return flow.send(None)


def _tell_it_happened(flow: Flow[Any]) -> Step:
    return flow.send(HAPPENED)


@dataclass
class Task:
    """An operation under way: one event begins it, then two for each of its steps.

    What it launches is carried on in its own turns: before it goes on, or after it is done.
    """

    make: Callable[[], Flow[Any]]
    flows: list[Flow[Any]] = field(default_factory=list)
    aside: list[Flow[Any]] = field(default_factory=list)
    waiting: Step | None = None
    answer: Any = None
    answered: bool = False
    begun: bool = False
    result: Any = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.begun and not self.flows

    @property
    def blocked(self) -> bool:
        """Whether it waits for what has not happened."""
        return (
            isinstance(self.waiting, Wait)
            and not self.answered
            and not self.waiting.signal.happened
        )

    def advance(self, redis: ModelRedis) -> None:
        """Do what comes next: begin, let a step be carried out, or hear the answer."""
        if self.done or self.blocked:
            return
        if not self.begun:
            self.begun = True
            self.flows.append(self.make())
            self._go_on(next)
        elif not self.answered:
            self._perform(redis)
        else:
            self.answered = False
            answer = self.answer
            if isinstance(answer, Exception):
                self._go_on(lambda flow: flow.throw(answer))
            else:
                self._go_on(lambda flow: flow.send(answer))

    @property
    def may_give_up(self) -> bool:
        """Whether what it waits for has an end, in time."""
        return isinstance(self.waiting, Wait) and self.waiting.seconds not in (None, math.inf)

    def gives_up(self) -> bool:
        """Let the time be over for which it waits; False if it waits for ever."""
        if self.may_give_up:
            self.answer, self.answered = LATE, True
        return self.may_give_up

    def _perform(self, redis: ModelRedis) -> None:
        step = self.waiting
        assert step is not None
        self.answer, self.answered = None, True
        if isinstance(step, Wait):
            self.answer = HAPPENED
        elif isinstance(step, Compute):
            try:
                self.answer = compute(step.source, step.context)
            except Exception as exc:  # noqa: BLE001 - the flow's to deal with
                self.answer = exc
        else:
            self.answer = redis.perform(step)

    def _go_on(self, resume: Callable[[Flow[Any]], Step]) -> None:
        """Let the innermost flow go on to its next step; where it ends, the one around it.

        What nobody else could come in between of takes no turn of its own.
        """
        while self.flows:
            try:
                self.waiting = resume(self.flows[-1])
            except StopIteration as stop:
                result: Any = stop.value
            except Exception as exc:  # noqa: BLE001 - the caller's
                self.error = exc
                result = exc
            else:
                if isinstance(self.waiting, Wait) and self.waiting.signal.happened:
                    resume = _tell_it_happened
                elif isinstance(self.waiting, Launch):
                    launched = self.waiting.flow
                    (self.aside if self.waiting.aside else self.flows).append(launched)
                    resume = _tell if self.waiting.aside else next
                else:
                    return
                continue
            self.flows.pop()
            if self.flows:
                resume = _tell
                continue
            if self.result is None:
                self.result = result
            self.waiting = None
            if self.aside:
                self.flows.append(self.aside.pop(0))
                resume = next


@dataclass
class World:
    """Some nodes, their Redis, the messages under way, and a clock that the test moves."""

    nodes: list[ModelNode] = field(default_factory=list)
    now: float = 1000.0
    redis: ModelRedis = field(init=False)
    mail: list[deque[tuple[str, ...]]] = field(default_factory=list)
    source: int = 1

    @classmethod
    def of(cls, nodes: int) -> World:
        """Make a world with this many nodes."""
        world = cls()
        world.redis = ModelRedis(lambda: world.now)
        world.nodes = [ModelNode(lambda: world.now, f"node{n}") for n in range(nodes)]
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
            keys = self.mail[node].popleft()
            self.nodes[node].memory.invalidate_many(keys)
            if any(TAG in key for key in keys):
                self.nodes[node].traffic.loads.seal()
            self.nodes[node].traffic.changed(keys)

    def lose(self, node: int) -> None:
        """Cut a node's subscription: what is under way to it is lost."""
        self.nodes[node].memory.pause()
        self.nodes[node].traffic.bells.ring(None)
        self.mail[node].clear()

    def rejoin(self, node: int) -> None:
        """Acknowledge a new subscription: from here on the node is told."""
        self.mail[node].clear()
        self.nodes[node].memory.resume(lambda key: False)

    def finish(self, flow: Flow[Any], node: int = 0) -> Any:
        """Carry an operation out, undisturbed."""
        task = Task(lambda: flow)
        self.complete([task], [node])
        if task.error is not None:
            raise task.error
        return task.result

    def complete(self, tasks: Sequence[Task], places: Sequence[int]) -> None:
        """Carry operations to their ends; where all of them wait, messages are delivered.

        Raises:
            AssertionError: they wait for what never happens.
        """
        while any(not task.done for task in tasks):
            free = [n for n, task in enumerate(tasks) if not task.done and not task.blocked]
            for number in free:
                self.advance(tasks[number], places[number])
            if free:
                continue
            if any(self.mail):
                for node in range(len(self.nodes)):
                    self.deliver(node)
            else:
                # Nobody tells them any more: only those who wait for so long and no longer go on.
                late = [task for task in tasks if not task.done and task.gives_up()]
                assert late, "they wait for each other, or for nothing"

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
                tags = {tag for tag, _ in entry.held.meta.tags} if entry.form & KEPT else set()
                if entry.deadline <= self.now or (tags | {key}) & awaited:
                    continue
                if not node.flows.local.holds(entry):
                    continue
                held, there = node.flows.local.value(entry), self.redis.alive(key)
                if (
                    there is None
                    or self._value(there[0]) != held
                    or entry.deadline > self._end(there)
                ):
                    wrong[number, key] = (held, there)
        return wrong

    def untrue(self) -> list[Any]:
        """Return what is held anywhere, and is not what the source has now."""
        held = [
            node.flows.local.value(entry)
            for node in self.nodes
            for key, entry in node.memory.entries.items()
            if TAG not in key and node.flows.local.holds(entry)
        ]
        stored = [
            self._value(e[0])
            for key in list(self.redis.data)
            if TAG not in key and (e := self.redis.alive(key))
        ]
        return [value for value in held + stored if value != self.source]

    @staticmethod
    def _end(there: tuple[Any, float]) -> float:
        meta = split(there[0])[0] if isinstance(there[0], bytes) else None
        return there[1] - (meta.grace / 1000 if meta else 0) + 1e-9

    def _value(self, raw: Any) -> Any:
        return raw if isinstance(raw, int) else self.nodes[0].codec.unpack(split(raw)[1])[0]


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
