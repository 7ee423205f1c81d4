"""The target of a request (RFC 9112, 3.2): refused, or in the one form it is looked up by.

Two servers that read one target differently are how caches are poisoned and guards are passed.
So what has more than one reading is refused, not repaired.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlencode

Pairs = tuple[tuple[str, str], ...]
"""The parameters of a query, as decoded text."""

LONGEST_PATH: Final = 4096
"""How many bytes a path may have."""

LONGEST_QUERY: Final = 8192
"""How many bytes a query may have."""

MOST_PARAMETERS: Final = 256

_PATH_FORBIDDEN: Final = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@%/]")
# Beyond RFC 3986, browsers and clients send []{}|^` in queries as they are.
_QUERY_FORBIDDEN: Final = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]{}|^`]")
_ENCODED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_ENCODED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2}).{0,2}")
_AMBIGUOUS: Final = re.compile(rb"%(?:2F|5C|[01][0-9A-F]|7F)", re.IGNORECASE)
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# With `;`, some servers take what follows for parameters, and the segment for a dot segment.
_DOT_SEGMENT: Final = re.compile(rb"\.\.?(?:(?:;|%3B).*)?")


class BadTarget(ValueError):
    """A request's target is none that this gateway answers.

    Attributes:
        status: 400, or 414 if it is too long.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for.

    Attributes:
        path: normalised (RFC 3986, 6.2.2): ASCII, unreserved characters as they are, others
            percent-encoded with capitals; no dot segments, no empty ones but the last.
        query: the parameters, in their order.
    """

    path: str
    query: Pairs = ()


def parse(raw: bytes, query: bytes = b"") -> Target:
    """Return the target of a request.

    Only the origin form is answered. Nothing is decoded twice: `%252e` stays. In the query,
    `&` separates, `+` is a space, and a name without `=` has the empty value.

    Args:
        raw: the path as the request has it, still encoded (ASGI's `raw_path`).
        query: what follows the `?`, as ASGI's `query_string`.

    Raises:
        BadTarget: it is too long, of another form, has characters that a target has not, a
            percent sign without two hexadecimal digits, encoded slashes, backslashes or controls,
            dot segments, empty segments, or text that is not UTF-8.
    """
    _check("path", raw, LONGEST_PATH, _PATH_FORBIDDEN)
    _check("query", query, LONGEST_QUERY, _QUERY_FORBIDDEN)
    return Target(_path(raw), _pairs(query))


def select(
    query: Pairs, counted: Collection[str] | None = None, ignored: Iterable[str] = ()
) -> Pairs:
    """Return the parameters that count, in their order.

    Args:
        query: all of them.
        counted: the names of those that count; None: each does.
        ignored: patterns (`utm_*`) for names of those that do not, even if they are counted.
    """
    patterns = tuple(ignored)
    return tuple(
        (name, value)
        for name, value in query
        if (counted is None or name in counted)
        and not any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def encoded(pairs: Pairs) -> str:
    """Return parameters as the one query that stands for them.

    Sorted by name; the values of one name keep their order. All but unreserved characters are
    percent-encoded, a space too.
    """
    ordered = sorted(pairs, key=itemgetter(0))
    return urlencode(ordered, safe="", quote_via=quote)


def _check(what: str, raw: bytes, longest: int, forbidden: re.Pattern[bytes]) -> None:
    if len(raw) > longest:
        raise BadTarget(f"the {what} has {len(raw)} bytes; allowed: at most {longest}", 414)
    if what == "path" and not raw.startswith(b"/"):
        raise BadTarget("the target does not begin with a slash; only the origin form is answered")
    if match := forbidden.search(raw):
        raise BadTarget(f"the {what} has {_shown(match[0])} in it, which must be percent-encoded")
    if match := _NOT_ENCODED.search(raw):
        raise BadTarget(
            f"the {what} has {_shown(match[0])} in it; behind % must be two hexadecimal digits"
        )


def _path(raw: bytes) -> str:
    if match := _AMBIGUOUS.search(raw):
        raise BadTarget(
            f"the path has {_shown(match[0])} in it; slashes, backslashes and controls must not be"
            " encoded in a path"
        )
    _text("path", raw)
    path = _ENCODED.sub(_normalised, raw)
    segments = path.split(b"/")[1:]
    if b"" in segments[:-1]:
        raise BadTarget("the path has an empty segment; allowed: one slash at a time")
    if any(_DOT_SEGMENT.fullmatch(segment) for segment in segments):
        raise BadTarget("the path has a dot segment; allowed: a path without . and ..")
    return path.decode("ascii")


def _pairs(query: bytes) -> Pairs:
    pieces = [piece.partition(b"=") for piece in query.split(b"&") if piece]
    if len(pieces) > MOST_PARAMETERS:
        raise BadTarget(
            f"the query has {len(pieces)} parameters; allowed: at most {MOST_PARAMETERS}"
        )
    return tuple((_plain(name), _plain(value)) for name, _, value in pieces)


def _plain(raw: bytes) -> str:
    return _text("query", raw.replace(b"+", b" "))


def _text(what: str, raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as exc:
        raise BadTarget(f"the {what} is not UTF-8 once it is decoded") from exc


def _normalised(match: re.Match[bytes]) -> bytes:
    char = int(match[1], 16)
    return bytes((char,)) if char in _UNRESERVED else match[0].upper()


def _shown(raw: bytes) -> str:
    return repr(raw.decode("latin-1"))
