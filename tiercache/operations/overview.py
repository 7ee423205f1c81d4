"""One cache everywhere, as its nodes' reports and their history tell: what every page shows.

Where Redis is away, or nobody reports, all figures are this process's own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import ResponseError

from tiercache.aliases import ours, tiered
from tiercache.backend import TieredCache
from tiercache.exceptions import RedisAway
from tiercache.node import Node as StoreNode
from tiercache.reports.cluster import WINDOWS, Node, Server, View, Window
from tiercache.reports.figures import STORE, Sections
from tiercache.reports.history import LARGE, SMALL, numbers, summed, windows
from tiercache.reports.places import Places
from tiercache.reports.replies import counts, pairs
from tiercache.reports.report import Report, read
from tiercache.reports.top import merged
from tiercache.steps import Ask, Flow

from .server import told
from .shown import shown_settings

LONGEST = 1.0
"""Seconds that a view takes at the most because of Redis."""

LEAST = 0.05
"""Seconds that each store may take because of Redis, whatever those before it took."""

UNUSABLE = (InvalidCacheBackendError, ImproperlyConfigured)
"""What a cache raises whose settings cannot be, or contradict another's on the same store."""


def views(*, past: bool = True) -> list[View]:
    """Return a view of each cache of the settings, in their order; see `view`.

    All of them together take no longer than `LONGEST` because of Redis, and `LEAST` for each store,
    which is asked once. A cache that cannot be made is left out (`unusable` names it).
    """
    end = time.monotonic() + LONGEST
    news: dict[str, Told] = {}
    found = []
    for alias in ours():
        try:
            cache = tiered(alias, "the overview")
        except UNUSABLE:
            continue
        node = cache._node
        if node.id not in news:
            news[node.id] = _ask(node, past=past, limit=max(end - time.monotonic(), LEAST))
        found.append(_view(cache, news[node.id], past=past))
    return found


def unusable() -> dict[str, str]:
    """Return why caches of the settings cannot be made, by alias; most often there is none."""
    found = {}
    for alias in ours():
        try:
            tiered(alias, "the overview")
        except UNUSABLE as exc:
            found[alias] = str(exc)
    return found


def view(cache: TieredCache, *, past: bool = True, limit: float = LONGEST) -> View:
    """Return one cache as all its nodes tell of it; without Redis as this process does.

    Never raises because Redis is away.

    Args:
        cache: any cache of the settings; one that has no alias is shown under "".
        past: whether to read the history; without, windows and steps are empty.
        limit: seconds that it takes at the most because of Redis.
    """
    return _view(cache, _ask(cache._node, past=past, limit=limit), past=past)


