"""Requests that go by the cache: what may not be stored, and what changes something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from gateway_project.routing.query import RefusedQuery
from gateway_project.routing.table import Matched, Table
from gateway_project.serving import places
from gateway_project.serving.asked import ReadBody
from gateway_project.serving.replies import NAME, Reply, from_incoming
from gateway_project.upstreams import Incoming, Outgoing, Pool
from tiercache.http import hops, targets
from tiercache.http.fields import Fields
from tiercache.http.status import member

if TYPE_CHECKING:
    from gateway_project.serving.exchange import Exchange
    from tiercache.backend import TieredCache

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""


_under_way: set[asyncio.Task[Any]] = set()
"""Tasks need somebody who holds them until they are done."""


class Passing:
    """Hands requests to an upstream and its responses back, in parts as they come in."""

    def __init__(self, table: Table, pools: Callable[[str], Pool], cache: TieredCache) -> None:
        self._table = table
        self._pools = pools
        self._cache = cache

    async def asked(self, exchange: Exchange, told: str) -> Reply:
        """Answer what is not for the cache: with the caller's own conditions and range.

        Raises:
            PoolError: no server answers.
        """
        return await from_incoming(await self._send(exchange, b""), exchange.asked, told)

    async def changed(self, exchange: Exchange, read: ReadBody) -> Reply:
        """Answer a method that may change something; evict what it has made invalid.

        If it succeeds, all that is stored for its address is evicted, and for those that its
        Location and Content-Location name here (RFC 9111, 4.4).

        Raises:
            PoolError: no server answers.
            ProblemError: the body is too large.
        """
        body = await read(exchange.route.largest_request)
        # A task of its own: a caller who leaves takes back nothing of the change.
        changing = _begun(self._changed(exchange, body))
        try:
            incoming = await asyncio.shield(changing)
        except asyncio.CancelledError:
            changing.add_done_callback(_let_go)
            raise
        return await from_incoming(incoming, exchange.asked, member(NAME, fwd="method"))

    async def _changed(self, exchange: Exchange, body: bytes) -> Incoming:
        """Send a change, and evict what it has made invalid."""
        incoming = await self._send(exchange, body)
        if exchange.asked.method not in SAFE and 200 <= incoming.status < 400:
            try:
                await self._cache.aevict_tags(*self._made_invalid(exchange, incoming.fields))
            except BaseException:  # whatever it is, the connection must not stay taken
                await incoming.aclose()
                raise
        return incoming

    async def _send(self, exchange: Exchange, body: bytes) -> Incoming:
        asked, route = exchange.asked, exchange.route
        host = asked.fields.lines("host")
        told = Fields([*exchange.sent, *(("host", name) for name in host)])
        fields = hops.forwarded(told, peer=asked.peer, scheme=asked.scheme, is_trusted=False)
        outgoing = Outgoing(asked.method, exchange.place.target, fields, body)
        return await self._pools(route.pool).send(
            outgoing, budget=route.budget, retry=asked.method in SAFE
        )

    def _made_invalid(self, exchange: Exchange, answered: Fields) -> set[str]:
        """Return the tags of the addresses that a change has made invalid."""
        asked = exchange.asked
        own = f"{asked.scheme}://{asked.fields.get('host') or ''}"
        here = f"{own}{asked.path.decode('ascii')}"
        found = {places.address_tag(exchange.route, exchange.captures, exchange.query)}
        found.update(self._tags(asked.path, asked.query))
        for name in ("location", "content-location"):
            try:
                other = urlsplit(urljoin(here, answered.get(name) or ""))
            except ValueError:  # it is no address, so none here
                continue
            if f"{other.scheme}://{other.netloc}" == own:
                found.update(self._tags(other.path.encode(), other.query.encode()))
        return found

    def _tags(self, path: bytes, query: bytes) -> Iterator[str]:
        """Yield the tag of an address as it is asked for with GET, if a route has it."""
        try:
            target = targets.parse(path, query)
            matched = self._table.match(target.path, "GET")
            if isinstance(matched, Matched):
                pairs = matched.route.counted(target.query)
                yield places.address_tag(matched.route, matched.captures, pairs)
        except (targets.BadTarget, RefusedQuery):
            return


def _begun(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    task = asyncio.get_running_loop().create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


def _let_go(changing: asyncio.Task[Incoming]) -> None:
    """Close the response to a change that nobody waits for any more."""
    if not changing.cancelled() and changing.exception() is None:
        _begun(changing.result().aclose())
