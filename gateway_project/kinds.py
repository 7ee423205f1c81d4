"""What requests look like, worked out once for all that look alike, and what they are answered.

What a request means is found out once; what its answer looks like once a second.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any, Final

from gateway_project import recent
from gateway_project.problems import ProblemError
from gateway_project.protection import Protection
from gateway_project.routing.query import RefusedQuery
from gateway_project.serving import popular
from gateway_project.serving.asked import Asked, path_of
from gateway_project.serving.engine import Gateway, bypass, hit
from gateway_project.serving.exchange import Exchange, exchange, is_open, matched
from gateway_project.serving.replies import from_stored
from gateway_project.serving.stored import (
    BODY,
    GENERATED,
    INDEX,
    RESPONSE,
    Packed,
    Stored,
    index_of,
    unpacked,
)
from tiercache.http import conditional, requests, targets

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
        "via",
        "x-forwarded-host",
    }
    | conditional.CONDITIONAL
)
"""Fields that may have a say in a hit, beside those that routes and settings name."""

_UNIQUE: Final = frozenset({"traceparent", "tracestate"})
"""Fields that differ from request to request, and that no response should be chosen by."""


class Kinds:
    """What the requests of a process look like, each kind worked out once; a bounded number."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._known: dict[Any, Kind | None] = {}
        self.protection = Protection()
        routes = gateway.table.routes
        passed = {name for route in routes for name in route.pass_headers} - _UNIQUE
        keyed = {name for route in routes for name in route.vary}
        self._relevant = _RELEVANT | passed | keyed | self.protection.fields
        self._encoded = frozenset(name.encode("latin-1") for name in self._relevant)

    def of(self, scope: MutableMapping[str, Any]) -> Kind | None:
        """Return the kind of a request, None for one that is Django's."""
        method, headers, encoded = scope["method"], scope["headers"], self._encoded
        if method not in ("GET", "HEAD") or len(headers) > MOST_FIELDS:
            return None
        relevant = [line for line in headers if line[0] in encoded or b"_" in line[0]]
        path = scope.get("raw_path") or path_of(scope)
        name = (
            method,
            path,
            scope["query_string"],
            scope["scheme"],
            scope["http_version"],
            *map(tuple, relevant),
        )
        try:
            return self._known[name]
        except KeyError:
            pass
        if len(path) + len(scope["query_string"]) + _size(relevant) > LARGEST_KNOWN:
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        # By the relevant fields alone, for what is learned holds for all whose others differ.
        kind = self._known[name] = self._learned({**scope, "headers": relevant})
        return kind

    def _learned(self, scope: MutableMapping[str, Any]) -> Kind | None:
        asked = Asked.from_scope(scope)
        if not self.protection.allows(asked.fields, asked.scheme):
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
        return Kind(self.gateway, request, self._relevant, self.protection)


class Kind:
    """All requests that look alike, and what they are answered with.

    It holds no response, which would keep it in memory when the cache has let it go: only what the
    one that it met last looks like. Two responses under one key are told apart by where they are
    and when they were generated.
    """

    __slots__ = (
        "_age",
        "_counted",
        "_exchange",
        "_gateway",
        "_headers",
        "_last",
        "_protection",
        "_relevant",
        "_shown",
        "_status",
        "_told",
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
        self._last = (0, 0.0)
        self._age = 0
        self._status = 0
        self._whole = False
        self._told = ""
        self._counted: str | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._shown = exchange.asked.shown

    def answer(self) -> tuple[dict[str, Any], bytes] | None:
        """Return the start of an answer from memory, and its body; None if memory has none."""
        place = self._exchange.place
        packed = self._gateway.peek(place.key)
        if packed is not None and packed[0] == INDEX:
            packed = self._variant(packed)
        if packed is None or packed[0] != RESPONSE:
            return None
        now = time.time()
        last = (id(packed), packed[GENERATED])
        if (last != self._last or int(now - last[1]) != self._age) and not self._dress(packed, now):
            return None
        recent.note(self._shown, self._status, self._told)
        if self._counted is not None:
            popular.note(self._counted)
        start = {
            "type": "http.response.start",
            "status": self._status,
            "headers": self._headers,
        }
        return start, packed[BODY] if self._whole else b""

    def _variant(self, packed: Packed) -> Packed | None:
        index = index_of(packed)
        if index is None or not self._relevant.issuperset(index.names):
            return None
        return self._gateway.peek(self._exchange.place.variant(index, self._exchange.sent))

    def _dress(self, packed: Packed, now: float) -> bool:
        """Work out what an answer looks like at this age; tell whether it is one for this kind."""
        stored: Stored = unpacked(packed)
        if not (self._relevant.issuperset(stored.vary) and stored.fits(self._exchange.sent)):
            return False
        asked = self._exchange.asked
        self._told = hit(stored, now, "memory")
        reply = from_stored(stored, asked, now, self._told)
        fields = self._protection.extended(reply.fields, asked.fields, asked.scheme)
        self._last = (id(packed), packed[GENERATED])
        self._age = int(now - stored.generated)
        self._status, self._headers = reply.status, fields.encoded()
        self._counted = popular.target_of(self._exchange, reply.status)
        self._whole = reply.body is stored.body
        return True


def _size(lines: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in lines)
