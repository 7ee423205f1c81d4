"""What a route says about storing, beside what responses say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Override = Literal["no-store", "private", "set-cookie", "authorization", "vary-star"]
"""What keeps a response from being stored, unless a route says that it is to be stored anyway."""

OVERRIDES: Final[frozenset[str]] = frozenset(get_args(Override))

HEURISTIC_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that RFC 9110, 15.1 lets a cache store without an explicit lifetime (206 apart)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How responses of one route are stored and served.

    Attributes:
        lifetime: seconds for which a response is fresh that says nothing itself (neither
            s-maxage nor max-age nor Expires); None: a tenth of the time since Last-Modified, where
            RFC 9111, 4.2.2 allows it.
        stale_while_revalidate, stale_if_error: seconds (RFC 5861) for responses that do not name
            the directive themselves.
        statuses: the ones that may be stored.
        store_anyway: what does not keep a response of this route from being stored.
        keep: seconds beyond its freshness for which a response with a validator is kept to be
            revalidated, at least.
        obey_callers: whether a request's Cache-Control counts. RFC 9111, 5.2.1 leaves it to the
            cache; in front of an API it would let every caller ask the upstream.
    """

    lifetime: float | None = None
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    statuses: frozenset[int] = HEURISTIC_STATUSES
    store_anyway: frozenset[str] = frozenset()
    keep: float = 3600.0
    obey_callers: bool = False
