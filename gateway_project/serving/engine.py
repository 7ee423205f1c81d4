"""The gateway: looks in the cache, asks an upstream, answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from gateway_project.problems import ProblemError
from gateway_project.routing.query import RefusedQuery
from gateway_project.routing.table import Matched, Table
from gateway_project.serving import refusals
from gateway_project.serving.asked import Asked, ReadBody
from gateway_project.serving.exchange import Admission, Exchange
from gateway_project.serving.loads import Load
from gateway_project.serving.passing import Passing
from gateway_project.serving.replies import NAME, Reply, from_incoming, from_stored
from gateway_project.serving.stored import RESPONSE, Packed, Stored, background, reason_of, unpacked
from gateway_project.upstreams import BrokenBody, Pool, PoolError
from tiercache import sources
from tiercache.http import conditional, requests, serving, targets
from tiercache.http.status import Forward, member

if TYPE_CHECKING:
    from tiercache.backend import TieredCache


class Found(NamedTuple):
    """What the cache has brought.

    Attributes:
        packed: what it holds, or why there is nothing that may be held.
        tier: which tier had it; "loaded" or "stale".
        staleness: for how many seconds it has been stale.
        load: that was carried out for it, if one was.
        forward: why an upstream was asked, if one was.
    """

    packed: Packed
    tier: sources.Tier | None
    staleness: float
    load: Load
    forward: Forward

    def fits(self, exchange: Exchange) -> bool:
        """Tell whether it is a response that may answer a request (RFC 9111, 4.1)."""
        return self.packed[0] == RESPONSE and unpacked(self.packed).fits(exchange.sent)


class Gateway:
    """Answers requests by a table of routes, from a cache in front of pools of servers."""

    def __init__(
        self,
        table: Table,
        pools: Callable[[str], Pool],
        cache: TieredCache,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.table = table
        self._pools = pools
        self._cache = cache
        self._clock = clock
        self._admission = Admission(cache, clock)
        self._passing = Passing(table, pools, cache)

    def peek(self, key: str) -> Packed | None:
        """Return what this process's memory has under a key, fresh; None if nothing."""
        packed: Packed | None = self._cache.peek(key)
        return packed

    def largest_request(self, path: bytes, method: str) -> int | None:
        """Return how many bytes the body of a request may have; None if no route has it."""
        with suppress(targets.BadTarget):
            found = self.table.match(targets.parse(path).path, method)
            if isinstance(found, Matched):
                return found.route.largest_request
        return None

    async def answer(self, asked: Asked, read: ReadBody) -> Reply:
        """Answer a request, whatever it is; `read` is called where its body matters."""
        try:
            exchange = await self._admission.admitted(self.table, asked)
        except (ProblemError, RefusedQuery, targets.BadTarget, requests.BadRequest) as exc:
            return refusals.explained(exc)
        reply = await self.exchanged(exchange, read)
        return reply.extended(exchange.told) if exchange.told else reply

    async def exchanged(self, exchange: Exchange, read: ReadBody) -> Reply:
        """Answer a request that is let in."""
        asked = exchange.asked
        try:
            if asked.method not in ("GET", "HEAD"):
                return await self._passing.changed(exchange, read)
            if reason := bypass(exchange):
                told = member(NAME, fwd="bypass", detail=reason)
                return await self._passing.asked(exchange, told)
            if serving.only_if_cached(asked.fields, exchange.route.rules):
                return self._from_memory(exchange)
            return await self._cached(exchange)
        except (PoolError, BrokenBody, ProblemError) as exc:
            return refusals.explained(exc, member(NAME, fwd="miss"))

    async def _cached(self, exchange: Exchange) -> Reply:
        """Answer a GET or HEAD through the cache."""
        key = exchange.place.key
        found = await self._find(exchange, key, "uri-miss")
        if found.packed[0] == RESPONSE and not found.fits(exchange):
            # It is of another variant: this one's has a key of its own.
            key = exchange.place.variant(unpacked(found.packed).vary, exchange.sent)
            found = await self._find(exchange, key, "vary-miss")
        if found.fits(exchange):
            found = await self._current(exchange, key, found)
        if not found.fits(exchange):
            return await self._unstored(exchange, found)
        stored, now = unpacked(found.packed), self._clock()
        return from_stored(stored, exchange.asked, now, _told(stored, found, now))

    async def _find(
        self, exchange: Exchange, key: str, forward: Forward, *, anew: bool = False
    ) -> Found:
        """Return what is under a key; ask the upstream if there is nothing, or `anew`."""
        pool = self._pools(exchange.route.pool)
        load = Load(pool, exchange.route, exchange.place.target, exchange.sent, self._clock)
        tags = exchange.place.tags
        try:
            with sources.watch() as seen:
                if anew:
                    packed = await self._cache.arefresh(key, load, tags=tags)
                else:
                    packed = await self._cache.aget_or_set(
                        key, load, tags=tags, background=background
                    )
        except asyncio.CancelledError:
            await load.abandon()
            raise
        if seen.tier != "loaded":
            # It goes on in the background, if at all; what it must not store is nobody's then.
            await load.abandon()
        why: Forward = "stale" if load.was_stale else forward
        return Found(packed, seen.tier, max(0.0, -(seen.left or 0.0)), load, why)

    async def _current(self, exchange: Exchange, key: str, found: Found) -> Found:
        """Return what may be served: what was found, or what the upstream has if that may not be.

        Raises:
            PoolError, BrokenBody: it must not be served without the upstream, which fails.
        """
        stored, rules = unpacked(found.packed), exchange.route.rules
        if found.tier == "stale":
            if found.staleness + stored.overdue < max(
                stored.stale_while_revalidate, stored.stale_if_error
            ):
                return found
            if found.load.error is not None:
                raise found.load.error
            return await self._find(exchange, key, "stale", anew=True)
        if rules.obey_callers and found.tier != "loaded":
            asked, age = exchange.asked, stored.age(self._clock())
            decision = serving.decide(asked.fields, asked.method, stored, age, rules)
            if decision.action in (serving.Action.REVALIDATE, serving.Action.FORWARD):
                return await self._find(exchange, key, "request", anew=True)
        return found

    async def _unstored(self, exchange: Exchange, found: Found) -> Reply:
        """Hand on what must not be stored: this load's answer, or one of the caller's own."""
        reason = "vary" if found.packed[0] == RESPONSE else reason_of(found.packed)
        told = member(NAME, fwd="miss", detail=reason)
        if found.load.leftover is not None:
            return await from_incoming(found.load.leftover, exchange.asked, told)
        return await self._passing.asked(exchange, told)

    def _from_memory(self, exchange: Exchange) -> Reply:
        """Answer from memory or not at all (RFC 9111, 5.2.1.7)."""
        stored = self._held(exchange)
        if stored is None:
            return refusals.problem(504, "It is not cached, and only-if-cached was asked for.")
        now = self._clock()
        return from_stored(stored, exchange.asked, now, hit(stored, now, "memory"))

    def _held(self, exchange: Exchange) -> Stored | None:
        """Return the response that memory has for a request, fresh."""
        key = exchange.place.key
        while (packed := self.peek(key)) is not None and packed[0] == RESPONSE:
            stored = unpacked(packed)
            if stored.fits(exchange.sent):
                return stored
            if key != exchange.place.key:
                break
            key = exchange.place.variant(stored.vary, exchange.sent)
        return None


