"""What a process holds once per store: the memory tier, the ways to Redis, and who tends them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from . import keeper
from .codec import Codec
from .drivers import adrive, drive
from .entry import Entry
from .errands import Errand
from .exceptions import RedisAway, Undecodable
from .flights import Traffic
from .flows import Flows, Habits
from .healing import heal
from .health import Health, State
from .memory import MemoryTier
from .options import Options
from .runner import Runner
from .stats import Calls, Stats
from .steps import Flow, Release, Step

if TYPE_CHECKING:
    from .aremote import AsyncRemote
    from .backplane import Backplane

logger = logging.getLogger("tiercache")

ROUND = 30
"""Seconds in which the sweep goes once round the memory tier."""

LEAST_SWEPT = 256
"""Entries that each step of the sweep looks at, at the least."""

MOST_REPORTED = 32
"""Kinds of undecodable values that are logged, once each."""

_T = TypeVar("_T")
_NOTHING: dict[str, Entry] = {}
_clients_of_the_parent: list[object] = []


class Shelf:
    """Where the hit path looks: the memory tier's entries, or nothing while it must not.

    Attributes:
        entries: entries by full key, to be read without a lock.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries


class Node:
    """One store in one process. Thread-safe; made on first use, after any fork.

    Args:
        name: the store as logs call it, without secrets.
        options: those of the alias that was first.
        codec: the store's value format.
        pool: returns redis-py's pool for the store's server; None for memory alone.

    Attributes:
        id: this node among all that share the store; another after a fork.
        shelf: where hits are looked up.
        strict_shelf: the same for those who would rather see an error than a node-local answer.
    """

    def __init__(
        self, name: str, options: Options, codec: Codec, pool: Callable[[], Any] | None
    ) -> None:
        self.name = name
        self.options = options
        self.codec = codec
        self.clock = time.monotonic
        self.memory = MemoryTier(
            policy=options.policy,
            max_entries=options.max_entries,
            max_bytes=options.max_bytes,
            max_entry_bytes=options.max_entry_bytes,
            clock=self.clock,
        )
        self.shelf = Shelf(self.memory.entries)
        self.strict_shelf = Shelf(self.memory.entries)
        self.traffic = Traffic(keeper.wake)
        self._pool = pool
        self._calls: dict[str | None, Calls] = {}
        self._begin()

    def _begin(self) -> None:
        self.id = secrets.token_hex(8)
        self.health = Health(self.clock, self._state_changed)
        self.traffic.begin(self.id)
        self._runner = Runner(self.run, self.arun, self.traffic.loads)
        self._lock = threading.Lock()
        self._trust_lock = threading.Lock()
        self._errors: dict[str, int] = {}
        self._reported: set[str] = set()
        # Made when the node gets ready; a node of memory alone never asks for them.
        self._remote: Any = None
        self._wire: Any = None
        self._aremotes: dict[asyncio.AbstractEventLoop, AsyncRemote] = {}
        self._backplane: Backplane | None = None
        self._ready = False
        self._set_shelves()

    # For the faces

    def flows(self, alias: str | None, options: Options) -> Flows:
        """Return the operations for one alias; its counters are those of all its faces."""
        return Flows(
            memory=self.memory,
            shelf=self.strict_shelf if options.raises else self.shelf,
            traffic=self.traffic,
            codec=self.codec,
            calls=self.calls(alias),
            habits=Habits(
                raises=options.raises,
                budget=options.time_budget,
                cap=options.memory_timeout,
                lease=options.lease,
                rest=options.load_retry,
                hears=options.backplane != "none",
            ),
            clock=self.clock,
            undecodable=self._report_undecodable,
        )

    def calls(self, alias: str | None) -> Calls:
        """Return the counters of one alias."""
        return self._calls.setdefault(alias, Calls())

    def run(self, flow: Flow[_T], budget: float) -> _T:
        """Drive a flow to its end; each call spends `budget` seconds on Redis at the most."""
        if not self._ready:
            self._get_ready()
        return drive(flow, self._perform, budget)

    async def arun(self, flow: Flow[_T], budget: float) -> _T:
        """Drive a flow to its end on the running event loop."""
        if not self._ready:
            self._get_ready()
        return await adrive(flow, self._aperform, budget)

    def stats(self, alias: str | None) -> Stats:
        """Return a snapshot: the alias's calls, the store's memory and errors."""
        calls = self.calls(alias)
        with self._lock:
            errors = MappingProxyType(dict(self._errors))
        return Stats(
            **{name: getattr(calls, name) for name in Calls.__slots__},
            evictions=MappingProxyType(self.memory.evictions),
            errors=errors,
            timeouts=errors.get("timeout", 0),
            entries=len(self.memory),
            bytes=self.memory.bytes,
            state=self.health.state if self._pool else "alone",
            backplane=self._backplane_state(),
            opened=self.health.reads.opened + self.health.writes.opened,
            journaled=len(self.health.journal),
        )

    def _backplane_state(self) -> str:
        if self._pool is None or self.options.backplane == "none":
            return "none"
        return "joined" if self._backplane and self._backplane.connected else "lost"

    # Steps

    def _perform(self, step: Step, deadline: float) -> Any:
        if isinstance(step, Errand):
            return self._runner.perform(step, deadline)
        self._admit(step)
        try:
            answer = self._remote.perform(step, deadline)
        except RedisAway as away:
            self._failed(step, away)
            raise
        self.health.succeeded(step)
        return answer

    async def _aperform(self, step: Step, deadline: float) -> Any:
        if isinstance(step, Errand):
            return await self._runner.aperform(step, deadline)
        self._admit(step)
        try:
            answer = await self._the_aremote().perform(step, deadline)
        except RedisAway as away:
            self._failed(step, away)
            raise
        self.health.succeeded(step)
        return answer

    def _admit(self, step: Step) -> None:
        if not self._ready:
            # In the child of a fork that came while the flow was on its way.
            self._get_ready()
        if self._pool is None:
            raise RedisAway("alone", "this cache has no Redis tier")
        if self.health.refuses(step):
            raise RedisAway("open", f"Redis of {self.name} is away ({self.health.reason})")

    def _failed(self, step: Step, away: RedisAway) -> None:
        with self._lock:
            self._errors[away.kind] = self._errors.get(away.kind, 0) + 1
        self.health.failed(step, away)

    def _get_ready(self) -> None:
        """On first use, so after any fork: make the way to Redis, listen, be looked after."""
        with self._lock:
            if self._ready:
                return
            if self._pool is not None:
                self._connect(self._pool())
            keeper.keeper.look_after(self)
            self._ready = True
        if self._backplane is not None:
            self._backplane.start()

    def _connect(self, pool: Any) -> None:
        from .backplane import Backplane
        from .remote import Remote
        from .wire import Wire

        if self.options.backplane != "none":
            self._backplane = Backplane(
                kind=self.options.backplane,
                pool=pool,
                node_id=self.id,
                store=self.name,
                memory=self.memory,
                keep=self._is_own,
                namespaces=self._namespaces,
                changed=self._set_shelves,
                traffic=self.traffic,
            )
        self._wire = Wire(self._backplane.post if self._backplane else None)
        self._remote = Remote(pool, self._wire)
        self._set_shelves()

    def _the_aremote(self) -> AsyncRemote:
        loop = asyncio.get_running_loop()
        remote = self._aremotes.get(loop)
        if remote is None:
            from .aremote import AsyncRemote

            assert self._pool is not None  # noqa: S101 - `_admit` has seen it
            remote = AsyncRemote(self._pool(), self._wire)
            with self._lock:
                # A loop that is closed is never run again; its client went with it.
                ended = [other for other in self._aremotes if other.is_closed()]
                for other in ended:
                    del self._aremotes[other]
                self._aremotes[loop] = remote
        return remote

    def listen_for(self, namespace: str | None) -> None:
        """Take in another cache of this store: what fits the glob is its, to clear and to hear.

        None for one whose key function leaves no pattern.
        """
        journal, before = self.health.journal, self._namespaces()
        if namespace is None:
            journal.complete = False
        else:
            journal.namespaces.add(namespace)
        if self._backplane is not None and self._namespaces() != before:
            self._backplane.namespaces_changed()

    def _namespaces(self) -> frozenset[str]:
        """Return what the keys of this store fit; none if that is not known of all of them."""
        journal = self.health.journal
        return frozenset(journal.namespaces) if journal.complete else frozenset()

    # What is trusted

    def _set_shelves(self) -> None:
        """Let hits be looked up in memory while every change is heard, or nobody else answers.

        Called after each change of either, from several threads: whoever comes last has seen all.
        """
        # Without it, one who has looked but not yet set would undo what another one sets.
        with self._trust_lock:
            state = self.health.state
            heard = self._backplane is None or self._backplane.connected
            entries = self.memory.entries
            self.shelf.entries = entries if heard or state == "away" else _NOTHING
            self.strict_shelf.entries = entries if heard and state == "up" else _NOTHING

    def _is_own(self, key: str) -> bool:
        """Tell whether Redis is not asked about a key, so that its copy is all there is."""
        return self.health.state == "away" or key in self.health.journal

    # In the background

    def tend(self) -> float | None:
        """Sweep a part of the memory tier, and see whether Redis is back if it was away."""
        self.memory.sweep(max(LEAST_SWEPT, len(self.memory) // ROUND))
        self.traffic.sweep(self.clock())
        self._release_abandoned()
        if self.health.probe_due(self.clock()):
            flow = heal(self.health, self.memory, f"tiercache:probe:{self.id}", self._subscribe)
            drive(flow, self._ask, self.options.time_budget)
        due = self.health.next_probe()
        return None if due is None else max(due - self.clock(), 0.0)

    def _release_abandoned(self) -> None:
        """Give back leases whose holders were cancelled, so that others need not wait for them."""
        while self.traffic.abandoned:
            key, token = self.traffic.abandoned.popleft()
            try:
                self._perform(Release(key, token), time.monotonic() + self.options.time_budget)
            except RedisAway:
                # The lease ends by itself.
                return

    def _ask(self, step: Step, _: float) -> Any:
        """Carry a step of healing out, whatever the breakers say; each has a budget of its own."""
        return self._remote.perform(step, time.monotonic() + self.options.time_budget)

    def _subscribe(self) -> None:
        if self._backplane is not None:
            self._backplane.doubt()

    def _state_changed(self, state: State) -> None:
        self._set_shelves()
        extra: Mapping[str, object] = {"store": self.name, "state": state}
        if state == "up":
            logger.info("tiercache.redis.back: %s answers again", self.name, extra=extra)
            return
        logger.warning(
            "tiercache.redis.%s: %s (%s); memory alone answers what it cannot",
            state,
            self.name,
            self.health.reason,
            extra=extra,
        )
        keeper.wake()

    def _report_undecodable(self, key: str, error: Undecodable) -> None:
        kind = type(error.__cause__).__name__
        if kind in self._reported or len(self._reported) >= MOST_REPORTED:
            return
        self._reported.add(kind)
        logger.warning(
            "tiercache.undecodable: %r of %s is a miss: %s; further ones like it are counted only",
            key,
            self.name,
            error,
            extra={"store": self.name},
        )

    def close(self) -> None:
        """Drop everything and close what is idle; the node is not used any more."""
        keeper.keeper.let_go(self)
        self.memory.invalidate_all()
        if self._backplane is not None:
            self._backplane.close()
        if self._remote is not None:
            self._remote.close()

    def reset_after_fork(self) -> None:
        """In a child: nothing held, no connection, no lock of the parent's."""
        self.memory.reset_after_fork()
        journal, remote = self.health.journal, self._remote
        # Letting go of the parent's clients would take their sockets out of its event loops,
        # whose selectors parent and child share.
        _clients_of_the_parent.append(self._aremotes)
        self._begin()
        self.health.journal.namespaces = journal.namespaces
        self.health.journal.complete = journal.complete
        if remote is not None:
            remote.reset_after_fork()
