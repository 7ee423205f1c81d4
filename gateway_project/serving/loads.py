"""A load: the upstream's answer to a request, stored if it may be, handed on if it may not."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway_project.serving.exchange import Exchange
from gateway_project.serving.places import upstream_tag
from gateway_project.serving.shown import passable
from gateway_project.serving.stored import INDEX, RESPONSE, Index, Packed, Stored, passing, unpacked
from gateway_project.upstreams import Attempt, Incoming, Outgoing, Pool, PoolError
from tiercache.http import conditional, storing, tags
from tiercache.http.fields import Fields
from tiercache.http.storing import Refusal, Storable
from tiercache.loading import LoadContext

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

HIT_FOR_MISS: Final = 5.0
"""Seconds for which callers ask for themselves, after an answer that must not be stored."""

INDEX_LIFE: Final = 86_400.0
"""Seconds for which it is remembered what an address's variants are chosen by."""


class Load:
    """One request of an upstream for what is to be stored: the loader of one `aget_or_set`.

    Its answer is everybody's who waits if it may be stored. If not, it is left here for the one
    caller whose load it was, and the others ask for themselves.

    Attributes:
        began: whether this load was carried out; if not, another one's was joined.
        leftover: a response that must not be stored, its body still to be received.
        own: a response for the caller whose load it was, where the cache gets something else.
        revalidated: whether the upstream confirmed what was stored.
        was_stale: whether there was something to be confirmed.
        declined: whether what it brought is stored nowhere.
        moved: whether variants are chosen by other fields than they were.
    """

    def __init__(
        self,
        exchange: Exchange,
        pool: Pool,
        cache: TieredCache,
        *,
        index: Index | None = None,
        held: Stored | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare a load.

        Args:
            exchange: the request.
            pool: the servers to ask.
            cache: where a first variant is stored.
            index: what variants are chosen by, where that is known.
            held: a response to be confirmed; None: what the cache has that is stale.
            clock: returns seconds since the epoch.
        """
        self.began = self.revalidated = self.was_stale = self.declined = self.moved = False
        self.leftover: Incoming | None = None
        self.own: Packed | None = None
        self._exchange = exchange
        self._route = exchange.route
        self._pool = pool
        self._cache = cache
        self._index = index
        self._held = held
        self._clock = clock
        self._is_abandoned = False
        self._end = 0.0

    async def __call__(self, context: LoadContext) -> Packed:
        """Ask, and return what is to be stored.

        Raises:
            PoolError: no server answers, or not to the last byte within the route's budget.
            BrokenBody: the answer is not whole.
        """
        if context.stale is not None and context.stale[0] == INDEX:
            # Evicted softly, or very old: what variants are chosen by holds until one says more.
            context.timeout = INDEX_LIFE
            renewed: Packed = context.not_modified()
            return renewed
        self.began = True
        stale = self._confirmable(context)
        self._end = asyncio.get_running_loop().time() + self._route.budget
        requested = self._clock()
        incoming = await self._ask(stale)
        try:
            if stale is not None and incoming.status == 304:
                if conditional.selects(stale.fields, incoming.fields):
                    return await self._confirmed(context, stale, incoming, requested)
                # It confirms something else: ask for what there is.
                await incoming.aclose()
                incoming = await self._ask(None)
            return await self._received(context, incoming, requested)
        except BaseException:  # whatever it is, the connection must not stay taken
            await incoming.aclose()
            raise

    async def abandon(self) -> None:
        """Let go of what was left, now or when it comes: nobody is there any more to take it."""
        self._is_abandoned = True
        if self.leftover is not None:
            await self.leftover.aclose()

    def _confirmable(self, context: LoadContext) -> Stored | None:
        """Return what the upstream is asked to confirm: of the variant that is asked for."""
        stored = self._held
        if stored is None and context.stale is not None and context.stale[0] == RESPONSE:
            stored = unpacked(context.stale)
        self.was_stale = stored is not None
        return stored if stored is not None and stored.fits(self._exchange.sent) else None

    async def _ask(self, stale: Stored | None) -> Incoming:
        wanted = Fields() if stale is None else conditional.validators(stale.fields)
        fields = Fields([*conditional.stripped(self._exchange.sent), *wanted])
        outgoing = Outgoing("GET", self._exchange.place.target, fields)
        left = max(self._end - asyncio.get_running_loop().time(), 0.0)
        incoming = await self._pool.send(outgoing, budget=left, retry=True)
        if incoming.status == 304 and not wanted:
            await incoming.aclose()
            raise PoolError(
                self._pool.name,
                [Attempt(incoming.server, "answered 304 to a request without a condition")],
            )
        return incoming

    async def _confirmed(
        self, context: LoadContext, stale: Stored, incoming: Incoming, requested: float
    ) -> Packed:
        """Store what was stored, with the fields that a 304 brings (RFC 9111, 4.3.4)."""
        received = self._clock()
        await incoming.read(0)  # to its end, or its connection could not be used again
        await incoming.aclose()
        self.revalidated = True
        fields = conditional.merged(stale.fields, incoming.fields)
        terms = self._judged(stale.status, fields, requested, received)
        if isinstance(terms, Refusal):
            # What was stored is current, but it is this caller's alone from now on.
            stored = stale.renewed(passable(fields), received)
            self.own = stored.pack()
            return self._passed(context, terms.reason)
        named = tags.of(incoming.fields).kept or stale.tags
        return await self._kept(
            context, Stored.of(stale.status, fields, stale.body, terms, received, named), terms
        )

    async def _received(self, context: LoadContext, incoming: Incoming, requested: float) -> Packed:
        received = self._clock()
        terms = self._judged(incoming.status, incoming.fields, requested, received)
        if isinstance(terms, Refusal):
            return await self._left(context, incoming, terms.reason)
        body = await self._body(incoming)
        if body is None:
            return await self._left(context, incoming, "too-large")
        await incoming.aclose()
        named = tags.of(incoming.fields).kept
        return await self._kept(
            context,
            Stored.of(incoming.status, incoming.fields, body, terms, received, named),
            terms,
        )

    async def _body(self, incoming: Incoming) -> bytes | None:
        """Return the body within what is left of the budget, None if it is too large to keep."""
        try:
            async with asyncio.timeout_at(self._end):
                return await incoming.read(self._route.largest_stored)
        except TimeoutError as exc:
            reason = f"did not send its whole body within {self._route.budget:g} s"
            attempt = Attempt(incoming.server, reason, timed_out=True)
            raise PoolError(self._pool.name, [attempt]) from exc

    def _judged(
        self, status: int, fields: Fields, requested: float, received: float
    ) -> Storable | Refusal:
        return storing.judge(
            method="GET",
            asked=self._exchange.sent,
            status=status,
            answered=fields,
            rules=self._route.rules,
            requested=requested,
            received=received,
        )

    async def _left(self, context: LoadContext, incoming: Incoming, reason: str) -> Packed:
        """Leave a response to the caller whose load it is."""
        self.leftover = incoming
        if self._is_abandoned:
            await incoming.aclose()
        if reason == "status":
            # An error may be one caller's doing, and is no reason to pass the cache by for all.
            context.decline()
        return self._passed(context, reason)

    def _passed(self, context: LoadContext, reason: str) -> Packed:
        """Let callers ask for themselves for a while, instead of what was stored."""
        self.declined = True
        context.timeout, context.grace = HIT_FOR_MISS, 0
        return passing(reason)

    async def _kept(self, context: LoadContext, stored: Stored, terms: Storable) -> Packed:
        """Return a response to be stored, or where it is the first variant what chooses them."""
        packed = stored.chosen_by(self._exchange.sent).pack()
        left = terms.lifetime - (self._clock() - stored.generated)
        timeout = 0.0 if terms.revalidate_always else max(left, 0.0)
        grace = max(terms.keep + min(left, 0.0), 0.0)
        names = [upstream_tag(name) for name in stored.tags]
        if self._index is None and terms.vary:
            return await self._first_variant(context, packed, timeout, grace, names)
        if self._index is not None and terms.vary != self._index.names:
            self.moved = self.declined = True
            context.decline()
        context.timeout, context.grace = timeout, grace
        context.tag(*names)
        return packed

    async def _first_variant(
        self,
        context: LoadContext,
        packed: Packed,
        timeout: float,
        grace: float,
        names: list[str],
    ) -> Packed:
        """Store the first variant under a key that only the index tells; return the index.

        What evicts the address before the index is stored leaves the variant where nobody finds
        it: a new index has another token.
        """
        index = Index(unpacked(packed).vary, secrets.token_hex(8))

        async def found() -> Packed:
            return packed

        place = self._exchange.place
        await self._cache.arefresh(
            place.variant(index, self._exchange.sent),
            found,
            timeout,
            grace=grace,
            tags=(*place.tags, *names),
        )
        self.own = packed
        context.timeout = context.grace = INDEX_LIFE
        return index.pack()
