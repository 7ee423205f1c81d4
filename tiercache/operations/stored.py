"""What Redis has under one key, and what it says of it; reading leaves no trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tiercache.exceptions import Undecodable
from tiercache.header import split
from tiercache.keys import LEASE, softened_of
from tiercache.steps import Flow
from tiercache.wire import AFTERLIFE

from .heads import NO_HEADER, tag_name
from .looking import Look, number, seconds
from .rows import GONE
from .showing import READ

MOST_TAGS: Final = 100
"""Tags of one entry whose numbers are looked up."""

RESTING: Final = b"-"
"""What a lease's token begins with after a load that failed."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that an entry bears.

    Attributes:
        name: as the code names it, where its key is readable.
        number: the number that the entry bears.
        now: the tag's number; None where Redis has none, or did not say.
        softly: whether its last eviction was a soft one: what has a grace is stale, not gone.
    """

    name: str
    number: int
    now: int | None
    softly: bool = False

    @property
    def holds(self) -> bool:
        """Whether the tag was not evicted since the entry was computed."""
        return self.now == self.number


@dataclass(frozen=True, slots=True)
class Lease:
    """A load of the key, by whatever node.

    Attributes:
        left: seconds until others may load it; 0 if that time has come.
        resting: whether the last load failed, and the next one is being put off.
    """

    left: float
    resting: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry in Redis.

    Attributes:
        type: as TYPE says ("" where it does not); tiercache's entries are of type "string".
        left: seconds until its timeout, 0 if that is over; None for ever.
        grace: seconds for which it may be served stale after that.
        size: bytes that it takes (MEMORY USAGE); None where that is not known.
        length: bytes of the value with its header (STRLEN); None where it is no string.
        encoding: as OBJECT ENCODING says.
        idle: seconds since it was last used; None where the server does not tell.
        frequency: its logarithmic counter of uses; None where the server does not tell.
        tags: what it bears.
        damaged: why its header cannot be read, "" if it can or there is none.
    """

    type: str
    left: float | None
    grace: float
    size: int | None
    length: int | None
    encoding: str
    idle: int | None
    frequency: int | None
    tags: tuple[Tag, ...]
    damaged: str


class Looked(NamedTuple):
    """What was found: the entry, the lease, the value's first bytes (None if not read)."""

    entry: Stored | None
    lease: Lease | None
    body: bytes | None
    length: int


NOTHING: Final = Looked(None, None, None, 0)


def look_up(look: Look, raw: bytes) -> Flow[Looked]:
    """Look an entry up without touching it; begin with `Look.begin`."""
    left, kind, size, encoding, idle, frequency = yield from look.ask(
        ("PTTL", raw),
        ("TYPE", raw),
        ("MEMORY", "USAGE", raw),
        ("OBJECT", "ENCODING", raw),
        ("OBJECT", "IDLETIME", raw),
        ("OBJECT", "FREQ", raw),
    )
    head, length, lease = yield from _read(look, raw)
    if left == GONE or kind == b"none":
        return Looked(None, lease, None, 0)
    meta, body, damaged = _parted(head)
    until = seconds(left)
    tags = yield from _tags(look, meta.tags)
    entry = Stored(
        type=kind.decode() if kind else "",
        left=None if until is None else max(until - meta.grace / 1000, 0.0),
        grace=0.0 if until is None else min(meta.grace / 1000, until),
        size=number(size),
        length=number(length),
        encoding=encoding.decode() if isinstance(encoding, bytes) else "",
        idle=number(idle),
        frequency=number(frequency),
        tags=tags,
        damaged=damaged,
    )
    header = len(head) - len(body) if head is not None and body is not None else 0
    return Looked(entry, lease, body, (entry.length or 0) - header)


def _read(look: Look, raw: bytes) -> Flow[tuple[bytes | None, Any, Lease | None]]:
    """Read the first bytes, how many there are (STRLEN is a use as well), and the lease."""
    name = raw + LEASE.encode()
    (left,) = yield from look.ask(("PTTL", name))
    head, length, token = yield from look.read(
        [("GETRANGE", raw, 0, READ - 1), ("STRLEN", raw), ("GETRANGE", name, 0, 0)]
    )
    if left is None or left == GONE:
        return head, length, None
    return head, length, Lease(max((left - AFTERLIFE) / 1000, 0.0), token == RESTING)


def _parted(head: bytes | None) -> tuple[Any, bytes | None, str]:
    """Return the header, the value's bytes, and what is wrong with the header."""
    if head is None:
        return NO_HEADER, None, ""
    try:
        meta, body = split(head)
    except Undecodable as exc:
        return NO_HEADER, head, str(exc)
    return meta or NO_HEADER, body, ""


def _tags(look: Look, tags: tuple[tuple[str, int], ...]) -> Flow[tuple[Tag, ...]]:
    """Look up the numbers that tags have now, and whether they were evicted softly."""
    asked = tags[:MOST_TAGS]
    numbers = yield from look.read([("GET", full) for full, _ in asked])
    softened = yield from look.ask(*(("PTTL", softened_of(full)) for full, _ in asked))
    return tuple(
        Tag(tag_name(full), borne, _integer(now), soft not in (None, GONE))
        for (full, borne), now, soft in zip(asked, numbers, softened, strict=True)
    )


def _integer(reply: Any) -> int | None:
    return int(reply) if isinstance(reply, bytes) and reply.isdigit() else None
