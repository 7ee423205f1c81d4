"""One key, everywhere: in Redis, in each node's memory, and why it may be a miss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from tiercache.exceptions import RedisAway
from tiercache.reports.cluster import Server
from tiercache.steps import Flow

from . import elsewhere, whereabouts
from .looking import NO_TOUCH, Look, look, options_of
from .names import Names, held_name
from .server import COMMANDS, server_of
from .showing import Shown, show
from .stored import NOTHING, Lease, Looked, Stored, look_up
from .verdicts import Facts, Reason, is_hit, judge
from .whereabouts import Copy

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

WAIT: Final = 0.15
"""Seconds that nodes have to say what they hold."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One key.

    Attributes:
        raw: the full key.
        text: it as text; None where it is not UTF-8.
        key, version: as the code names it; None and "" where that cannot be told.
        redis: what Redis has; None if nothing, or if Redis was not asked.
        lease: the load under way, if there is one.
        value: what is stored, made readable; None if there is nothing or it was not read.
        why_no_value: why there is no `value`, "" where there is one or none was asked for.
        copies: what the nodes' memories hold, this process's first.
        asked, answered: how many nodes were asked, and how many said what they hold.
        reasons: why a look-up is a hit or a miss, what decides first.
        missing: commands that this user of Redis may not use.
        reached: whether Redis answered; otherwise only this process's memory is shown.
        reason: why not.
    """

    raw: bytes
    text: str | None
    key: str | None
    version: str
    redis: Stored | None
    lease: Lease | None
    value: Shown | None
    why_no_value: str
    copies: tuple[Copy, ...]
    asked: int
    answered: int
    reasons: tuple[Reason, ...]
    missing: tuple[str, ...]
    reached: bool
    reason: str

    @property
    def hit(self) -> bool:
        """Whether a look-up finds a fresh value."""
        return is_hit(self.reasons)

    @property
    def verdict(self) -> str:
        """Why a look-up is a hit or a miss, in one text."""
        return " ".join(reason.text for reason in self.reasons)


def inspect(cache: TieredCache, raw: bytes, *, value: bool) -> Inspection:
    """Tell all that is known of a key. Nothing is changed, nothing is unpickled.

    Never raises because Redis is away: then it tells what this process's memory has. Of a key that
    is not this cache's callers', nothing is read; where a KEY_FUNCTION leaves no pattern, nobody
    can tell, and every key of the database counts as one, but for tiercache's own.

    Args:
        raw: the full key.
        value: whether to make its value readable.
    """
    names = Names(cache)
    if not names.owns(raw):
        return _made(names, raw, _Told(), Facts(own=False), value=False)
    try:
        told = look(cache, _tell(cache, names, raw))
    except RedisAway as away:
        alone = away.kind == "alone"
        told = _Told(away="" if alone else str(away), alone=alone)
    return _made(names, raw, told, _facts(cache, raw, told), value=value)


@dataclass(frozen=True, slots=True)
class _Told:
    """What Redis has said, or why it has said nothing."""

    looked: Looked = NOTHING
    others: tuple[elsewhere.Other, ...] = ()
    server: Server | None = None
    missing: tuple[str, ...] = ()
    away: str = ""
    alone: bool = False


def _tell(cache: TieredCache, names: Names, raw: bytes) -> Flow[_Told]:
    looks = Look()
    replies = yield from looks.begin(*COMMANDS)
    looked = yield from look_up(looks, raw)
    others: tuple[elsewhere.Other, ...] = ()
    if looked.entry is None:
        others = yield from elsewhere.there(looks, elsewhere.candidates(cache, names, raw))
    server = server_of(replies, looks.missing)
    return _Told(looked, others, server, looks.missing)


def _facts(cache: TieredCache, raw: bytes, told: _Told) -> Facts:
    node, silent = cache._node, bool(told.away or told.alone)
    raws = (raw,)
    where = whereabouts.here(cache, raws) if silent else whereabouts.everywhere(cache, raws, WAIT)
    return Facts(
        away=told.away,
        alone=told.alone,
        stored=told.looked.entry,
        lease=told.looked.lease,
        shown=_shown(cache, told.looked),
        where=where,
        others=told.others,
        server=told.server,
        blind="PTTL" in told.missing,
        journaled=held_name(raw) in node.health.journal,
        untrusted=() if silent else whereabouts.untrusted(cache),
        largest=node.options.max_entry_bytes,
    )


def _shown(cache: TieredCache, looked: Looked) -> Shown | None:
    if looked.entry is None or looked.body is None:
        return None
    return show(looked.body, options_of(cache), size=looked.length)


def _made(names: Names, raw: bytes, told: _Told, facts: Facts, *, value: bool) -> Inspection:
    key, version = names.parse(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    return Inspection(
        raw=raw,
        text=text,
        key=key,
        version=version,
        redis=facts.stored,
        lease=facts.lease,
        value=facts.shown if value else None,
        why_no_value=_why_no_value(facts, told) if value else "",
        copies=tuple(sorted(facts.where.copies.get(raw, ()), key=lambda copy: not copy.here)),
        asked=facts.where.asked,
        answered=len(facts.where.answered),
        reasons=judge(facts),
        missing=told.missing,
        reached=facts.own and not (facts.away or facts.alone),
        reason=facts.away,
    )


def _why_no_value(facts: Facts, told: _Told) -> str:
    if facts.shown is not None or facts.stored is None:
        return ""
    if facts.stored.type not in ("string", ""):
        return _("What is no string is not shown.")
    if NO_TOUCH in told.missing:
        return _(
            "The value is not read: this server, or this user, cannot read without marking the "
            "key as used (CLIENT NO-TOUCH, Redis 7.2 and later)."
        )
    return _("The value is not read: this user may not (%(commands)s).") % {
        "commands": ", ".join(told.missing)
    }