def hit(stored: Stored, now: float, detail: str) -> str:
    """Return what Cache-Status says of an answer that no upstream was asked for."""
    return member(NAME, hit=True, ttl=int(stored.lifetime - stored.age(now)), detail=detail)


def _told(stored: Stored, found: Found, now: float) -> str:
    if found.tier in ("memory", "redis"):
        return hit(stored, now, found.tier)
    staleness = found.staleness + stored.overdue
    if found.tier == "stale" and staleness < stored.stale_while_revalidate:
        return hit(stored, now, "stale-while-revalidate")
    ttl = int(stored.lifetime - stored.age(now))
    if found.tier == "stale":
        return member(NAME, fwd="stale", ttl=ttl, detail="stale-if-error")
    return member(
        NAME,
        fwd=found.forward,
        fwd_status=304 if found.load.revalidated else None,
        ttl=ttl,
        stored=not found.load.declined,
        collapsed=not found.load.began,
    )


def bypass(exchange: Exchange) -> str | None:
    """Say why a request is not for the cache: only the upstream knows whom its answer is for."""
    route = exchange.route
    if "authorization" in exchange.sent and not (
        "authorization" in route.rules.store_anyway or "authorization" in route.vary
    ):
        return "authorization"
    return "condition" if conditional.is_forwarded(exchange.asked.fields) else None
