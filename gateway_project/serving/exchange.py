"""A request that is let in: what it asks for, who asks, and what the upstream is to see of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gateway_project.callers import credentials, keys, limits
from gateway_project.callers.guesses import Guesses
from gateway_project.callers.headers import limit_fields
from gateway_project.problems import ProblemError
from gateway_project.routing.table import Matched, NoRoute, Route, Table
from gateway_project.serving import places
from gateway_project.serving.asked import Asked
from gateway_project.serving.places import Place
from gateway_project.serving.replies import NAME
from tiercache.http import hops, requests, targets, vary
from tiercache.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiercache.backend import TieredCache


MOST_PASSES: Final = 3
"""Gateways of this kind that may stand in a row; beyond, a request goes in a circle."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that is let in.

    Attributes:
        asked: as it came.
        route, captures, query: what it asks for.
        sent: the fields that the upstream is to see.
        place: where its answer lies.
        told: fields for the answer, about the caller's limit.
    """

    asked: Asked
    route: Route
    captures: Mapping[str, str]
    query: targets.Pairs
    sent: Fields
    place: Place
    told: Fields = Fields()  # noqa: RUF009 - a value, never changed


def matched(table: Table, asked: Asked) -> tuple[Matched, targets.Pairs]:
    """Return the route that a request has, and the parameters of its query that count.

    Raises:
        BadRequest, BadTarget: it is not well-formed.
        RefusedQuery: a parameter is unknown.
        ProblemError: there is no such route (404), or not for the method (405).
    """
    requests.check(asked.fields, asked.http_version)
    if hops.passes(asked.fields, NAME) >= MOST_PASSES:
        raise ProblemError(
            HTTPStatus.LOOP_DETECTED,
            f"The request was at a gateway of the name {NAME} {MOST_PASSES} times before.",
        )
    target = targets.parse(asked.path, asked.query)
    found = table.match(target.path, asked.method)
    if isinstance(found, Matched):
        return found, found.route.counted(target.query)
    if isinstance(found, NoRoute):
        nearest = f"; did you mean {found.nearest}?" if found.nearest else "."
        raise ProblemError(HTTPStatus.NOT_FOUND, f"Nothing is at {target.path!r}{nearest}")
    allowed = ", ".join(found.allowed)
    refusal = ProblemError(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"{asked.method} is not allowed here; allowed are {allowed}.",
    )
    refusal.fields = Fields([("allow", allowed)])
    raise refusal


def exchange(
    asked: Asked,
    found: Matched,
    query: targets.Pairs,
    *,
    tenant: str | None = None,
    told: Fields = Fields(),  # noqa: B008 - a value, never changed
) -> Exchange:
    """Return the exchange of a request that is let in."""
    route = found.route
    fields = hops.end_to_end(asked.fields, {*route.vary, *route.pass_headers})
    passed = credentials.without_key(fields).only({"via", *route.pass_headers, *route.vary})
    sent = hops.via(vary.sent(passed), NAME, asked.http_version)
    place = places.place(route, found.captures, query, sent, tenant)
    return Exchange(asked, route, found.captures, query, sent, place, told)


def is_open(route: Route) -> bool:
    """Tell whether a route answers everyone alike, without a key and without a limit."""
    return not (route.requires_key or route.rate or route.tenant)


class Admission:
    """Lets requests in: those of a route, by callers who may."""

    def __init__(self, cache: TieredCache, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._clock = clock
        self._guesses = Guesses()

    async def admitted(self, table: Table, asked: Asked) -> Exchange:
        """Return what is asked for, once it is clear that the caller may.

        Raises:
            BadRequest, BadTarget, RefusedQuery, ProblemError: it is refused; the last one also
                for who is unknown or has asked too often.
        """
        found, query = matched(table, asked)
        route = found.route
        if is_open(route):
            return exchange(asked, found, query)
        caller = await self._identified(asked)
        if caller is None and route.requires_key:
            raise credentials.no_key()
        told = await self._counted(asked, route, caller)
        if route.requires_key or route.tenant:
            # Caches in front know nothing of keys, unless they are told.
            told = Fields([*told, ("vary", "Authorization, X-API-Key")])
        tenant = _owner(caller) if caller and route.tenant else None
        return exchange(asked, found, query, tenant=tenant, told=told)

    async def _identified(self, asked: Asked) -> keys.Caller | None:
        """Return who asks, if they say; those who guess keys are held up."""
        peer, now = asked.peer or "unknown", self._clock()
        if (wait := self._guesses.wait(peer, now)) > 0:
            raise _too_many("Too many keys that are none were offered", wait)
        try:
            return await keys.identify(asked.fields)
        except credentials.BadKey:
            self._guesses.note(peer, now)
            raise

    async def _counted(self, asked: Asked, route: Route, caller: keys.Caller | None) -> Fields:
        """Count a request of a route that has a limit; return what the caller is to know of it."""
        rate = (caller.rate if caller else None) or route.rate
        if rate is None:
            return Fields()
        name = f"{route.name}:{caller.prefix if caller else asked.peer or 'unknown'}"
        verdict = await limits.take(self._cache, name, rate, now=self._clock())
        told = limit_fields(rate, verdict)
        if not verdict.allowed:
            limit = f"The limit of {rate.requests} requests in {rate.window:g} s is reached"
            raise _too_many(limit, verdict.retry_after, told)
        return told


def _owner(caller: keys.Caller) -> str:
    return f"tenant:{caller.tenant}" if caller.tenant else f"key:{caller.prefix}"


def _too_many(what: str, wait: float, told: Fields | None = None) -> ProblemError:
    seconds = math.ceil(wait)
    refusal = ProblemError(HTTPStatus.TOO_MANY_REQUESTS, f"{what}; try again in {seconds} s.")
    refusal.fields = Fields([("retry-after", str(seconds))]) if told is None else told
    return refusal
