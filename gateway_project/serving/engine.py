"""The gateway: looks in the cache, asks an upstream, answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway_project import recent
from gateway_project.problems import ProblemError
from gateway_project.routing.query import RefusedQuery
from gateway_project.routing.table import Matched, Table
from gateway_project.serving import popular, refusals
from gateway_project.serving.asked import Asked, ReadBody
from gateway_project.serving.exchange import Admission, Exchange, is_open
from gateway_project.serving.loads import Load
from gateway_project.serving.passing import Passing
from gateway_project.serving.replies import NAME, Reply, from_incoming, from_stored
from gateway_project.serving.stored import (
    PASSED,
    RESPONSE,
    Index,
    Packed,
    Stored,
    background,
    index_of,
    reason_of,
    unpacked,
)
from gateway_project.upstreams import BrokenBody, Pool, PoolError
from tiercache import sources
from tiercache.exceptions import RedisAway
from tiercache.http import conditional, requests, serving, targets
from tiercache.http.cache_control import request_directives
from tiercache.http.status import Forward, member

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

Need = Literal["served", "awaited", "fresh", "anew"]
"""What a request needs: an answer, stale ones included while the upstream is asked in the
background ("served") or where that fails ("awaited"); a fresh one; one that is just loaded."""


class Found(NamedTuple):
    """What the cache has brought.

    Attributes:
        key, by: where it lies, and what its variants are chosen by.
        packed: what it is.
        tier: which tier had it; "loaded" or "stale".
        staleness: for how many seconds it has been stale in the cache.
        load: that was carried out for it, if one was.
        error: what a load that was waited for failed with, this one or another caller's.
        forward: why an upstream was asked, if one was.
    """

    key: str
    by: Index | None
    packed: Packed
    tier: sources.Tier | None
    staleness: float
    load: Load
    error: BaseException | None
    forward: Forward

    @property
    def answer(self) -> Packed:
        """What is for this caller."""
        return self.load.own or self.packed

    def fits(self, exchange: Exchange) -> bool:
        """Tell whether it is a response that may answer a request (RFC 9111, 4.1)."""
        return self.answer[0] == RESPONSE and unpacked(self.answer).fits(exchange.sent)


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
        except RedisAway:
            return refusals.without_cache()
        reply = await self.exchanged(exchange, read)
        if is_open(exchange.route):
            recent.note(asked.shown, reply.status, reply.fields.get("cache-status") or "")
        popular.note_reply(exchange, reply)
        return reply.extended(exchange.told) if exchange.told else reply

    async def filled(self, exchange: Exchange, *, anew: bool = False) -> Reply:
        """Answer a GET with what is fresh, or just loaded, so that the cache has it.

        Raises:
            PoolError, BrokenBody, ProblemError: the upstream does not answer.
        """
        return await self._cached(exchange, "anew" if anew else "fresh")

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
            return await self._cached(exchange, "served" if asked.is_lasting else "awaited")
        except (PoolError, BrokenBody, ProblemError) as exc:
            return refusals.explained(exc, member(NAME, fwd="miss"))
        except RedisAway:
            return refusals.without_cache()

    async def _cached(self, exchange: Exchange, need: Need) -> Reply:
        """Answer a GET or HEAD through the cache."""
        first: Need = "fresh" if need == "anew" else need
        found = await self._find(exchange, exchange.place.key, "uri-miss", first)
        index = index_of(found.packed)
        if index is not None and found.load.own is None:
            key = exchange.place.variant(index, exchange.sent)
            found = await self._find(exchange, key, "vary-miss", first, index)
        found = await self._current(exchange, found, need)
        if found.load.moved:
            # Variants are chosen by other fields than they were: let the next load say by which.
            await self._cache.adelete(exchange.place.key)
        if not found.fits(exchange):
            return await self._unstored(exchange, found)
        stored, now = unpacked(found.answer), self._clock()
        return from_stored(stored, exchange.asked, now, _told(stored, found, now))

    async def _find(
        self,
        exchange: Exchange,
        key: str,
        forward: Forward,
        need: Need,
        index: Index | None = None,
        held: Stored | None = None,
    ) -> Found:
        """Return what is under a key; ask the upstream if there is nothing, or if it needs to."""
        pool = self._pools(exchange.route.pool)
        load = Load(exchange, pool, self._cache, index=index, held=held, clock=self._clock)
        tags = exchange.place.tags
        try:
            with sources.watch() as seen:
                if need == "anew":
                    packed = await self._cache.arefresh(key, load, tags=tags)
                else:
                    at_once = background if need == "served" else 0.0
                    packed = await self._cache.aget_or_set(key, load, tags=tags, background=at_once)
        except BaseException:  # cancelled, or Redis refuses: what the load brings is nobody's
            await load.abandon()
            raise
        if seen.tier != "loaded":
            # It goes on in the background, if at all; what it must not store is nobody's then.
            await load.abandon()
        why: Forward = "stale" if load.was_stale and held is None else forward
        staleness = max(0.0, -(seen.left or 0.0))
        return Found(key, index, packed, seen.tier, staleness, load, seen.error, why)

    async def _current(self, exchange: Exchange, found: Found, need: Need) -> Found:
        """Return what may be served: what was found, or what the upstream has if that may not be.

        Raises:
            PoolError, BrokenBody: it must not be served without the upstream, which fails.
        """
        if found.packed[0] != RESPONSE or found.tier == "loaded":
            return found
        stored = unpacked(found.packed)
        why: Forward = "stale" if found.tier == "stale" else "request"
        if found.tier == "stale":
            if need in ("served", "awaited") and self._may_be_stale(exchange, stored, found):
                return found
            if found.error is not None:
                raise found.error
        elif need != "anew" and self._is_accepted(exchange, stored):
            return found
        return await self._find(exchange, found.key, why, "anew", found.by, stored)

    def _may_be_stale(self, exchange: Exchange, stored: Stored, found: Found) -> bool:
        staleness = found.staleness + stored.overdue
        if staleness < stored.stale_while_revalidate:
            return self._is_accepted(exchange, stored)
        # The upstream was asked, or failed just before.
        in_time = staleness < stored.stale_if_error
        return in_time and self._is_accepted(exchange, stored, failing=True)

    def _is_accepted(self, exchange: Exchange, stored: Stored, *, failing: bool = False) -> bool:
        """Tell whether the caller accepts what is stored, where callers are obeyed."""
        asked, rules = exchange.asked, exchange.route.rules
        if not rules.obey_callers:
            return True
        decision = serving.decide(
            asked.fields, asked.method, stored, stored.age(self._clock()), rules
        )
        served = (serving.Action.FRESH, serving.Action.STALE_REFRESH)
        return decision.action in served or (failing and decision.stale_if_error)

    async def _unstored(self, exchange: Exchange, found: Found) -> Reply:
        """Hand on what must not be stored: this load's answer, or one of the caller's own."""
        reason = "vary" if found.packed[0] == RESPONSE else reason_of(found.packed)
        told = member(NAME, fwd="miss", detail=reason)
        if found.load.leftover is not None:
            return await from_incoming(found.load.leftover, exchange.asked, told)
        return await self._passing.asked(exchange, told)

    def _from_memory(self, exchange: Exchange) -> Reply:
        """Answer from memory or not at all (RFC 9111, 5.2.1.7)."""
        packed = self.peek(exchange.place.key)
        index = None if packed is None else index_of(packed)
        if index is not None:
            packed = self.peek(exchange.place.variant(index, exchange.sent))
        if packed is None or packed[0] != RESPONSE or not unpacked(packed).fits(exchange.sent):
            return refusals.problem(504, "It is not cached, and only-if-cached was asked for.")
        stored, now = unpacked(packed), self._clock()
        return from_stored(stored, exchange.asked, now, hit(stored, now, "memory"))


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
        detail=reason_of(found.packed) if found.packed[0] == PASSED else None,
    )


def bypass(exchange: Exchange) -> str | None:
    """Say why a request is not for the cache: only the upstream knows whom its answer is for."""
    route, asked = exchange.route, exchange.asked
    if "authorization" in exchange.sent and not (
        "authorization" in route.rules.store_anyway or "authorization" in route.vary
    ):
        return "authorization"
    if route.rules.obey_callers and request_directives(asked.fields).no_store:
        # Its answer is not stored, which must not take what is stored from all others.
        return "request-no-store"
    return "condition" if conditional.is_forwarded(asked.fields) else None
