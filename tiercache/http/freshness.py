"""For how long a response is fresh, and how old it is when it comes in (RFC 9111, 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from . import dates
from .cache_control import LONGEST, ResponseDirectives, delta_seconds
from .fields import Fields
from .rules import HEURISTIC_STATUSES, Rules

Source = Literal["s-maxage", "max-age", "expires", "route", "heuristic", "none"]
"""Where a lifetime comes from; ``none``: nothing gives it one."""

HEURISTIC_SHARE: Final = 0.1
"""The part of the time since Last-Modified that a response is taken to be fresh for."""

LONGEST_HEURISTIC: Final = 86400.0
"""Seconds that a response is fresh for at most if it does not say so itself."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Seconds for which a response is fresh, from when it was generated; never negative."""

    seconds: float
    source: Source


def lifetime(
    directives: ResponseDirectives, answered: Fields, rules: Rules, status: int, received: float
) -> Lifetime:
    """Return for how long a response is fresh in a shared cache (RFC 9111, 4.2.1).

    The first of these that is there counts, be it valid or not: s-maxage, max-age, Expires, what
    the route says, the heuristic. An Expires that is not a date is in the past (RFC 9111, 5.3).
    ``received`` is in seconds since the epoch; it stands for a Date that is missing.
    """
    if directives.s_maxage is not None:
        return Lifetime(directives.s_maxage, "s-maxage")
    if directives.max_age is not None:
        return Lifetime(directives.max_age, "max-age")
    if "expires" in answered and not directives.targeted:
        return Lifetime(_until_expires(answered, received), "expires")
    if rules.lifetime is not None:
        return Lifetime(rules.lifetime, "route")
    if directives.public or status in HEURISTIC_STATUSES:
        return _heuristic(answered, received)
    return Lifetime(0.0, "none")


def initial_age(answered: Fields, requested: float, received: float) -> float:
    """Return the age of a response when it came in: corrected_initial_age of RFC 9111, 4.2.3.

    Takes the seconds since the epoch at which it was asked for and at which it came. Of more than
    one Age the first counts, and one that is not a number is ignored (RFC 9111, 5.1).
    """
    # A Date names whole seconds; a response of this very second is not up to a second old.
    apparent = math.floor(received) - _generated(answered, received)
    delay = max(0.0, received - requested)
    said = delta_seconds("".join(answered.members("age")[:1])) or 0
    return max(0.0, apparent, said + delay)


def _until_expires(answered: Fields, received: float) -> float:
    expires = _instant(answered, "expires", received)
    if expires is None:
        return 0.0
    return min(max(0.0, expires - _generated(answered, received)), LONGEST)


def _heuristic(answered: Fields, received: float) -> Lifetime:
    """Return a tenth of the time since Last-Modified, as RFC 9111, 4.2.2 suggests."""
    modified = _instant(answered, "last-modified", received)
    if modified is None:
        return Lifetime(0.0, "none")
    unchanged = max(0.0, _generated(answered, received) - modified)
    return Lifetime(min(unchanged * HEURISTIC_SHARE, LONGEST_HEURISTIC), "heuristic")


def _generated(answered: Fields, received: float) -> float:
    """Return what Date says, or when the response came in (RFC 9110, 6.6.1)."""
    date = _instant(answered, "date", received)
    return received if date is None else date


def _instant(answered: Fields, name: str, now: float) -> float | None:
    """Return the date in the first line of a field."""
    lines = answered.lines(name)
    return dates.parse(lines[0], now) if lines else None
