"""Whether a response may be stored in a shared cache, and on which terms (RFC 9111, 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from .cache_control import ResponseDirectives, request_directives, response_directives
from .fields import Fields, is_token
from .freshness import Lifetime, Source, initial_age, lifetime
from .rules import Override, Rules

Reason = Literal[Override, "method", "status", "partial", "request-no-store", "no-lifetime"]
"""Why a response is not stored, as a token that Cache-Status can have for its detail."""

UNDERSTOOD: Final = frozenset(
    {
        *range(200, 206),
        *range(300, 304),
        *(307, 308),
        *range(400, 418),
        *(421, 422, 426),
        *range(500, 506),
    }
)
"""Final statuses of RFC 9110, 15 of which nothing is to be known for storing them."""

_NEVER: Final = frozenset({*range(100, 200), 304})
"""Statuses that are no response of their own: interim ones, and the answer to a condition."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that must not be stored, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Storable:
    """The terms on which a response may be stored; all durations in seconds.

    Attributes:
        lifetime: how long it is fresh, counted from when the origin generated it.
        age: how old it was when it came in.
        stale_while_revalidate, stale_if_error: how long it may be served stale (RFC 5861); 0
            where the response forbids it.
        revalidate_always: whether it must not be served without asking, fresh or not (no-cache).
        never_stale: whether no caller's wish can make it be served stale either.
        keep: how long beyond its lifetime it is of use.
        vary: the names of the request's fields that it was chosen by; in lower case, sorted, each
            once.
        source: what gives it its lifetime.
    """

    lifetime: float
    age: float
    stale_while_revalidate: float
    stale_if_error: float
    revalidate_always: bool
    never_stale: bool
    keep: float
    vary: tuple[str, ...]
    source: Source


def judge(
    *,
    method: str,
    asked: Fields,
    status: int,
    answered: Fields,
    rules: Rules,
    requested: float,
    received: float,
) -> Storable | Refusal:
    """Say whether a response may be stored, and how it may be used then (RFC 9111, 3).

    ``asked`` and ``answered`` are the fields of the request and of the response; ``requested`` and
    ``received`` are in seconds since the epoch. Only GET is stored, and 206 never is. A response
    that could never be served is refused: one that is stale on arrival or that says no-cache,
    unless it has a validator or allows itself to be served stale.
    """
    directives = response_directives(answered)
    obstacles = (
        reason
        for reason in _obstacles(asked, answered, directives)
        if reason not in rules.store_anyway
    )
    if reason := _unfit(method, asked, status, directives, rules) or next(obstacles, None):
        return Refusal(reason)
    fresh_for = lifetime(directives, answered, rules, status, received)
    age = initial_age(answered, requested, received)
    return _terms(directives, answered, rules, fresh_for, age)


def _unfit(
    method: str, asked: Fields, status: int, directives: ResponseDirectives, rules: Rules
) -> Reason | None:
    """Return what keeps a response from being stored whatever the route says."""
    if method != "GET":
        return "method"
    if status == 206:
        return "partial"
    if status in _NEVER or status not in rules.statuses:
        return "status"
    if directives.must_understand and status not in UNDERSTOOD:
        return "status"
    if rules.obey_callers and request_directives(asked).no_store:
        return "request-no-store"
    return None


def _obstacles(
    asked: Fields, answered: Fields, directives: ResponseDirectives
) -> Iterator[Override]:
    """Yield what keeps a response from being stored unless the route overrides it."""
    # RFC 9111, 5.2.2.3: no-store is for caches that do not know must-understand.
    if directives.no_store and not directives.must_understand:
        yield "no-store"
    if directives.private:
        yield "private"
    if "set-cookie" in answered:
        yield "set-cookie"
    if "authorization" in asked and not _for_everyone(directives):
        yield "authorization"
    if not all(_selects(name) for name in answered.members("vary")):
        yield "vary-star"


def _for_everyone(directives: ResponseDirectives) -> bool:
    """Say whether the answer to a request with Authorization may be shared (RFC 9111, 3.5)."""
    return directives.public or directives.must_revalidate or directives.s_maxage is not None


def _selects(name: str) -> bool:
    """Tell the name of a field from ``*`` and from what cannot be one, which is as unknowable."""
    return name != "*" and is_token(name)


def _terms(
    directives: ResponseDirectives, answered: Fields, rules: Rules, fresh_for: Lifetime, age: float
) -> Storable | Refusal:
    # The route extends a lifetime. What has none, such as max-age=0, is not to be served unasked.
    extension = rules.stale_while_revalidate if fresh_for.seconds > 0 else 0.0
    refreshing, failing = _stale_windows(directives, extension, rules.stale_if_error)
    validated = bool(answered.get("etag") or answered.get("last-modified"))
    keep = max(refreshing, failing, rules.keep if validated else 0.0)
    if age >= (fresh_for.seconds + keep if validated else _servable_until(directives, fresh_for)):
        return Refusal("no-lifetime")
    return Storable(
        lifetime=fresh_for.seconds,
        age=age,
        stale_while_revalidate=refreshing,
        stale_if_error=failing,
        revalidate_always=directives.no_cache,
        never_stale=directives.never_stale,
        keep=keep,
        vary=tuple(sorted({name.lower() for name in answered.members("vary") if _selects(name)})),
        source=fresh_for.source,
    )


def _stale_windows(
    directives: ResponseDirectives, refreshing: float, failing: float
) -> tuple[float, float]:
    """Return stale-while-revalidate and stale-if-error, with what to take if they are absent."""
    if directives.never_stale:
        return 0.0, 0.0
    own, own_failing = directives.stale_while_revalidate, directives.stale_if_error
    return refreshing if own is None else own, failing if own_failing is None else own_failing


def _servable_until(directives: ResponseDirectives, fresh_for: Lifetime) -> float:
    """Return up to which age a response without a validator is of use, in seconds.

    What the route says of stale responses does not count: it is about those that are stored.
    """
    if directives.no_cache:
        return 0.0
    return fresh_for.seconds + max(_stale_windows(directives, 0.0, 0.0))
