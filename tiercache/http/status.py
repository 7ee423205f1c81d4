"""Cache-Status: how a cache says that it answered (RFC 9211), in structured fields (RFC 9651)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, get_args

from tiercache.http.fields import Fields

Forward = Literal[
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"
]
"""Why a request went to an upstream (RFC 9211, 2.2)."""

FORWARDS: Final[frozenset[str]] = frozenset(get_args(Forward))

LARGEST: Final = 10**15 - 1
"""The largest integer that a structured field has."""

_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_STRING: Final = re.compile(r"[\x20-\x7e]*")


def member(
    name: str = "tiercache",
    *,
    hit: bool = False,
    fwd: Forward | None = None,
    fwd_status: int | None = None,
    ttl: int | None = None,
    stored: bool = False,
    collapsed: bool = False,
    key: str | None = None,
    detail: str | None = None,
) -> str:
    """Return what one cache says in Cache-Status.

    Args:
        name: of the cache.
        hit: the response came from the cache, without asking an upstream.
        fwd: why an upstream was asked.
        fwd_status: what it answered, if that is not the status of the response.
        ttl: seconds for which the response is still fresh; negative if it is stale.
        stored: what the upstream answered was stored.
        collapsed: the request waited for another one's answer.
        key: by which the response is stored; visible ASCII.
        detail: what else is to be known; visible ASCII.

    Raises:
        ValueError: both `hit` and `fwd`, something about an upstream without `fwd`, or a
            value that a structured field cannot have: a mistake in the program.
    """
    _check(hit=hit, fwd=fwd, tells_of_upstream=stored or collapsed or fwd_status is not None)
    parameters: dict[str, str | int | None] = {
        "hit": hit,
        "fwd": fwd,
        "fwd-status": fwd_status,
        "ttl": ttl,
        "stored": stored,
        "collapsed": collapsed,
        "key": None if key is None else _string(key),
        "detail": None if detail is None else _item(detail),
    }
    return "; ".join([_item(name), *_serialised(parameters)])


def appended(fields: Fields, member: str) -> Fields:
    """Return a response's fields with what this cache says behind what others said.

    The list grows from the origin towards the caller (RFC 9211, 2).
    """
    return fields.replaced("cache-status", *fields.lines("cache-status"), member)


def _check(*, hit: bool, fwd: str | None, tells_of_upstream: bool) -> None:
    if hit and fwd is not None:
        raise ValueError(f"a response is either a hit or forwarded; told both, fwd={fwd!r}")
    if fwd is None and tells_of_upstream:
        raise ValueError("stored, collapsed and fwd_status tell of a request with fwd; told none")
    if fwd is not None and fwd not in FORWARDS:
        raise ValueError(f"fwd is {fwd!r}; allowed: {', '.join(sorted(FORWARDS))}")


def _serialised(values: dict[str, str | int | None]) -> Iterator[str]:
    for name, value in values.items():
        if value is True:
            yield name
        elif isinstance(value, str):
            yield f"{name}={value}"
        elif value is not None and value is not False:
            yield f"{name}={_integer(value)}"


def _integer(value: int) -> str:
    if abs(value) > LARGEST:
        raise ValueError(f"{value} is no integer of a structured field; at most {LARGEST}")
    return str(value)


def _item(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    if not _STRING.fullmatch(text):
        raise ValueError(f"{text!r} is no string of a structured field; allowed: visible ASCII")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
