"""A load: the upstream's answer to a request, stored if it may be, handed on if it may not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from gateway_project.routing.table import Route
from gateway_project.serving.places import upstream_tag
from gateway_project.serving.replies import passable
from gateway_project.serving.stored import RESPONSE, Packed, Stored, passing, unpacked
from gateway_project.upstreams import Attempt, Incoming, Outgoing, Pool, PoolError
from tiercache.http import conditional, dates, storing, tags
from tiercache.http.fields import Fields
from tiercache.http.storing import Refusal, Storable
from tiercache.loading import LoadContext

HIT_FOR_MISS: Final = 5.0
"""Seconds for which callers ask for themselves, after an answer that must not be stored."""

_NEVER_STORED: Final = frozenset({"age", "content-length", "set-cookie"})


class Load:
    """One request of an upstream for what is to be stored: the loader of one `aget_or_set`.

    Its answer is everybody's who waits if it may be stored. If not, it is left here for the one
    caller whose load it was, and the others ask for themselves.

    Attributes:
        began: whether this load was carried out; if not, another one's was joined.
        leftover: a response that must not be stored, its body still to be received.
        revalidated: whether the upstream confirmed what was stored.
        was_stale: whether there was something stale.
        declined: whether what it brought is stored nowhere, though it may be used this once.
        error: what it failed with.
    """

    def __init__(
        self,
        pool: Pool,
        route: Route,
        target: str,
        sent: Fields,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.began = False
        self.leftover: Incoming | None = None
        self.revalidated = False
        self.was_stale = False
        self.declined = False
        self.error: Exception | None = None
        self._pool = pool
        self._route = route
        self._target = target
        self._sent = sent
        self._clock = clock
        self._is_abandoned = False
        self._end = 0.0

    async def __call__(self, context: LoadContext) -> Packed:
        """Ask, and return what is to be stored.

        Raises:
            PoolError: no server answers.
            BrokenBody: the answer is not whole.
        """
        self.began = True
        try:
            return await self._load(context)
        except Exception as exc:
            self.error = exc
            raise

    async def abandon(self) -> None:
        """Let go of what was left, now or when it comes: nobody is there any more to take it."""
        self._is_abandoned = True
        if self.leftover is not None:
            await self.leftover.aclose()

    async def _load(self, context: LoadContext) -> Packed:
        stale = self._stale(context)
        requested = self._clock()
        self._end = asyncio.get_running_loop().time() + self._route.budget
        incoming = await self._ask(stale)
        try:
            if stale is not None and incoming.status == 304:
                if not conditional.selects(stale.fields, incoming.fields):
                    # It confirms something else: ask for what there is.
                    await incoming.aclose()
                    incoming, stale = await self._ask(None), None
                else:
                    return await self._confirmed(context, stale, incoming, requested)
            return await self._received(context, incoming, requested)
        except BaseException:
            await incoming.aclose()
            raise

    def _stale(self, context: LoadContext) -> Stored | None:
        """Return what can be revalidated: something stale, of the variant that is asked for."""
        packed = context.stale
        self.was_stale = bool(packed) and packed[0] == RESPONSE
        if not self.was_stale:
            return None
        stored = unpacked(packed)
        return stored if stored.fits(self._sent) else None

    async def _ask(self, stale: Stored | None) -> Incoming:
        wanted = Fields() if stale is None else conditional.validators(stale.fields)
        fields = Fields([*conditional.stripped(self._sent), *wanted])
        outgoing = Outgoing("GET", self._target, fields)
        return await self._pool.send(outgoing, budget=self._route.budget, retry=True)

    async def _confirmed(
        self, context: LoadContext, stale: Stored, incoming: Incoming, requested: float
    ) -> Packed:
        """Store what was stored, with the fields that a 304 brings (RFC 9111, 4.3.4)."""
        await incoming.aclose()
        self.revalidated = True
        fields = conditional.merged(stale.fields, incoming.fields)
        terms = self._judged(stale.status, fields, requested)
        named = tags.of(incoming.fields).kept or stale.tags
        if isinstance(terms, Refusal):
            # It is current, and was allowed to be stored; from now on it is not.
            terms = _for_this_once(stale)
            context.decline()
            self.declined = True
        return self._kept(context, stale.status, fields, stale.body, terms, named)

    async def _received(self, context: LoadContext, incoming: Incoming, requested: float) -> Packed:
        terms = self._judged(incoming.status, incoming.fields, requested)
        if isinstance(terms, Refusal):
            return await self._left(context, incoming, terms.reason)
        body = await self._body(incoming)
        if body is None:
            return await self._left(context, incoming, "too-large")
        await incoming.aclose()
        named = tags.of(incoming.fields).kept
        return self._kept(context, incoming.status, incoming.fields, body, terms, named)

    async def _body(self, incoming: Incoming) -> bytes | None:
        """Return the body within what is left of the budget, None if it is too large to keep."""
        try:
            async with asyncio.timeout_at(self._end):
                return await incoming.read(self._route.largest_stored)
        except TimeoutError as exc:
            reason = f"did not send its whole body within {self._route.budget:g} s"
            attempt = Attempt(incoming.server, reason, timed_out=True)
            raise PoolError(self._pool.name, [attempt]) from exc

    def _judged(self, status: int, fields: Fields, requested: float) -> Storable | Refusal:
        return storing.judge(
            method="GET",
            asked=self._sent,
            status=status,
            answered=fields,
            rules=self._route.rules,
            requested=requested,
            received=self._clock(),
        )

    async def _left(self, context: LoadContext, incoming: Incoming, reason: str) -> Packed:
        """Leave a response to the caller, and let the next ones ask for themselves for a while."""
        self.leftover = incoming
        if self._is_abandoned:
            await incoming.aclose()
        if reason == "status":
            # An error may be one caller's doing, and is no reason to pass the cache by for all.
            context.decline()
        context.timeout, context.grace = HIT_FOR_MISS, 0
        return passing(reason)

    def _kept(
        self,
        context: LoadContext,
        status: int,
        fields: Fields,
        body: bytes,
        terms: Storable,
        named: tuple[str, ...],
    ) -> Packed:
        received = self._clock()
        kept = passable(fields).without(_NEVER_STORED)
        if "date" not in kept:  # RFC 9110, 6.6.1
            kept = kept.replaced("date", dates.formatted(received))
        kept = kept.replaced("content-length", str(len(body)))
        left = terms.lifetime - terms.age
        context.timeout = 0 if terms.revalidate_always else max(left, 0)
        context.grace = max(terms.keep + min(left, 0), 0)
        context.tag(*map(upstream_tag, named))
        return Stored.of(
            status, kept, body, terms=terms, received=received, asked=self._sent, tags=named
        ).pack()


def _for_this_once(stale: Stored) -> Storable:
    return Storable(
        lifetime=0.0,
        age=0.0,
        stale_while_revalidate=0.0,
        stale_if_error=0.0,
        revalidate_always=True,
        never_stale=True,
        keep=0.0,
        vary=stale.vary,
        source="none",
    )
