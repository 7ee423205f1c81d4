"""Whether a stored response may be served as it is, or the upstream is asked (RFC 9111, 4)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from .cache_control import RequestDirectives, request_directives
from .fields import Fields
from .rules import Rules


class Action(enum.Enum):
    """What is to be done with a stored response.

    Attributes:
        FRESH: serve it.
        STALE_REFRESH: serve it, and ask the upstream in the background.
        REVALIDATE: ask the upstream first, with its validators.
        FORWARD: ask the upstream as though nothing was stored.
    """

    FRESH = "fresh"
    STALE_REFRESH = "stale-refresh"
    REVALIDATE = "revalidate"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with a stored response, and why.

    Attributes:
        reason: why it is not a plain hit, as a token for ``fwd`` of Cache-Status (RFC 9211, 2.2).
        stale_if_error: whether it may be served if the upstream fails; of use with REVALIDATE.
    """

    action: Action
    reason: Literal["stale", "request", "method"] | None = None
    stale_if_error: bool = False


class Terms(Protocol):
    """The terms on which a response is stored, as in ``storing.Storable``; in seconds."""

    @property
    def lifetime(self) -> float:
        """How long it is fresh."""

    @property
    def stale_while_revalidate(self) -> float:
        """How long it may be served after that, while the upstream is asked."""

    @property
    def stale_if_error(self) -> float:
        """How long it may be served after that if the upstream fails."""

    @property
    def revalidate_always(self) -> bool:
        """Whether the upstream is to be asked each time; ``never_stale`` is true then."""

    @property
    def never_stale(self) -> bool:
        """Whether it must not be served stale, whatever a caller accepts."""


_FRESH: Final = Decision(Action.FRESH)
_STALE_REFRESH: Final = Decision(Action.STALE_REFRESH, "stale")
_REVALIDATE: Final = Decision(Action.REVALIDATE, "stale")
_REVALIDATE_OR_STALE: Final = Decision(Action.REVALIDATE, "stale", stale_if_error=True)
_FORWARD_METHOD: Final = Decision(Action.FORWARD, "method")
_FORWARD_ASKED: Final = Decision(Action.FORWARD, "request")


def decide(asked: Fields, method: str, stored: Terms, age: float, rules: Rules) -> Decision:
    """Say what to do with the stored response to a GET (RFC 9111, 4, and RFC 5861).

    ``age`` is what it is now, in seconds: the age it came in with and the time since. It answers
    GET and HEAD. What the request's Cache-Control and Pragma say counts where ``rules`` obey
    callers; see ``only_if_cached`` for the one directive that is not decided here.
    """
    if method not in ("GET", "HEAD"):
        return _FORWARD_METHOD
    if rules.obey_callers:
        return _as_asked(request_directives(asked), stored, age)
    return _as_stored(stored, age)


def only_if_cached(asked: Fields, rules: Rules) -> bool:
    """Say whether to answer 504 instead of waiting for the upstream (RFC 9111, 5.2.1.7)."""
    return rules.obey_callers and request_directives(asked).only_if_cached


def _as_stored(stored: Terms, age: float) -> Decision:
    """Decide by the terms alone."""
    if stored.revalidate_always:
        return _REVALIDATE
    if age < stored.lifetime:
        return _FRESH
    if age < stored.lifetime + stored.stale_while_revalidate:
        return _STALE_REFRESH
    return _REVALIDATE_OR_STALE if age < stored.lifetime + stored.stale_if_error else _REVALIDATE


def _as_asked(wishes: RequestDirectives, stored: Terms, age: float) -> Decision:
    """Decide by the terms and by what the caller wants (RFC 9111, 5.2.1)."""
    if wishes.no_store:
        return _FORWARD_ASKED
    fresh = age < stored.lifetime and not stored.revalidate_always
    if not wishes.no_cache and _young_enough(wishes, stored, age):
        if fresh:
            return _FRESH
        if _stale_is_accepted(wishes, stored, age):
            return _STALE_REFRESH
    failing = _usable_on_error(wishes, stored, age)
    return Decision(Action.REVALIDATE, "request" if fresh else "stale", failing)


def _young_enough(wishes: RequestDirectives, stored: Terms, age: float) -> bool:
    if wishes.max_age is not None and age > wishes.max_age:
        return False
    return wishes.min_fresh is None or stored.lifetime - age >= wishes.min_fresh


def _stale_is_accepted(wishes: RequestDirectives, stored: Terms, age: float) -> bool:
    """Say whether both the caller and the response allow that it is served stale.

    A caller that names max-age wants nothing stale, unless it also says max-stale (5.2.1.1).
    """
    if stored.never_stale:
        return False
    if wishes.max_stale is not None:
        return age - stored.lifetime <= wishes.max_stale
    return wishes.max_age is None and age < stored.lifetime + stored.stale_while_revalidate


def _usable_on_error(wishes: RequestDirectives, stored: Terms, age: float) -> bool:
    """Say whether it may be served if the upstream fails (RFC 5861, 4).

    A caller that says no-cache wants nothing that was not validated (RFC 9111, 5.2.1.4).
    """
    if wishes.no_cache or stored.revalidate_always:
        return False
    wished = 0 if stored.never_stale else wishes.stale_if_error or 0
    return age < stored.lifetime + max(stored.stale_if_error, wished)
