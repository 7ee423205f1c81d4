"""Why a look-up of a key is a hit or a miss: what was found, judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tiercache.reports.cluster import Server

from .elsewhere import Other
from .showing import Shown
from .stored import Lease, Stored
from .whereabouts import NOWHERE, Whereabouts

FULL: Final = 0.95
"""The share of its memory from which on a server counts as full."""

HITS: Final = frozenset({"fresh", "memory"})
"""Reasons that make a look-up a hit."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that decides what becomes of a look-up, or explains it.

    Attributes:
        name: constant, such as "expired".
        text: for operators, translated.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a key.

    Attributes:
        own: whether it can be one of this cache's callers' keys.
        away: why Redis did not answer, "" if it did; `alone` if there is no Redis tier.
        stored, lease, shown: what Redis has under it.
        where: what the nodes hold.
        others: where else it is.
        server: what the server says of itself, None if it was not asked.
        blind: whether this Redis user may not even ask what the cache itself has to (PTTL).
        journaled: whether this process still has to remove it from Redis.
        untrusted: the nodes whose memory is not trusted, since they hear of no changes.
        largest: bytes of the largest entry that memory takes.
    """

    own: bool = True
    away: str = ""
    alone: bool = False
    stored: Stored | None = None
    lease: Lease | None = None
    shown: Shown | None = None
    where: Whereabouts = NOWHERE
    others: tuple[Other, ...] = ()
    server: Server | None = None
    blind: bool = False
    journaled: bool = False
    untrusted: tuple[str, ...] = ()
    largest: int = 0


def judge(facts: Facts) -> tuple[Reason, ...]:
    """Return why a look-up of the key is a hit or a miss, what decides first."""
    if not facts.own:
        text = _("This is no key of this cache: it is another one's, or tiercache's own.")
        return (Reason("foreign", text),)
    stored = facts.stored
    if facts.away or facts.alone:
        decided = _from_memory_alone(facts)
    elif stored is None:
        decided = _absent(facts)
    else:
        decided = _present(facts, stored)
    return (*decided, *_besides(facts))


def is_hit(reasons: tuple[Reason, ...]) -> bool:
    """Tell whether a look-up finds a fresh value."""
    return bool(reasons) and reasons[0].name in HITS


def _copies(facts: Facts) -> tuple[int, int]:
    """Return how many nodes hold a copy, and how many of those a fresh one."""
    copies = [copy for each in facts.where.copies.values() for copy in each]
    return len(copies), sum(copy.left is None or copy.left > 0 for copy in copies)


def _from_memory_alone(facts: Facts) -> Iterator[Reason]:
    held, fresh = _copies(facts)
    if facts.alone and not facts.where.asked:
        text = _("This cache is memory alone: a command cannot look into other processes.")
        yield Reason("unseen", text)
    elif fresh:
        yield Reason("memory", _("This process's memory has it, and answers."))
    elif held:
        yield Reason("expired", _("Its timeout is over; this process's memory has it, stale."))
    else:
        yield Reason("absent", _("This process's memory does not have it."))
    if facts.away:
        text = _("Redis is away (%(why)s): nothing is known of what it has.")
        yield Reason("away", text % {"why": facts.away})


def _present(facts: Facts, stored: Stored) -> Iterator[Reason]:
    against = tuple(_against(facts, stored))
    if against:
        yield from against
        return
    yield Reason("fresh", _("It is there and fresh: a look-up is a hit."))
    if not _copies(facts)[0] and facts.where.asked:
        yield Reason("redis-only", _("No node's memory has it: the next look-up asks Redis."))


def _against(facts: Facts, stored: Stored) -> Iterator[Reason]:
    """Yield what makes an entry that is there a miss."""
    if facts.journaled:
        yield Reason(
            "journaled",
            _("This process changed it while Redis was away, and removes it there before it asks."),
        )
    if facts.blind:
        yield Reason(
            "rights", _("This Redis user may not use PTTL, without which nothing is read.")
        )
    if stored.type not in ("string", ""):
        text = _("It is a Redis %(type)s, and no value of Django's cache calls.")
        yield Reason("type", text % {"type": stored.type})
    if stored.damaged:
        text = _("Its header cannot be read: %(why)s.")
        yield Reason("undecodable", text % {"why": stored.damaged})
    yield from _undecodable(facts.shown)
    if stored.left == 0:
        text = _("Its timeout is over; get_or_set() may serve it stale for %(seconds)d s more.")
        yield Reason("expired", text % {"seconds": stored.grace})
    yield from _evicted(stored)


def _undecodable(shown: Shown | None) -> Iterator[Reason]:
    if shown is not None and shown.decodable is False:
        text = _(
            "This cache's serializer reads %(expected)s, and this is %(kind)s: it cannot be read."
        )
        yield Reason("undecodable", text % {"expected": shown.expected, "kind": shown.kind})


def _evicted(stored: Stored) -> Iterator[Reason]:
    for tag in stored.tags:
        if tag.holds:
            continue
        text = (
            _("Evicted by its tag %(tag)s, softly: what loads it may serve it stale.")
            if tag.softly
            else _("Evicted by its tag %(tag)s: it bears number %(number)s, the tag has %(now)s.")
        )
        now = _("none") if tag.now is None else tag.now
        yield Reason("tag", text % {"tag": tag.name, "number": tag.number, "now": now})


def _absent(facts: Facts) -> Iterator[Reason]:
    yield Reason(
        "absent",
        _(
            "Redis does not have it: it was never stored, or has expired, or was deleted (Redis "
            "keeps no trace of which)."
        ),
    )
    for other in facts.others:
        text = _("Version %(version)s of cache %(alias)s has a key of this name.")
        yield Reason("elsewhere", text % {"version": other.version, "alias": other.alias})
    server = facts.server
    if server is not None and server.limit and server.policy != "noeviction":
        full = server.used >= FULL * server.limit
        if full or server.evicted:
            text = ngettext(
                "The server evicts to make room (%(policy)s): %(count)s key so far.",
                "The server evicts to make room (%(policy)s): %(count)s keys so far.",
                server.evicted,
            )
            values = {"policy": server.policy, "count": f"{server.evicted:,}"}
            yield Reason("server-evicts", text % values)


def _besides(facts: Facts) -> Iterator[Reason]:
    """Yield what else an operator should know of."""
    if facts.lease is not None and facts.lease.resting:
        text = _("Its last load failed; the next one may begin in %(seconds).1f s.")
        yield Reason("resting", text % {"seconds": facts.lease.left})
    elif facts.lease is not None:
        text = _("It is being loaded; others may begin to load it in %(seconds).1f s.")
        yield Reason("loading", text % {"seconds": facts.lease.left})
    for node in facts.untrusted:
        text = _("Memory of %(node)s is not trusted (it hears of no changes): it asks Redis.")
        yield Reason("untrusted", text % {"node": node})
    length = 0 if facts.stored is None else facts.stored.length or 0
    if facts.largest and length > facts.largest:
        text = _("Too large for memory: %(size)s bytes; MAX_ENTRY_BYTES is %(most)s.")
        values = {"size": f"{length:,}", "most": f"{facts.largest:,}"}
        yield Reason("too-large", text % values)
    silent = facts.where.asked - len(facts.where.answered)
    if silent > 0:
        text = ngettext(
            "%(count)d node did not answer in time: what it holds is not known.",
            "%(count)d nodes did not answer in time: what they hold is not known.",
            silent,
        )
        yield Reason("silent", text % {"count": silent})
