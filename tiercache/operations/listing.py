"""A cache's keys, a page at a time: an exact one, or those that a glob fits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils.translation import gettext as _

from tiercache.entry import end
from tiercache.exceptions import RedisAway
from tiercache.keys import is_internal, matcher
from tiercache.steps import Flow

from . import whereabouts
from .cursors import Place, pack, unpack
from .looking import Look, look, number
from .names import Names, held_name, text_of
from .rows import Row, described, from_memory
from .searching import Found, walk
from .selecting import LONGEST_GLOB

if TYPE_CHECKING:
    from tiercache.backend import TieredCache
    from tiercache.memory import MemoryTier

__all__ = ["Listing", "Row", "page"]

MOST_ROWS: Final = 100
"""Rows of one page, at the most that may be asked for."""

WAIT: Final = 0.1
"""Seconds that nodes have to say which of a page's keys they hold."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of keys.

    Attributes:
        rows: what fits, without `exact`.
        cursor: names the next page; "" where this is the last.
        scanned, total: keys looked at so far, of about how many (other users' included).
        found: keys found so far.
        exact: the key that the search names itself, if it is there.
        missing: commands that this user of Redis may not use.
        reached: whether Redis answered; otherwise this process's memory is listed.
        reason: why not; or why there is no list; "" where there is nothing to say.
        asked: how many nodes were asked which of the keys they hold.
    """

    rows: tuple[Row, ...]
    cursor: str = ""
    scanned: int = 0
    total: int = 0
    found: int = 0
    exact: Row | None = None
    missing: tuple[str, ...] = ()
    reached: bool = True
    reason: str = ""
    asked: int = 0


def page(
    cache: TieredCache, q: str = "", cursor: str = "", *, budget: float = 0.35, size: int = 50
) -> Listing:
    """List keys: the one that `q` names, then those that it fits as a glob, in all versions.

    Never raises because Redis is away: this process's memory is listed then. Changes nothing, no
    counter and no key's idle time or frequency.

    Args:
        q: a key as the code names it, a full key, or a glob of keys; "" for all.
        cursor: that of the page before, "" for the first.
        budget: seconds for the walk over Redis's keys.
        size: rows; a few more may come along.

    Raises:
        BadCursor: the cursor is damaged, or another search's.
        ValueError: the size is not from 1 to `MOST_ROWS`.
    """
    if not 1 <= size <= MOST_ROWS:
        raise ValueError(f"size is {size}; allowed: 1 to {MOST_ROWS} rows")
    search, place = Search(Names(cache), q, size, budget), unpack(cursor, q)
    if place.in_memory:
        reason = _("This process's memory is listed, as on the page before.")
        return _of_memory(cache, search, place, reason)
    try:
        seen = look(cache, _seen(search, place))
    except RedisAway as away:
        return _of_memory(cache, search, Place(in_memory=True), str(away))
    return _assembled(cache, search, place, seen)


class Search(NamedTuple):
    """What is looked for, how many at a time, for how many seconds."""

    names: Names
    q: str
    size: int
    seconds: float

    @property
    def walks(self) -> bool:
        """Whether keys can be found by a glob."""
        return self.names.readable and len(self.q) <= LONGEST_GLOB

    @property
    def why_no_walk(self) -> str:
        """Why they cannot, "" if they can."""
        if len(self.q) <= LONGEST_GLOB:
            return self.names.reason
        text = _("A glob has %(most)d characters at most: this was taken for a key.")
        return text % {"most": LONGEST_GLOB}

    @property
    def exact(self) -> tuple[bytes, ...]:
        """The full keys that the text names by itself."""
        return self.names.exact(self.q) if self.q else ()

    @property
    def glob(self) -> bytes:
        """What all full keys fit that are looked for."""
        return self.names.glob(self.q or "*")


class _Seen(NamedTuple):
    """What Redis has said: what was found, a row for each key, how many keys there are."""

    found: Found
    rows: dict[bytes, Row]
    total: int
    missing: tuple[str, ...]


def _seen(search: Search, place: Place) -> Flow[_Seen]:
    looks = Look()
    (total,) = yield from looks.begin(("DBSIZE",))
    found = Found()
    if search.walks:
        found = yield from walk(looks, search.glob, place, search.size, search.seconds)
    rows = yield from described(looks, search.names, dict.fromkeys([*search.exact, *found.keys]))
    return _Seen(found, rows, number(total) or 0, looks.missing)


def _assembled(cache: TieredCache, search: Search, place: Place, seen: _Seen) -> Listing:
    where = whereabouts.everywhere(cache, tuple(seen.rows), WAIT)
    rows = [replace(row, held=len(where.copies.get(raw, ()))) for raw, row in seen.rows.items()]
    exact, others = _parted([row for row in rows if row.redis or row.held], search.exact)
    following = seen.found.next
    return Listing(
        rows=others,
        cursor="" if following is None else pack(following, search.q),
        scanned=_scanned(seen, search),
        total=seen.total,
        found=place.found + len(seen.found.keys),
        exact=exact,
        missing=seen.missing,
        reason=search.why_no_walk,
        asked=where.asked,
    )


def _parted(rows: list[Row], named: tuple[bytes, ...]) -> tuple[Row | None, tuple[Row, ...]]:
    """Return the row that the search names, and the others."""
    exact = next((row for row in rows if row.raw in named), None)
    return exact, tuple(row for row in rows if row is not exact)


def _scanned(seen: _Seen, search: Search) -> int:
    """Return how many keys were looked at: all, once the walk is over."""
    if not search.walks or "SCAN" in seen.missing:
        return 0
    known = seen.total or seen.found.scanned
    return known if seen.found.next is None else min(seen.found.scanned, known)


# Without Redis


def _of_memory(cache: TieredCache, search: Search, place: Place, reason: str) -> Listing:
    """List what this process's memory holds."""
    memory = cache._node.memory
    rows, at = _held(memory, search, place)
    total = len(memory)
    exact, others = _parted(rows, search.exact)
    found = place.found + len(rows)
    following = Place(at, at, found, in_memory=True)
    return Listing(
        rows=others,
        cursor=pack(following, search.q) if at < total else "",
        scanned=min(at, total),
        total=total,
        found=found,
        exact=exact,
        reached=False,
        reason=reason or search.why_no_walk,
        asked=1,
    )


def _held(memory: MemoryTier, search: Search, place: Place) -> tuple[list[Row], int]:
    """Return rows of what fits, and how far the entries were looked through."""
    ends, now = time.monotonic() + search.seconds, time.monotonic()
    rows = {row.raw: row for row in _named(memory, search, now)}
    at = place.at
    if not search.walks:
        return list(rows.values()), len(memory)
    fits = matcher(text_of(search.glob))
    # list() over a dict runs no Python code, so under the GIL nobody changes it meanwhile
    for entry in islice(list(memory.entries.values()), place.at, None):
        at += 1
        if end(entry) > now and not is_internal(entry.key) and fits(entry.key):
            row = from_memory(search.names, entry, now)
            rows[row.raw] = row
        if len(rows) >= search.size or (not at % 256 and time.monotonic() >= ends):
            break
    return list(rows.values()), at


def _named(memory: MemoryTier, search: Search, now: float) -> Iterator[Row]:
    for raw in search.exact:
        entry = memory.entries.get(held_name(raw))
        if entry is not None and end(entry) > now:
            yield from_memory(search.names, entry, now)
