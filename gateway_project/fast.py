"""The fast path: hits from memory, answered by an ASGI layer in front of Django.

The same keys, decisions and fields as in Django's path, at a small part of its cost: what a
request means is worked out once for all that look alike, and what a response looks like once a
second. Whatever is no plain hit goes to Django.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gateway_project import recent
from gateway_project.bodies import Bounded
from gateway_project.problems import ProblemError
from gateway_project.protection import Protection
from gateway_project.routing.query import RefusedQuery
from gateway_project.serving import current, refusals
from gateway_project.serving.asked import Asked
from gateway_project.serving.engine import Gateway, bypass, hit
from gateway_project.serving.exchange import Exchange, exchange, is_open, matched
from gateway_project.serving.replies import from_stored
from gateway_project.serving.stored import BODY, GENERATED, RESPONSE, Packed, Stored, unpacked
from tiercache.http import conditional, dates, requests, targets

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_KNOWN: Final = 8192
"""Kinds of requests that are remembered; beyond, all are forgotten and learned anew."""

LARGEST_KNOWN: Final = 2048
"""Bytes of target and relevant fields of a kind that is remembered; larger ones are Django's."""

MOST_FIELDS: Final = 60
"""Header lines of a request that is still looked at here."""

_RELEVANT: Final = frozenset(
    {
        "authorization",
        "cache-control",
        "connection",
        "content-length",
        "expect",
        "host",
        "pragma",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-host",
        "x-forwarded-proto",
    }
    | conditional.CONDITIONAL
)
"""Fields that may have a say in a hit, beside those that routes name."""

_UNIQUE: Final = frozenset({"traceparent", "tracestate"})
"""Fields that differ from request to request, and that no response should be chosen by."""


class FastPath:
    """An ASGI application: answers hits from memory, and leaves the rest to Django's.

    Bodies that are larger than the route allows end here as well, before Django writes them to a
    file.
    """

    def __init__(self, django: Application) -> None:
        self._django = django
        self._kinds: Kinds | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            gateway = current.gateway()
            kinds = self._kinds
            if kinds is None or kinds.gateway is not gateway:
                kinds = self._kinds = Kinds(gateway)
            kind = kinds.of(scope)
            if kind is not None and (answer := kind.answer()) is not None:
                start, body = answer
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
            if (most := gateway.largest_request(scope["raw_path"], scope["method"])) is not None:
                await self._bounded(scope, receive, send, most)
                return
        await self._django(scope, receive, dated(send))

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        """Hand a request to Django as long as its body has no more than `most` bytes."""
        body = Bounded(receive, most)
        await self._django(scope, body, dated(send))
        if body.exceeded:
            # Django reads a body to its end before it does anything else, so nothing was sent yet.
            refusal = refusals.problem(413, f"The body is too large; allowed are {most} bytes.")
            start = {
                "type": "http.response.start",
                "status": refusal.status,
                "headers": refusal.fields.encoded(),
            }
            await dated(send)(start)
            await send({"type": "http.response.body", "body": refusal.body})


def dated(send: Send) -> Send:
    """Return what sends the same, with a Date where there is none (RFC 9110, 6.6.1).

    A cached answer has the Date of its origin, so a server must not add one of its own to all.
    """

    async def completed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            if all(name.lower() != b"date" for name, _ in headers):
                now = dates.formatted(time.time()).encode("ascii")
                message = {**message, "headers": [*headers, (b"date", now)]}
        await send(message)

    return completed


