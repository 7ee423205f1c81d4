"""Callers at a steady rate, and what they notice in each phase of `benchmarks.gateway_outage`."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.coherence_history import quantile
from benchmarks.gateway.client import Answer, Connection

MOST_PATIENCE = 30.0
"""Seconds that a caller waits."""


@dataclass(slots=True)
class Phase:
    """What callers noticed in one phase.

    Attributes:
        name: what the upstream servers did.
        seconds: how long it was.
        times: seconds from when each request was due to the end of its answer.
        statuses: how many answers had which status; 0 is none at all.
        failure: what the first of the others than 200 was, and said.
        stale: how many of them the gateway called stale.
        oldest: seconds since the oldest answer was made.
        asked: how many requests each upstream server has read.
    """

    name: str
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failure: str = ""
    stale: int = 0
    oldest: float = 0.0
    asked: tuple[int, ...] = ()

    @property
    def failures(self) -> int:
        """How many requests were answered with a 5xx, or not at all."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def quantile(self, share: float) -> float:
        """Return the seconds that so large a share of the requests did not exceed."""
        return quantile(sorted(self.times), share)


class Callers:
    """Ask for many paths in turn, at a rate, over as many connections as that takes.

    A request is sent when it is due, whether those before it were answered or not.

    Attributes:
        phase: to which what is due belongs.
        since: monotonic; what an upstream server makes later is fresh.
        fresh: when each path was first answered with something fresh.
        all_fresh: set when each path was.
        connections: how many were needed.
    """

    def __init__(self, host: str, port: int, paths: list[str], rate: float) -> None:
        self.phase = Phase("before")
        self.since = float("inf")
        self.fresh: dict[str, float] = {}
        self.all_fresh = asyncio.Event()
        self.connections = 0
        self._place = (host, port)
        self._paths = paths
        self._rate = rate
        self._idle: list[Connection] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Task[None] | None = None

    async def once(self) -> None:
        """Ask for each path once, one after the other.

        Raises:
            RuntimeError: An answer is not 200.
        """
        for path in self._paths:
            if (answer := await self._get(path)).status != 200:
                raise RuntimeError(f"{path} was answered {answer.status}: {answer.body[:300]!r}")

    def start(self) -> None:
        """Begin to ask."""
        self._asking = asyncio.create_task(self._ask())

    async def stop(self) -> None:
        """End it: return when the last answer is there."""
        assert self._asking is not None
        self._asking.cancel()
        await asyncio.gather(self._asking, *self._under_way, return_exceptions=True)
        for connection in self._idle:
            connection.close()

    async def _ask(self) -> None:
        begun, number = time.monotonic(), 0
        while True:
            due = begun + number / self._rate
            await asyncio.sleep(due - time.monotonic())
            path = self._paths[number % len(self._paths)]
            task = asyncio.create_task(self._one(self.phase, path, due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            number += 1

    async def _one(self, phase: Phase, path: str, due: float) -> None:
        self._note(phase, path, await self._get(path), due)

    async def _get(self, path: str) -> Answer:
        """Return the answer; one without a status if there is none."""
        if not self._idle:
            self.connections += 1
        connection = self._idle.pop() if self._idle else Connection(*self._place)
        try:
            return await asyncio.wait_for(connection.get(path), MOST_PATIENCE)
        except OSError:  # a timeout is one, too
            connection.close()
            return Answer(0, b"", b"")
        finally:
            self._idle.append(connection)

    def _note(self, phase: Phase, path: str, answer: Answer, due: float) -> None:
        now = time.monotonic()
        phase.times.append(now - due)
        phase.statuses[answer.status] += 1
        if answer.status != 200:
            phase.failure = phase.failure or f"{path}: {answer.status} {answer.body[:500]!r}"
            return
        made = json.loads(answer.body)["made"]
        phase.stale += b"detail=stale" in answer.head
        phase.oldest = max(phase.oldest, now - made)
        if made > self.since:
            self.fresh.setdefault(path, now)
            if len(self.fresh) == len(self._paths):
                self.all_fresh.set()
