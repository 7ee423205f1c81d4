"""A warm-up that is carried out: so many requests at a time, each at its turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from gateway_project.problems import ProblemError
from gateway_project.serving.engine import Gateway
from gateway_project.serving.replies import Reply
from gateway_project.upstreams import BrokenBody, PoolDown, PoolError
from gateway_project.warming.outcomes import Outcome, of_error, of_reply
from gateway_project.warming.pace import Pace
from gateway_project.warming.planning import Visit
from tiercache.exceptions import RedisAway

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

PATIENCE: Final = 10.0
"""Seconds for which a pool that is down is waited for, until it is given up."""

_NOT_KEPT: Final = "Redis takes no writes, so it is kept nowhere."


class Outages:
    """Since when pools are down, and which of them are given up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def over(self, pool: str) -> None:
        """Note that a pool answers."""
        self._since.pop(pool, None)

    def wait(self, pool: str, retry_in: float) -> float | None:
        """Return the seconds until a pool is to be asked again; None if it is given up."""
        now = self._clock()
        down = now - self._since.setdefault(pool, now)
        return retry_in if down + retry_in <= PATIENCE else None


class Run:
    """One warm-up, in one event loop."""

    def __init__(
        self,
        gateway: Gateway,
        cache: TieredCache,
        *,
        refresh: bool,
        pace: Pace,
        told: Callable[[Visit, Outcome], None],
    ) -> None:
        """Make a run.

        Args:
            gateway: whose engine is asked: no key is needed there, and nothing is limited.
            cache: its cache; what does not reach Redis has failed.
            refresh: load anew what is there.
            pace: when a request may begin.
            told: called with each request that is done, and with what came of it.
        """
        self._gateway = gateway
        self._cache = cache
        self._refresh = refresh
        self._pace = pace
        self._told = told
        self._outages = Outages()
        self._workers: list[asyncio.Task[None]] = []

    async def carry_out(self, visits: Iterable[Visit], *, concurrency: int) -> None:
        """Make all requests, so many at a time."""
        left = iter(visits)
        async with asyncio.TaskGroup() as group:
            self._workers = [group.create_task(self._work(left)) for _ in range(concurrency)]

    def stop(self) -> None:
        """Let go of what is under way, and begin nothing more."""
        for worker in self._workers:
            worker.cancel()

    async def _work(self, left: Iterable[Visit]) -> None:
        for visit in left:
            await self._pace.turn()
            self._told(visit, await self._outcome(visit))

    async def _outcome(self, visit: Visit) -> Outcome:
        while True:
            try:
                reply = await self._gateway.filled(visit.exchange, anew=self._refresh)
                await let_go(reply)
            except PoolDown as exc:
                wait = self._outages.wait(visit.pool, exc.retry_in)
                if wait is None:
                    return Outcome("unasked", str(exc))
                await asyncio.sleep(wait)
            except RedisAway:
                return Outcome("failed", _NOT_KEPT)
            except (PoolError, BrokenBody, ProblemError) as exc:
                return of_error(exc)
            else:
                return self._kept(visit, of_reply(reply))

    def _kept(self, visit: Visit, outcome: Outcome) -> Outcome:
        if outcome.kind != "there":
            self._outages.over(visit.pool)
        is_up = self._cache.stats().state == "up"
        return outcome if is_up or outcome.kind == "unstorable" else Outcome("failed", _NOT_KEPT)


async def let_go(reply: Reply) -> None:
    """Close a body that comes in parts: one that was never begun would not close what it holds."""
    if not isinstance(reply.body, bytes):
        await anext(reply.body, None)
        await reply.body.aclose()
