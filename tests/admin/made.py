"""Views of caches as reports would tell of them, made by hand: a busy cluster and its troubles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tiercache.reports.cluster import Mishap, Node, Server, Top, View, Window
from tiercache.reports.histogram import bucket_of

AT = 1_760_000_000.0
"""When all of it was so: 2025-10-09 08:53:20 UTC."""

VERSIONS = {"tiercache": "1.0", "python": "3.13.1", "django": "6.1", "redis-py": "8.0.1"}
SETTINGS = {"BACKPLANE": "pubsub", "POLICY": "s3fifo", "TIME_BUDGET": "1.0"}


def timed(name: str, seconds: float, count: int) -> dict[str, int]:
    """Return a histogram of durations around one."""
    spread = {0.5: 0.2, 1.0: 0.5, 1.6: 0.2, 4.0: 0.1}
    return {
        f"{name}.{bucket_of(int(seconds * factor * 1e9))}": max(int(count * share), 1)
        for factor, share in spread.items()
    }


def window(at: float, seconds: float, requests: int, **calls: int) -> Window:
    """Return what a busy span of time counts: nine of ten look-ups are hits."""
    if not requests:
        return Window(at, seconds, {}, {})
    counted = {
        "memory_hits": int(requests * 0.78),
        "redis_hits": int(requests * 0.13),
        "stale_hits": int(requests * 0.01),
        "loaded": int(requests * 0.05),
        "misses": int(requests * 0.03),
        "sets": int(requests * 0.06),
        "deletes": int(requests * 0.01),
        "loads": int(requests * 0.04),
    } | calls
    store = {
        "evicted.entries": int(requests * 0.02),
        "evicted.expired": int(requests * 0.01),
        "evicted.bytes": int(requests * 0.004),
        **timed("memory", 4e-7, requests),
        **timed("read", 4e-4, requests // 5 + 1),
        **timed("lag", 1.2e-3, requests // 20 + 1),
    }
    return Window(at, seconds, counted | timed("load", 3e-2, requests // 20 + 1), store)


def steps(number: int, seconds: float, silent: range = range(0)) -> tuple[Window, ...]:
    """Return a row of windows that go up and down; nothing is counted in those that are silent."""
    return tuple(
        window(
            AT - seconds * (number - 1 - at),
            seconds,
            0 if at in silent else int(seconds * (900 + 500 * math.sin(at / 11))),
        )
        for at in range(number)
    )


def node(id_: str = "n1", **changes: Any) -> Node:
    """Return a node that does well."""
    made = Node(
        id=id_,
        host="web-1",
        pid=4711,
        started=AT - 90_000,
        seen=2.0,
        here=False,
        ended=False,
        gone=False,
        versions=VERSIONS,
        entries=8_214,
        bytes=41_300_000,
        max_entries=10_000,
        max_bytes=64 * 2**20,
        policy="s3fifo",
        state="up",
        reason="",
        state_since=AT - 90_000,
        backplane="joined",
        backplane_since=AT - 90_000,
        joins=1,
        journaled=0,
        errors=(),
        totals=window(AT, 90_000, 20_000_000),
        recent=window(AT, 900, 210_000),
        settings=SETTINGS,
    )
    return replace(made, **changes)


def nodes() -> tuple[Node, ...]:
    """Return four nodes: this process, one that is unlike the others, one deaf, one lost."""
    return (
        node("n1", here=True, errors=(Mishap(AT - 40, "timeout", "no answer within 1.0 s"),)),
        node(
            "n2",
            pid=4712,
            versions=VERSIONS | {"django": "6.0.3"},
            max_entries=5_000,
            settings=SETTINGS | {"TIME_BUDGET": "0.2"},
        ),
        node("n3", host="web-2", pid=990, backplane="lost", backplane_since=AT - 75),
        node("n4", host="web-2", pid=991, gone=True, seen=47.0),
    )


def server(**changes: Any) -> Server:
    """Return a server that does well."""
    made = Server(
        product="Valkey",
        version="9.1.0",
        role="master",
        used=312_000_000,
        limit=2**30,
        policy="allkeys-lfu",
        evicted=1_204,
        expired=90_321,
        keys=1_003_221,
        clients=24,
        uptime=1_209_600,
    )
    return replace(made, **changes)


def view(alias: str = "default", **changes: Any) -> View:
    """Return a cache that is busy, everywhere."""
    made = View(
        alias=alias,
        prefix="site",
        store="redis://cache-1:6379/0",
        at=AT,
        reached=True,
        shared=True,
        alone=False,
        reason="",
        away_since=None,
        nodes=nodes(),
        windows={
            "1m": window(AT, 60, 71_000),
            "15m": window(AT, 900, 820_000),
            "1h": window(AT, 3600, 3_300_000),
            "24h": window(AT, 86_400, 71_000_000),
        },
        hour=steps(240, 15.0, silent=range(60, 90)),
        day=steps(96, 900.0, silent=range(20, 24)),
        totals=window(AT, 2_000_000, 900_000_000),
        server=server(),
        top=Top(
            keys=(("site:1:quote:ACME", 0.081), ("site:1:quote:<b>X</b>", 0.04)),
            namespaces=(("quote", 0.31), ("profile", 0.12)),
            sampled=12_000,
        ),
        settings={
            "BACKEND": "tiercache.backend.TieredCache",
            "LOCATION": "redis://cache-1:6379/0",
            "OPTIONS.PASSWORD": "********",
            "OPTIONS.MAX_ENTRIES": "10000",
        },
    )
    return replace(made, **changes)


def silent(alias: str = "default", **changes: Any) -> View:
    """Return a cache that nobody has asked for anything."""
    nothing: Mapping[str, Window] = {
        name: Window(AT, seconds, {}, {})
        for name, seconds in {"1m": 60.0, "15m": 900.0, "1h": 3600.0, "24h": 86400.0}.items()
    }
    empty = Window(AT, 3.0, {}, {})
    fresh = node("n1", here=True, totals=empty, recent=empty, entries=0, bytes=0)
    given = {
        "nodes": (fresh,),
        "windows": nothing,
        "hour": (),
        "day": (),
        "totals": empty,
        "top": Top(),
    }
    return view(alias, **(given | changes))


def away(alias: str = "default", **changes: Any) -> View:
    """Return a cache whose Redis is away: this process alone tells of it."""
    own = node("n1", here=True, state="away", reason="refused", state_since=AT - 200, journaled=12)
    given = {
        "reached": False,
        "reason": "refused",
        "away_since": AT - 200,
        "nodes": (own,),
        "server": None,
    }
    return view(alias, **(given | changes))
