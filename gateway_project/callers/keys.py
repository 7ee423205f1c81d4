"""Who calls: the key of a request, checked against the database through the cache."""

import hmac
import time
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from django.core.cache import cache
from django.db import Error

from gateway_project.callers.credentials import BadKey, offered_key
from gateway_project.callers.limits import Rate
from gateway_project.callers.material import cache_key, digest, prefix_of
from gateway_project.models import ApiKey
from gateway_project.problems import ProblemError
from tiercache.exceptions import LoadTimeout
from tiercache.http.fields import Fields
from tiercache.loading import LoadContext

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

FRESH: Final = 60.0
"""Seconds after which the database is asked again, though it said of no change."""

GRACE: Final = 600.0
"""Seconds beyond those for which a key that is known goes on working while the database fails."""

UNKNOWN: Final = 5.0
"""Seconds for which a prefix stays unknown. A key that is made meanwhile works at once."""

BUDGET: Final = 2.0
"""Seconds that a request waits for the database."""

# Digest, tenant, right to purge, requests and window of its own rate, Unix seconds of its end,
# whether it was revoked. Of values that cannot change memory hands out the one copy that it has.
Row: TypeAlias = tuple[str, str, bool, int, float, float, bool]
Unknown: TypeAlias = tuple[()]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, by their key.

    Attributes:
        prefix: of the key, for logs.
        tenant: for whom; several keys may share one.
        may_purge: whether they may evict what is stored.
        rate: their own rate instead of the route's, None if they have none.
    """

    prefix: str
    tenant: str
    may_purge: bool
    rate: Rate | None


async def identify(fields: Fields) -> Caller | None:
    """Return who sends a request with these fields, None if it offers no key.

    Mostly answered from memory. Revoking a key, or another change to its row, evicts it from
    every process when the transaction commits. While Redis is away the others do not hear of it:
    they go by what they have for `FRESH` seconds, and for the one request that then makes them
    ask the database.

    Raises:
        BadKey: the key is malformed, unknown, expired or revoked.
        ProblemError: the database does not answer, and the key is not in the cache (503).
    """
    key = offered_key(fields)
    if key is None:
        return None
    return _checked(key, await _row(prefix_of(key)))


async def _row(prefix: str) -> Row | Unknown:
    """Return what is known of a key; empty if there is none."""
    tiers = cast("TieredCache", cache)
    # A function that is not async: tiercache runs it in a thread of its own, and closes the
    # connection afterwards. Django's thread belongs to a request, which a load may outlive.
    load = partial(_load, prefix)
    try:
        row: Row | Unknown = await tiers.aget_or_set(
            cache_key(prefix), load, FRESH, grace=GRACE, budget=BUDGET
        )
    except (Error, LoadTimeout) as exc:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "Keys cannot be checked now; try again."
        ) from exc
    return row


def _load(prefix: str, context: LoadContext) -> Row | Unknown:
    found = ApiKey.objects.filter(prefix=prefix).first()
    if found is None:
        context.timeout, context.grace = UNKNOWN, 0
        return ()
    rate = Rate.parse(found.rate) if found.rate else None
    return (
        found.digest,
        found.tenant,
        found.may_purge,
        rate.requests if rate else 0,
        rate.window if rate else 0.0,
        found.expires.timestamp() if found.expires else float("inf"),
        found.revoked is not None,
    )


def _checked(key: str, row: Row | Unknown) -> Caller:
    """Return whose key it is; only who has the whole key is told what became of it."""
    if not row or not hmac.compare_digest(row[0], digest(key)):
        raise BadKey(HTTPStatus.UNAUTHORIZED, "This key is unknown.")
    _, tenant, may_purge, requests, window, expires, revoked = row
    if revoked:
        raise BadKey(HTTPStatus.UNAUTHORIZED, "This key was revoked.")
    if expires <= time.time():
        raise BadKey(HTTPStatus.UNAUTHORIZED, "This key has expired.")
    rate = Rate(requests, window) if requests else None
    return Caller(prefix_of(key), tenant, may_purge, rate)
