"""What a process holds once per store: the memory tier, the ways to Redis, and who tends them."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from . import keeper, notices
from .answering import Answering
from .codec import Codec
from .drivers import adrive, drive
from .exceptions import RedisAway, Undecodable
from .flights import Traffic
from .flows import Flows, FlowsAlone, Habits
from .healing import heal
from .health import Health, State
from .memory import MemoryTier
from .messages import Post
from .meter import Meter
from .options import Options
from .passage import Passage
from .portrait import Portrait, Situation
from .questions import Question
from .reports.history import History
from .reports.mishaps import described
from .reports.report import Report
from .runner import Runner
from .sampling import Sampler
from .shelves import Shelves
from .stats import COUNTED, Calls, Stats
from .steps import Flow, Release, Step
from .telling import Telling

if TYPE_CHECKING:
    from .backplane import Backplane

ROUND = 30
"""Seconds in which the sweep goes once round the memory tier."""

LEAST_SWEPT = 256
"""Entries that each step of the sweep looks at, at the least."""

_visits = 0

_T = TypeVar("_T")


@contextmanager
def visiting() -> Generator[None]:
    """Use stores in this block as a passer-by: nodes made in it neither listen nor report.

    For commands, which are no part of the cluster that they look at: their memory holds nothing.
    A node that is used again afterwards becomes an ordinary one.
    """
    global _visits  # noqa: PLW0603 - read where a node gets ready, in whatever thread
    _visits += 1
    try:
        yield
    finally:
        _visits -= 1


class Node:
    """One store in one process. Thread-safe; made on first use, after any fork.

    Args:
        name: the store as logs call it, without secrets.
        scope: what the site's nodes on this store have in common (`stores.scope_of`).
        options: those of the alias that was first.
        codec: the store's value format.
        pool: returns redis-py's pool for the store's server; None for memory alone.

    Attributes:
        passage: the way to Redis.
        health: whether that is to be gone.
        meter: what is measured on it.
        shelves: where hits are looked up.
        id: this node among all that share the store; another after a fork.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        codec: Codec,
        pool: Callable[[], Any] | None,
        *,
        scope: str = "",
    ) -> None:
        self.name = name
        self.scope = scope
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
        self.shelves = Shelves(self.memory, options.max_bytes)
        self.traffic = Traffic(keeper.wake)
        self._pool = pool
        self._calls: dict[str | None, Calls] = {}
        self.passage = Passage(name, pool, self._get_ready, self.clock)
        self._begin()

    def _begin(self) -> None:
        self.id = secrets.token_hex(8)
        self.health = Health(self.clock, self._state_changed)
        self.traffic.begin(self.id)
        self.meter = Meter()
        self._answering = Answering(self.id, self.memory, self.clock)
        self._state_since = self.clock()
        self._sampler = Sampler(
            self.memory.entries, self.codec.loads, self.meter.memory, self._set_shelves
        )
        self.passage.begin(self.health, self.meter, Runner(self.run, self.arun, self.traffic.loads))
        self._lock = threading.Lock()
        self._trust_lock = threading.Lock()
        self._undecodables = notices.Undecodables(self.name)
        self._backplane: Backplane | None = None
        self._telling: Telling | None = None
        self._ready = False
        self._set_shelves()

    # For the faces

    def flows(self, alias: str | None, options: Options) -> Flows:
        """Return the operations for one alias; its counters are those of all its faces."""
        kind = FlowsAlone if self._pool is None else Flows
        return kind(
            memory=self.memory,
            shelf=self.shelves.strict if options.raises else self.shelves.loose,
            traffic=self.traffic,
            codec=self.codec,
            calls=self.calls(alias),
            habits=Habits(
                cache=alias or "",
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
        return drive(flow, self.passage.perform, budget)

    async def arun(self, flow: Flow[_T], budget: float) -> _T:
        """Drive a flow to its end on the running event loop."""
        if not self._ready:
            self._get_ready()
        return await adrive(flow, self.passage.aperform, budget)

    def stats(self, alias: str | None) -> Stats:
        """Return a snapshot: the alias's calls, the store's memory and errors."""
        calls = self.calls(alias)
        errors = MappingProxyType(self.meter.errors)
        return Stats(
            **{name: getattr(calls, name) for name in COUNTED},
            evictions=MappingProxyType(self.memory.evictions),
            errors=errors,
            timeouts=errors.get("timeout", 0),
            entries=len(self.memory),
            bytes=self.memory.bytes,
            state=self.state,
            backplane=self.hearing,
            opened=self.health.reads.opened + self.health.writes.opened,
            journaled=len(self.health.journal),
        )

    @property
    def state(self) -> State:
        """Whether Redis is asked (see `Stats.state`)."""
        return self.health.state if self._pool else "alone"

    @property
    def hearing(self) -> str:
        """Whether changes are heard of (see `Stats.backplane`)."""
        if self._pool is None or self.options.backplane == "none":
            return "none"
        return "joined" if self._backplane and self._backplane.connected else "lost"

    # For operators

    def asked_on(self) -> str | None:
        """Return the channel on which the store's nodes are asked; None where nobody listens."""
        if not self._ready:
            self._get_ready()
        return None if self._backplane is None else self._backplane.asked_on

    def answer(self, question: Question) -> dict[str, Any]:
        """Answer a question here and now (`Answering.answer`)."""
        return self._answering.answer(question)

    # Getting ready

    def _get_ready(self) -> None:
        """On first use, so after any fork: make the way to Redis, listen, be looked after."""
        with self._lock:
            if self._ready:
                return
            if self._pool is not None and not self.passage.is_open:
                self._connect(self._pool())
            if _visits:
                return
            self._telling = self._make_telling()
            keeper.keeper.look_after(self)
            self._ready = True
        if self._backplane is not None:
            self._backplane.start()

    @property
    def _post(self) -> Post | None:
        return self._backplane.post if self._backplane else None

    def _connect(self, pool: Any) -> None:
        from .backplane import Backplane

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
                meter=self.meter,
                echoed=self._echoed,
                scope=self.scope,
                answer=self._answering.hear,
            )
        self.passage.open(pool, self._post)
        self._set_shelves()

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
            entries = self._sampler.lookup
            self.shelves.set(
                loose=entries if heard or state == "away" else None,
                strict=entries if heard and state == "up" else None,
            )

    def _is_own(self, key: str) -> bool:
        """Tell whether Redis is not asked about a key, so that its copy is all there is."""
        return self.health.state == "away" or key in self.health.journal

    # In the background

    def tend(self) -> float | None:
        """Sweep a part of the memory tier, see whether Redis is back, and report what is due."""
        self.memory.sweep(max(LEAST_SWEPT, len(self.memory) // ROUND))
        self.traffic.sweep(self.clock())
        self._release_abandoned()
        if self.health.probe_due(self.clock()):
            flow = heal(self.health, self.memory, f"tiercache:probe:{self.id}", self._subscribe)
            drive(flow, self._ask, self.options.time_budget)
        if self._telling is not None:
            self._telling.turn()
        due = self.health.next_probe()
        return None if due is None else max(due - self.clock(), 0.0)

    def farewell(self) -> None:
        """Report for the last time, so that nobody waits for this process."""
        if self._telling is not None:
            self._telling.farewell()

    def _release_abandoned(self) -> None:
        """Give back leases whose holders were cancelled, so that others need not wait for them."""
        while self.traffic.abandoned:
            key, token = self.traffic.abandoned.popleft()
            try:
                self._carry_out(Release(key, token))
            except RedisAway:
                # The lease ends by itself.
                return

    def _ask(self, step: Step, _: float) -> Any:
        return self.passage.ask(step, self.options.time_budget)

    def _carry_out(self, step: Step) -> Any:
        return self.passage.perform(step, time.monotonic() + self.options.time_budget)

    def _subscribe(self) -> None:
        if self._backplane is not None:
            self._backplane.doubt()

    def _state_changed(self, state: State) -> None:
        self._state_since = self.clock()
        self._set_shelves()
        notices.redis_changed(Node, self.name, state, self.health.reason)
        if state != "up":
            keeper.wake()

    def _report_undecodable(self, key: str, error: Undecodable) -> None:
        self.meter.note("undecodable", described(error), self.clock())
        self._undecodables.tell(key, error)

    # What is told of it

    def report(self) -> tuple[Report, History]:
        """Return the node's own report as of now, and what it knows of its past."""
        return (self._telling or self._make_telling()).report()

    @property
    def visits(self) -> bool:
        """Whether this process is none of the store's nodes: it neither listens nor reports."""
        return not self._ready and _visits > 0

    def _make_telling(self) -> Telling:
        portrait = Portrait(
            id=self.id,
            scope=self.scope,
            options=self.options,
            memory=self.memory,
            meter=self.meter,
            calls=self._calls,
            situation=self._situation,
        )
        reports = self.options.report < math.inf
        return Telling(
            portrait,
            self._sampler,
            samples=reports,
            lag=self.meter.lag,
            clock=self.clock,
            ask=self._carry_out if reports and self._pool is not None else None,
            post=self._post,
        )

    def _situation(self) -> Situation:
        return Situation(
            state=self.state,
            reason=self.health.reason,
            state_since=self._state_since,
            backplane=self.hearing,
            backplane_since=self._backplane.since if self._backplane else self._state_since,
            journaled=len(self.health.journal),
            with_redis=self._pool is not None,
        )

    def _echoed(self) -> None:
        if self._telling is not None:
            self._telling.heard()

    def close(self) -> None:
        """Drop everything and close what is idle; the node is not used any more."""
        keeper.keeper.let_go(self)
        self.memory.invalidate_all()
        if self._backplane is not None:
            self._backplane.close()
        self.passage.close()

    def reset_after_fork(self) -> None:
        """In a child: nothing held, no connection, no lock of the parent's."""
        self.memory.reset_after_fork()
        self.shelves.begin()
        for calls in self._calls.values():
            calls.reset()
        journal = self.health.journal
        self._begin()
        self.health.journal.namespaces = journal.namespaces
        self.health.journal.complete = journal.complete
