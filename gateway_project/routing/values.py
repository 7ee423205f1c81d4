"""The values that options may have: each reader takes what TOML gave and returns what it means.

A reader raises BadValue, whose text goes on after the option's name: "must be …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, Final, TypeVar

from gateway_project import environment
from gateway_project.callers.limits import Rate
from tiercache.http.fields import is_token
from tiercache.http.rules import OVERRIDES

Reader = Callable[[Any], Any]
T = TypeVar("T")

YEAR: Final = 366 * 24 * 3600
_LARGEST: Final = 2**40
_SIZE: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?) ?(B|KiB|MiB|GiB)", re.ASCII)
_UNITS: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?")
# CONNECT makes a tunnel, TRACE shows a caller what the gateway adds (RFC 9110, 9.3.6 and 9.3.8).
_NO_METHODS: Final = frozenset({"CONNECT", "TRACE"})
# RFC 9110, 15.3.7 and 15.4.5: a part, and the news that nothing is new, are no answers to keep.
_NO_STATUSES: Final = frozenset({206, 304})


class BadValue(ValueError):
    """A value that an option cannot have; the message says which it can, and what it was."""

    def __init__(self, allowed: str, value: object) -> None:
        super().__init__(f"must be {allowed}, not {_shown(value)}")


def number(lowest: float, highest: float, *, above: bool = False) -> Reader:
    """Return the reader of seconds from `lowest` (with `above`: from beyond it) to `highest`."""
    start = "above" if above else "from"
    allowed = f"a number of seconds {start} {lowest:g} to {highest:.12g}"

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValue(allowed, value)
        if not lowest <= value <= highest or (above and value == lowest):
            raise BadValue(allowed, value)
        return float(value)

    return read


def count(lowest: int, highest: int) -> Reader:
    """Return the reader of a whole number."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise BadValue(f"a whole number from {lowest} to {highest}", value)
        return value

    return read


def choice(*allowed: str) -> Reader:
    """Return the reader of one of a few texts."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise BadValue(" or ".join(f'"{one}"' for one in allowed), value)
        return value

    return read


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise BadValue("true or false", value)
    return value


def text(value: object) -> str:
    """Read a text of printable ASCII characters."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise BadValue("a text of printable ASCII characters", value)
    return value


def name(value: object) -> str:
    """Read the name of a route or a pool."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BadValue("a name of small letters, digits, '-' and '_', 64 at the most", value)
    return value


def host(value: object) -> str:
    """Read what a Host line has: a name or an address, and perhaps a port."""
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise BadValue('a host\'s name, with a port if need be, such as "api.example:8443"', value)
    return value


def path(value: object) -> str:
    """Read a path, perhaps with a query."""
    if not isinstance(value, str) or not value.startswith("/") or " " in text(value):
        raise BadValue("a path that begins with a slash", value)
    return value


def size(value: object) -> int:
    """Read a number of bytes, or a text such as "1 MiB"."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    # Decimals, so that no size is off by what a float cannot hold.
    given = int(Decimal(found[1]) * _UNITS[found[2]]) if found else value
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= _LARGEST:
        raise BadValue(
            'a number of bytes, 1 or more, or a text such as "1 MiB" (B, KiB, MiB, GiB)', value
        )
    return given


def rate(value: object) -> Rate:
    """Read how many requests there may be in a time."""
    try:
        return Rate.parse(text(value))
    except ValueError as exc:
        raise BadValue('requests in a time, such as "100/60s"', value) from exc


def listed(value: object, read: Callable[[object], T], *, empty: bool = True) -> tuple[T, ...]:
    """Read a list, each of its members by a reader, none of them twice."""
    if not isinstance(value, list) or (not value and not empty):
        raise BadValue("a list" if empty else "a list with a member", value)
    members = tuple(read(one) for one in value)
    for member in members:
        if members.count(member) > 1:
            raise BadValue("a list without repetitions", value)
    return members


def texts(value: object) -> tuple[str, ...]:
    """Read a list of texts."""
    return listed(value, _any_text)


def headers(value: object) -> tuple[str, ...]:
    """Read names of header fields, which come back sorted, in lower case."""
    return tuple(sorted(listed(value, _header)))


def methods(value: object) -> frozenset[str]:
    """Read names of methods."""
    return frozenset(listed(value, _method, empty=False))


def statuses(value: object) -> frozenset[int]:
    """Read statuses that can be stored."""
    return frozenset(listed(value, _status))


def overrides(value: object) -> frozenset[str]:
    """Read names of what keeps responses from being stored."""
    return frozenset(listed(value, choice(*sorted(OVERRIDES))))


def servers(value: object) -> tuple[str, ...]:
    """Read base addresses of HTTP servers, which come back without a slash at their end."""
    return listed(value, _server, empty=False)


def one_of(value: str, known: Collection[str]) -> str:
    """Return a text that has to be known."""
    if value not in known:
        raise BadValue(f"one of {', '.join(sorted(known)) or 'none, since there is none'}", value)
    return value


def _any_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadValue("a list of texts, without an empty one", value)
    return value


def _header(value: object) -> str:
    if not isinstance(value, str) or not is_token(value):
        raise BadValue("a list of names of header fields", value)
    return value.lower()


def _method(value: object) -> str:
    good = isinstance(value, str) and is_token(value) and value == value.upper()
    if not isinstance(value, str) or not good or value in _NO_METHODS:
        raise BadValue("a list of methods in capitals, without CONNECT and TRACE", value)
    return value


def _status(value: object) -> int:
    given: int = count(200, 499)(value)
    if given in _NO_STATUSES:
        raise BadValue("a list of statuses from 200 to 499, without 206 and 304", value)
    return given


def _server(value: object) -> str:
    if not isinstance(value, str) or not environment.is_base(value):
        shown = environment.without_password(value) if isinstance(value, str) else value
        raise BadValue('a list of addresses such as "http://127.0.0.1:9001"', shown)
    return value.rstrip("/")


def _shown(value: object) -> str:
    said = f'"{value}"' if isinstance(value, str) and value.isprintable() else _plain(value)
    return said if len(said) <= 80 else f"{said[:80]}…"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    try:
        return repr(value)
    except ValueError:
        return "a number with thousands of digits"
