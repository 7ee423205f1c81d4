"""What figures mean, in words: the sentence at the top of every overview, and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from django.utils.translation import gettext, gettext_lazy

from ..listener import HEARTBEAT
from ..reports.cluster import Node, View
from . import formatting

Level = Literal["good", "warning", "bad"]

REASONS: Final = {
    "refused": gettext_lazy("connection refused"),
    "timeout": gettext_lazy("no answer in time"),
    "closed": gettext_lazy("connection lost"),
    "auth": gettext_lazy("password or rights refused"),
    "connections": gettext_lazy("no free connection"),
    "loading": gettext_lazy("the server reads its data set"),
    "readonly": gettext_lazy("the server is a replica"),
    "full": gettext_lazy("the server is out of memory"),
    "unwritable": gettext_lazy("the server refuses writes"),
    "down": gettext_lazy("the primary is down"),
    "busy": gettext_lazy("a script blocks the server"),
    "open": gettext_lazy("not asked after earlier failures"),
    "alone": gettext_lazy("this cache has no Redis"),
}
"""What happened, by the kind of the failure (`RedisAway.KINDS`)."""


@dataclass(frozen=True, slots=True)
class Status:
    """How it is with all caches, in a sentence.

    Attributes:
        level: "good"; "warning" (part of it does not work as it should); "bad" (Redis is away).
        text: the sentence, or one for each thing that is not good, the worst first.
    """

    level: Level
    text: str


def status(views: Sequence[View], unusable: Mapping[str, str] = MappingProxyType({})) -> Status:
    """Return how it is with these caches: "All good: 2 caches, 4 nodes, Redis up.".

    Args:
        views: the caches.
        unusable: why others cannot be made, by alias.
    """
    if not (views or unusable):
        return Status("warning", gettext("No cache in CACHES uses tiercache."))
    bad = [
        gettext("Cache %(alias)s cannot be used: %(why)s.")
        % {"alias": alias, "why": why.rstrip(".")}
        for alias, why in unusable.items()
    ]
    bad += [redis_away(view) for view in views if is_away(view)]
    concerns = [text for view in views if not is_away(view) for text in warnings(view)]
    if bad or concerns:
        # Caches that share a store share its troubles.
        return Status("bad" if bad else "warning", " ".join(dict.fromkeys(bad + concerns)))
    return Status("good", _all_good(views))


def is_away(view: View) -> bool:
    """Tell whether the cache's Redis does not answer this process."""
    return not (view.reached or view.alone)


def redis_away(view: View) -> str:
    """Return what it means that Redis is away: since when, why, and who answers meanwhile."""
    if view.away_since is None and view.reason == "timeout":
        # The site's own calls may be answered all the same: a look takes more, and has less time.
        return gettext(
            "Redis of %(alias)s did not answer this look in time: figures are this process's own."
        ) % {"alias": view.alias}
    waiting = sum(node.journaled for node in view.nodes)
    facts = {
        "alias": view.alias,
        "since": formatting.moment(view.away_since or view.at, view.at),
        "reason": reason(view.reason),
    }
    text = gettext("Redis of %(alias)s is away since %(since)s (%(reason)s): answering from memory")
    if waiting:
        text += gettext(", %(keys)s to be made good")
    return (text + ".") % {**facts, "keys": formatting.keys(waiting)}


def warnings(view: View) -> list[str]:
    """Return a sentence for each thing that is not as it should be while Redis answers."""
    return [text for node in view.nodes if (text := concern(node, view))]


def concern(node: Node, view: View) -> str:
    """Return what is wrong with a node and what that means; "" while nothing is.

    A node that hears nothing may have been deaf for a heartbeat before it knew, and so may one
    that is not heard of (see `listener.HEARTBEAT`).
    """
    trouble = _trouble(node)
    if trouble == "":
        return ""
    since = node.backplane_since if trouble == "lost" else node.state_since
    return str(_CONCERNS[trouble]) % {
        "node": name(node),
        "alias": view.alias,
        "since": formatting.moment(since, view.at),
        "reason": reason(node.reason),
        "seen": formatting.duration(node.seen),
        "bound": formatting.duration(HEARTBEAT),
    }


def _trouble(node: Node) -> str:
    """Return the worst that is wrong with a node, one of `_CONCERNS`, "" for nothing."""
    if node.ended:
        return ""
    if node.gone:
        return "gone"
    if node.state in ("away", "read-only"):
        return node.state
    return "lost" if node.backplane == "lost" else ""


_CONCERNS: Final = {
    "gone": gettext_lazy(
        "%(node)s has not reported for %(seen)s: it has ended, or it is cut off and may answer"
        " with values up to %(bound)s old."
    ),
    "away": gettext_lazy(
        "%(node)s has not reached Redis of %(alias)s since %(since)s (%(reason)s): it answers from"
        " its memory."
    ),
    "read-only": gettext_lazy(
        "%(node)s has not been able to write to Redis of %(alias)s since %(since)s (%(reason)s):"
        " its changes are made good later."
    ),
    "lost": gettext_lazy(
        "%(node)s has heard no changes since %(since)s: it asks Redis for everything; before it"
        " knew, it may have answered with values up to %(bound)s old."
    ),
}


def name(node: Node) -> str:
    """Return how people tell a node from others: host and process id."""
    return f"{node.host}:{node.pid}"


def reason(kind: str) -> str:
    """Return a failure's kind in words; one that is not known, as it is."""
    return str(REASONS.get(kind, kind or gettext("no reason given")))


def _all_good(views: Sequence[View]) -> str:
    facts = {
        "caches": formatting.caches(len(views)),
        "nodes": formatting.nodes(len(set(_running(views)))),
    }
    if all(view.alone for view in views):
        return gettext("All good: %(caches)s, memory of this process alone.") % facts
    return gettext("All good: %(caches)s, %(nodes)s, Redis up.") % facts


def _running(views: Iterable[View]) -> Iterable[tuple[str, int]]:
    """Return processes: one with two stores is a node of each."""
    return ((node.host, node.pid) for view in views for node in view.running)