def _view(cache: TieredCache, news: Told, *, past: bool) -> View:
    node, alias = cache._node, cache._binding.alias or ""
    own, history = node.report()
    steps = news.steps or {length: history.steps(length) for length in (SMALL, LARGE)}
    hour = windows(steps[SMALL], alias, SMALL, news.at or own.at)
    day = windows(steps[LARGE], alias, LARGE, news.at or own.at)
    reports = [own, *(report for report, _ in news.reports if report.id != own.id)]
    return View(
        alias=alias,
        prefix=cache.key_prefix,
        store=node.name,
        at=news.at or own.at,
        reached=news.at is not None,
        shared=news.steps is not None,
        alone=node.state == "alone",
        reason=news.reason,
        away_since=own.state_since if node.state == "away" else None,
        nodes=_nodes(node, own, news, alias),
        windows=_windows(hour, day) if past else {},
        hour=hour if past else (),
        day=day if past else (),
        totals=_totals(news, own, alias),
        server=news.server,
        top=merged(report.top for report in reports),
        settings=shown_settings(alias),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What Redis has of a store's nodes.

    Attributes:
        at: the server's Unix time; None where it was not reached.
        reason: why not, or what it refuses to tell.
        reports: each with the seconds since it arrived.
        steps: what was counted when, by the steps' length and number; None where nobody tells.
        totals: what was counted in all, and `since` when.
        server: what the server tells of itself.
    """

    at: float | None = None
    reason: str = ""
    reports: tuple[tuple[Report, float], ...] = ()
    steps: Mapping[int, Mapping[int, Sections]] | None = None
    totals: Sections | None = None
    since: float = 0.0
    server: Server | None = None


def _ask(node: StoreNode, *, past: bool, limit: float) -> Told:
    if node.state == "alone":
        return Told(reason="alone")
    try:
        return node.run(_gather(Places(node.scope), past=past), limit)
    except RedisAway as away:
        # The breaker says that it was not asked; why, it has from the failure that opened it.
        return Told(reason=node.health.reason if away.kind == "open" else away.kind)


def _gather(places: Places, *, past: bool) -> Flow[Told]:
    """Read who has reported, then what they said, and what was counted when."""
    moment, index, sums = yield Ask(
        (("TIME",), ("ZRANGE", places.index, 0, -1, "WITHSCORES"), ("HGETALL", places.totals))
    )
    refused = [str(reply) for reply in (moment, index, sums) if isinstance(reply, ResponseError)]
    at = time.time() if isinstance(moment, ResponseError) else int(moment[0]) + int(moment[1]) / 1e6
    seen = {name.decode(errors="replace"): at - float(score) / 1000 for name, score in pairs(index)}
    wanted = [(length, number) for length in (SMALL, LARGE) for number in numbers(length, at)]
    commands: list[tuple[Any, ...]] = [("HGET", places.report(name), "report") for name in seen]
    if past:
        commands += [("HGETALL", places.step(length, number)) for length, number in wanted]
    replies = (yield Ask(tuple(commands))) if commands else []
    steps: dict[int, dict[int, Sections]] = {SMALL: {}, LARGE: {}}
    if past:
        for (length, number), reply in zip(wanted, replies[len(seen) :], strict=True):
            steps[length][number] = counts(reply)
    totals = counts(sums)
    since = totals.get(STORE, {}).pop("since", at)
    server = yield from told()
    return Told(
        at=at,
        reason=refused[0] if refused else "",
        reports=_reports(seen, replies),
        steps=steps if totals else None,
        totals=totals or None,
        since=since,
        server=server,
    )


def _reports(seen: Mapping[str, float], replies: list[Any]) -> tuple[tuple[Report, float], ...]:
    found = []
    for (name, ago), reply in zip(seen.items(), replies, strict=False):
        report = read(reply) if isinstance(reply, bytes) else None
        if report is not None and report.id == name:
            found.append((report, max(ago, 0.0)))
    return tuple(found)


def _nodes(node: StoreNode, own: Report, told: Told, alias: str) -> tuple[Node, ...]:
    """Return the nodes, this process first unless it is only passing by, then by their start."""
    # While Redis takes no writes nobody can report, and nobody is gone for that.
    excused = own.at - own.state_since if own.state == "read-only" else 0.0
    others = [
        report.node(alias, seen=ago, here=False, excused=excused)
        for report, ago in sorted(told.reports, key=lambda each: each[0].started)
        if report.id != own.id
    ]
    here = [] if node.visits else [own.node(alias, seen=0.0, here=True)]
    return (*here, *others)


def _windows(hour: tuple[Window, ...], day: tuple[Window, ...]) -> dict[str, Window]:
    return {
        name: summed(hour if seconds <= 3600 else day, seconds) for name, seconds in WINDOWS.items()
    }


def _totals(told: Told, own: Report, alias: str) -> Window:
    if told.totals is None:
        return own.node(alias, seen=0.0, here=True).totals
    at = told.at or own.at
    calls, store = told.totals.get(alias, {}), told.totals.get(STORE, {})
    return Window(at, max(at - told.since, 0.0), calls, store)