class Kinds:
    """What the requests of a process look like, each kind worked out once; a bounded number."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._known: dict[Any, Kind | None] = {}
        self._protection = Protection()
        named = {name for route in gateway.table.routes for name in route.pass_headers}
        named.update(name for route in gateway.table.routes for name in route.vary)
        self._relevant = _RELEVANT | (named - _UNIQUE)
        self._encoded = frozenset(name.encode("latin-1") for name in self._relevant)

    def of(self, scope: Scope) -> Kind | None:
        """Return the kind of a request, None for one that is Django's."""
        method, headers, encoded = scope["method"], scope["headers"], self._encoded
        if method not in ("GET", "HEAD") or len(headers) > MOST_FIELDS:
            return None
        relevant = [line for line in headers if line[0] in encoded or b"_" in line[0]]
        name = (
            method,
            scope["raw_path"],
            scope["query_string"],
            scope["scheme"],
            scope["http_version"],
            *map(tuple, relevant),
        )
        try:
            return self._known[name]
        except KeyError:
            pass
        if len(scope["raw_path"]) + len(scope["query_string"]) + _size(relevant) > LARGEST_KNOWN:
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        kind = self._known[name] = self._learned(scope)
        return kind

    def _learned(self, scope: Scope) -> Kind | None:
        asked = Asked.from_scope(scope)
        if not self._protection.allows(asked.fields, asked.scheme):
            return None
        try:
            found, query = matched(self.gateway.table, asked)
        except (targets.BadTarget, requests.BadRequest, RefusedQuery, ProblemError):
            return None
        if not is_open(found.route) or found.route.rules.obey_callers:
            return None
        request = exchange(asked, found, query)
        if bypass(request) or "range" in asked.fields:
            return None
        return Kind(self.gateway, request, self._relevant, self._protection)


def _size(lines: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in lines)


class Kind:
    """All requests that look alike, and what they are answered with.

    It holds no response, which would keep it in memory when the cache has let it go: only what the
    one that it met last looks like. Two responses under one key are told apart by where they are
    and when they were generated.
    """

    __slots__ = (
        "_age",
        "_exchange",
        "_first",
        "_gateway",
        "_headers",
        "_last",
        "_protection",
        "_relevant",
        "_shown",
        "_status",
        "_told",
        "_variant",
        "_whole",
    )

    def __init__(
        self,
        gateway: Gateway,
        exchange: Exchange,
        relevant: frozenset[str],
        protection: Protection,
    ) -> None:
        self._exchange = exchange
        self._gateway = gateway
        self._relevant = relevant
        self._protection = protection
        self._first = self._last = (0, 0.0)
        self._variant: str | None = None
        self._age = 0
        self._status = 0
        self._whole = False
        self._told = ""
        self._headers: list[tuple[bytes, bytes]] = []
        asked = exchange.asked
        self._shown = (asked.path + (b"?" + asked.query if asked.query else b"")).decode("latin-1")

    def answer(self) -> tuple[dict[str, Any], bytes] | None:
        """Return the start of an answer from memory, and its body; None if memory has none."""
        packed = self._gateway.peek(self._exchange.place.key)
        if packed is None or packed[0] != RESPONSE:
            return None
        if (id(packed), packed[GENERATED]) != self._first and not self._meet(packed):
            return None
        if self._variant is not None:
            packed = self._gateway.peek(self._variant)
            if packed is None or packed[0] != RESPONSE:
                return None
        now = time.time()
        last = (id(packed), packed[GENERATED])
        if last != self._last or int(now - last[1]) != self._age:
            self._last = last
            self._dress(unpacked(packed), now)
        recent.note(self._shown, self._status, self._told)
        start = {
            "type": "http.response.start",
            "status": self._status,
            "headers": self._headers,
        }
        return start, packed[BODY] if self._whole else b""

    def _meet(self, packed: Packed) -> bool:
        """Look at what is first under the key, since it is another; tell whether it is of use."""
        stored = unpacked(packed)
        if not self._relevant.issuperset(stored.vary):
            return False
        sent, place = self._exchange.sent, self._exchange.place
        self._variant = None if stored.fits(sent) else place.variant(stored.vary, sent)
        self._first = (id(packed), packed[GENERATED])
        return True

    def _dress(self, stored: Stored, now: float) -> None:
        """Work out what an answer looks like at this age."""
        asked = self._exchange.asked
        self._told = hit(stored, now, "memory")
        reply = from_stored(stored, asked, now, self._told)
        fields = self._protection.extended(reply.fields, asked.fields, asked.scheme)
        self._age = int(now - stored.generated)
        self._status, self._headers = reply.status, fields.encoded()
        self._whole = reply.body is stored.body
