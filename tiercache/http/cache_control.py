"""Cache-Control of responses and of requests, as values (RFC 9111, 5.2).

What is malformed is read in the way that lets a cache do least (RFC 9111, 4.2.1): a lifetime that
is not a number is none, a directive counts whatever argument it was wrongly given, and ``no-cache``
and ``private`` that name fields count for the whole response, as 5.2.2.4 and 5.2.2.7 allow. Of a
directive that is there twice, the first one counts. Unknown directives are ignored (5.2.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .fields import TCHAR, Fields, members
from .targeted import targeted_arguments

LONGEST: Final = 2**31
"""Seconds that stand for any greater number of them, about 68 years (RFC 9111, 1.2.2)."""

_DIGITS: Final = re.compile(r"[0-9]+")
_NAME: Final = re.compile(rf"{TCHAR}+")
_WELL_FORMED: Final = re.compile(rf'{TCHAR}+(?:=(?:{TCHAR}+|"(?:[^"\\]|\\.)*"))?', re.DOTALL)

Arguments = Mapping[str, str | None]
"""The argument of each directive, named in lower case; None for a directive without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDirectives:
    """What a response says of being stored.

    Attributes:
        max_age, s_maxage, stale_while_revalidate, stale_if_error: seconds, at most ``LONGEST``;
            0 where they are not a number, None where the directive is absent.
        targeted: whether this is what CDN-Cache-Control says, in the place of Cache-Control and
            Expires (RFC 9213, 2.2).
    """

    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_understand: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    immutable: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    targeted: bool = False

    @property
    def never_stale(self) -> bool:
        """Whether a shared cache must not serve it stale, whatever else allows it (4.2.4).

        s-maxage says so too (RFC 9111, 5.2.2.10).
        """
        revalidate = self.must_revalidate or self.proxy_revalidate or self.no_cache
        return revalidate or self.s_maxage is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDirectives:
    """What a request asks of a cache (RFC 9111, 5.2.1).

    Attributes:
        no_cache: also by Pragma, where there is no Cache-Control (RFC 9111, 5.4).
        max_age, min_fresh, max_stale, stale_if_error: seconds, None where the directive is absent.
            One that is not a number is the strictest: 0, of min-fresh ``LONGEST``. A max-stale
            without an argument is ``LONGEST``.
    """

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    stale_if_error: int | None = None


def response_directives(answered: Fields) -> ResponseDirectives:
    """Return what a response says in CDN-Cache-Control, or else in Cache-Control."""
    aimed = targeted_arguments(answered)
    found = _arguments(answered, "cache-control") if aimed is None else aimed
    return ResponseDirectives(
        no_store="no-store" in found,
        no_cache="no-cache" in found,
        private="private" in found,
        # These two allow what is forbidden without them, so they have to be as they should.
        public=found.get("public", "") is None,
        must_understand=found.get("must-understand", "") is None,
        must_revalidate="must-revalidate" in found,
        proxy_revalidate="proxy-revalidate" in found,
        immutable="immutable" in found,
        max_age=_seconds(found, "max-age"),
        s_maxage=_seconds(found, "s-maxage"),
        stale_while_revalidate=_seconds(found, "stale-while-revalidate"),
        stale_if_error=_seconds(found, "stale-if-error"),
        targeted=aimed is not None,
    )


def request_directives(asked: Fields) -> RequestDirectives:
    """Return what a request says in Cache-Control, or else in Pragma."""
    if "cache-control" not in asked:
        return RequestDirectives(no_cache="no-cache" in _arguments(asked, "pragma"))
    found = _arguments(asked, "cache-control")
    unbounded = "max-stale" in found and found["max-stale"] is None
    return RequestDirectives(
        no_store="no-store" in found,
        no_cache="no-cache" in found,
        only_if_cached="only-if-cached" in found,
        max_age=_seconds(found, "max-age"),
        min_fresh=_seconds(found, "min-fresh", invalid=LONGEST),
        max_stale=LONGEST if unbounded else _seconds(found, "max-stale"),
        stale_if_error=_seconds(found, "stale-if-error"),
    )


def delta_seconds(text: str) -> int | None:
    """Return a number of seconds, at most ``LONGEST``; None if it is not one (RFC 9111, 1.2.2)."""
    if not _DIGITS.fullmatch(text):
        return None
    digits = text.lstrip("0") or "0"
    # Python refuses to read thousands of digits, and nobody needs more than these.
    return LONGEST if len(digits) > 10 else min(int(digits), LONGEST)


def _arguments(fields: Fields, name: str) -> Arguments:
    """Return the directives of a field, the first of each name.

    A directive that is not well-formed is split at all its commas, so that a quote which is never
    closed cannot hide what comes after it.
    """
    found: dict[str, str | None] = {}
    for member in members(fields.get(name) or ""):
        for piece in [member] if _WELL_FORMED.fullmatch(member) else member.split(","):
            if directive := _NAME.match(piece.strip(" \t")):
                rest = directive.string[directive.end() :]
                argument = _unquoted(rest.removeprefix("=")) if rest else None
                found.setdefault(directive[0].lower(), argument)
    return found


def _unquoted(argument: str) -> str:
    """Return the text of a quoted string (RFC 9110, 5.6.4), or the argument as it is."""
    if len(argument) < 2 or not argument[0] == argument[-1] == '"':
        return argument
    return re.sub(r"\\(.)", r"\1", argument[1:-1], flags=re.DOTALL)


def _seconds(found: Arguments, name: str, *, invalid: int = 0) -> int | None:
    if name not in found:
        return None
    seconds = delta_seconds(found[name] or "")
    return invalid if seconds is None else seconds
