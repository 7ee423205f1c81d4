"""A key as a list shows it: where it is, how large, how long it lives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from tiercache.entry import KEPT, Entry
from tiercache.steps import Flow

from .heads import READ, meta_of, tag_names
from .looking import Look, number, seconds
from .names import Names, raw_of

AT_ONCE: Final = 50
"""Keys that Redis is asked about in one send."""

GONE: Final = -2
"""What PTTL says of a key that is not there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One key.

    Attributes:
        raw: the full key.
        key: as the code names it; None where that cannot be told.
        version: the key's; "" where it cannot be told.
        redis: whether Redis has it.
        left: seconds until its timeout, 0 if that is over; None for ever, or not known.
        size: bytes that it takes (MEMORY USAGE; in memory alone, what is accounted); None where
            it is not known.
        type: as Redis's TYPE says; "" where it is not known.
        tags: as the code names them.
        held: in the memory of how many nodes it is.
        stale: whether its timeout is over, and only its grace keeps it.
    """

    raw: bytes
    key: str | None
    version: str
    redis: bool
    left: float | None = None
    size: int | None = None
    type: str = ""
    tags: tuple[str, ...] = ()
    held: int = 0
    stale: bool = False


def described(look: Look, names: Names, raws: Iterable[bytes]) -> Flow[dict[bytes, Row]]:
    """Ask Redis about keys; return a row for each of them, by its full key."""
    rows: dict[bytes, Row] = {}
    todo = tuple(raws)
    for start in range(0, len(todo), AT_ONCE):
        part = todo[start : start + AT_ONCE]
        rows.update((yield from _part(look, names, part)))
    return rows


def _part(look: Look, names: Names, raws: tuple[bytes, ...]) -> Flow[dict[bytes, Row]]:
    asked = [
        command
        for raw in raws
        for command in (("PTTL", raw), ("TYPE", raw), ("MEMORY", "USAGE", raw))
    ]
    replies = yield from look.ask(*asked)
    heads = yield from look.read([("GETRANGE", raw, 0, READ - 1) for raw in raws])
    return {
        raw: _row(names, raw, replies[3 * at : 3 * at + 3], heads[at])
        for at, raw in enumerate(raws)
    }


def _row(names: Names, raw: bytes, replies: list[Any], head: Any) -> Row:
    left, kind, size = replies
    key, version = names.parse(raw)
    kind = kind.decode() if isinstance(kind, bytes) else ""
    if left == GONE or kind == "none":
        return Row(raw, key, version, redis=False)
    meta = meta_of(head)
    until = None if left is None else seconds(left)
    fresh = None if until is None else max(until - meta.grace / 1000, 0.0)
    return Row(
        raw,
        key,
        version,
        redis=True,
        left=fresh,
        size=number(size),
        type=kind,
        tags=tag_names(meta.tags),
        stale=fresh == 0,
    )


def from_memory(names: Names, entry: Entry, now: float) -> Row:
    """Return the row of an entry in this process's memory, at a moment of the tier's clock."""
    raw = raw_of(entry.key)
    key, version = names.parse(raw)
    endless = entry.deadline == float("inf")
    left = None if endless else max(entry.deadline - now, 0.0)
    tags = entry.held.meta.tags if entry.form & KEPT else ()
    return Row(
        raw,
        key,
        version,
        redis=False,
        left=left,
        size=entry.size,
        tags=tag_names(tags),
        held=1,
        stale=left == 0,
    )
