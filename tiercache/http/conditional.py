"""Conditional requests: those of callers, and the cache's own (RFC 9110, 13; RFC 9111, 4.3)."""

from __future__ import annotations

from typing import Final, Literal

from tiercache.http import dates, etags, hops
from tiercache.http.fields import Fields

Outcome = Literal["send", "not-modified"]
"""What a caller gets: the response, or a 304 instead."""

CONDITIONAL: Final = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
"""What makes a request's answer depend on what the caller has, or a part."""

NOT_MODIFIED: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "cache-control",
        "cdn-cache-control",
        "content-location",
        "date",
        "etag",
        "expires",
        "last-modified",
        "vary",
    }
)
"""What a 304 carries (RFC 9110, 15.4.5), and what a browser wants of it before a script sees it."""

_ORIGIN_ONLY: Final = ("if-match", "if-unmodified-since")

# Beside those of one connection (RFC 9111, 3.2): these describe the content that is stored, and a
# 304 has none.
_NOT_UPDATED: Final = frozenset({"content-encoding", "content-length", "content-range"})

# These say when a response was sent. Those of the earlier one must not make the update look old.
_OF_ITS_TRANSFER: Final = frozenset({"age", "date"})


def is_forwarded(asked: Fields) -> bool:
    """Tell whether a request has a condition that only the origin may evaluate.

    If-Match and If-Unmodified-Since are not for caches (RFC 9111, 4.3.2): the request is to be
    passed on as it is, with its other conditions and its Range.
    """
    return any(name in asked for name in _ORIGIN_ONLY)


def evaluate(method: str, asked: Fields, status: int, answered: Fields, received: float) -> Outcome:
    """Say whether a stored response is sent, or a 304 (RFC 9110, 13.2.2; RFC 9111, 4.3.2).

    If-None-Match counts before If-Modified-Since, even if nothing in it is well formed. An
    If-Modified-Since that is no date counts nothing. Only a 200 to GET or HEAD has conditions.

    Args:
        method: of the request.
        asked: the fields of the request.
        status: of the stored response.
        answered: the fields of the stored response.
        received: when it was received, in seconds since the epoch: what counts if it has neither
            Last-Modified nor Date, and the time by which years of two digits are read.
    """
    if method not in ("GET", "HEAD") or status != 200:
        return "send"
    if (listed := asked.get("if-none-match")) is not None:
        is_current = etags.is_listed(listed, etags.parse(answered.get("etag")))
    else:
        is_current = _is_unmodified(asked.get("if-modified-since"), answered, received)
    return "not-modified" if is_current else "send"


def not_modified_fields(answered: Fields) -> Fields:
    """Return what a 304 carries of a response's fields (RFC 9110, 15.4.5).

    Last-Modified only if there is no ETag, since the ETag is the better validator. Age and the
    like are the caller's to add.
    """
    spare = ("last-modified",) if "etag" in answered else ()
    return answered.only(NOT_MODIFIED).without(spare)


def validators(stored: Fields) -> Fields:
    """Return the fields that ask an upstream whether a stored response is current.

    If-None-Match of its ETag, and If-Modified-Since of its Last-Modified, as it was written
    (RFC 9111, 4.3.1). Not of an ETag that is malformed; no fields, if it has neither.
    """
    lines = []
    if tag := etags.parse(stored.get("etag")):
        lines.append(("if-none-match", str(tag)))
    if modified := stored.get("last-modified"):
        lines.append(("if-modified-since", modified))
    return Fields(lines)


def stripped(asked: Fields) -> Fields:
    """Return a request's fields without conditions and Range, to ask for what is to be stored."""
    return asked.without(CONDITIONAL)


def selects(stored: Fields, fresh: Fields) -> bool:
    """Tell whether a 304 is about a stored response, and may update it (RFC 9111, 4.3.4).

    By the best validator that the 304 has: a strong ETag, a weak one, Last-Modified, which is to
    be the same text. One that has none answers the only response that `validators` asked about:
    RFC 9110, 15.4.5 wants the ETag in it, but many origins leave it out.
    """
    told, kept = etags.parse(fresh.get("etag")), etags.parse(stored.get("etag"))
    if told is not None:
        return etags.is_equivalent(told, kept) if told.is_weak else etags.is_same(told, kept)
    if "last-modified" in fresh:
        return fresh.get("last-modified") == stored.get("last-modified")
    return fresh.get("etag") in (None, stored.get("etag"))


def merged(stored: Fields, fresh: Fields) -> Fields:
    """Return the fields of a stored response, updated by those of a 304 (RFC 9111, 3.2 and 4.3.4).

    Each field of the 304 takes the place of the stored lines of its name, but for those of one
    connection, Content-Encoding, -Length and -Range. Age and Date that were stored are gone if
    the 304 does not have them. What comes of it must be judged again before it is stored: the
    304 may have brought a Set-Cookie, a no-store, or another Vary.
    """
    updates = hops.end_to_end(fresh).without(_NOT_UPDATED)
    replaced = _OF_ITS_TRANSFER.union(name for name, _ in updates)
    return Fields([*stored.without(replaced), *updates])


def _is_unmodified(since: str | None, answered: Fields, received: float) -> bool:
    known = dates.parse(since or "", received)
    if known is None:
        return False
    told = (dates.parse(answered.get(name) or "", received) for name in ("last-modified", "date"))
    return next((date for date in told if date is not None), received) <= known
