"""Views made by hand, with figures as a small site has them: no server, no waiting.

Each maker takes the fields that a test is about; `dataclasses.replace` changes what they return.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiercache.reports.cluster import WINDOWS, Mishap, Node, Server, Top, View, Window
from tiercache.reports.histogram import bucket_of

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = 1_700_000_000.0
"""When all of it was so, in Unix time."""

STORE = "redis://cache.example:6379/0"

CALLS = {
    "memory_hits": 80,
    "redis_hits": 10,
    "stale_hits": 1,
    "loaded": 7,
    "misses": 2,
    "failed": 1,
    "unanswered": 1,
    "loads": 6,
    "load_failures": 1,
    "load_milliseconds": 300,
    "sets": 12,
    "deletes": 3,
    "undecodable": 0,
}
"""Of a hundred look-ups and one: what became of them."""

COUNTS = {
    "evicted.bytes": 4,
    "evicted.entries": 2,
    "evicted.expired": 9,
    "evicted.too_large": 0,
    "redis.timeout": 1,
}


def timed(name: str, **counts: int) -> dict[str, int]:
    """Return a histogram's counts: `timed("read", ms_1=5)` is five reads of a millisecond."""
    units = {"ns": 1, "us": 1_000, "ms": 1_000_000}
    return {
        f"{name}.{bucket_of(int(number) * units[unit])}": count
        for key, count in counts.items()
        for unit, number in (key.split("_"),)
    }


def window(seconds: float = 900.0, factor: int = 1, at: float = AT, **calls: int) -> Window:
    """Return what was counted, all of it `factor` times."""
    timings = {
        **timed("memory", ns_300=90, us_2=10),
        **timed("read", us_200=95, ms_3=5),
        **timed("write", us_250=20),
        **timed("lag", us_400=15),
    }
    return Window(
        at=at,
        seconds=seconds,
        calls=_times(factor, {**CALLS, **timed("load", ms_50=6), **calls}),
        store=_times(factor, {**COUNTS, **timings}),
    )


def node(number: int = 1, **fields: Any) -> Node:
    """Return a node that is well."""
    known: dict[str, Any] = {
        "id": f"node{number}",
        "host": "web1",
        "pid": 4000 + number,
        "started": AT - 3600,
        "seen": 1.0,
        "here": number == 1,
        "ended": False,
        "gone": False,
        "versions": {"tiercache": "1", "python": "3.11", "django": "5.2", "redis-py": "8.1"},
        "entries": 1200,
        "bytes": 8_388_608,
        "max_entries": 10_000,
        "max_bytes": 67_108_864,
        "policy": "s3fifo",
        "state": "up",
        "reason": "",
        "state_since": AT - 3600,
        "backplane": "joined",
        "backplane_since": AT - 3600,
        "joins": 1,
        "journaled": 0,
        "errors": (),
        "totals": window(3600.0, 4),
        "recent": window(900.0),
        "settings": {"MAX_ENTRIES": "10000"},
    }
    return Node(**{**known, **fields})


def view(alias: str = "default", **fields: Any) -> View:
    """Return a cache that is well, on two nodes."""
    known: dict[str, Any] = {
        "alias": alias,
        "prefix": "shop",
        "store": STORE,
        "at": AT,
        "reached": True,
        "shared": True,
        "alone": False,
        "reason": "",
        "away_since": None,
        "nodes": (node(1), node(2)),
        "windows": {name: window(seconds) for name, seconds in WINDOWS.items()},
        "hour": tuple(window(60.0, at=AT - 60 * left) for left in range(59, -1, -1)),
        "day": tuple(window(1200.0, 20, at=AT - 1200 * left) for left in range(71, -1, -1)),
        "totals": window(86_400.0, 100),
        "server": Server(
            product="Valkey",
            version="8.1.1",
            role="master",
            used=104_857_600,
            limit=1_073_741_824,
            policy="allkeys-lru",
            evicted=7,
            expired=900,
            keys=51_234,
            clients=12,
            uptime=86_400,
        ),
        "top": Top(keys=(("shop:1:price:7", 0.25),), namespaces=(("price", 0.5),), sampled=400),
        "settings": {"LOCATION": STORE, "TIMEOUT": "300"},
    }
    return View(**{**known, **fields})


def away(alias: str = "default", **fields: Any) -> View:
    """Return a cache whose Redis does not answer, as one process alone sees it."""
    here = node(1, state="away", reason="refused", state_since=AT - 60, backplane="lost")
    return replace(
        view(alias),
        **{
            "reached": False,
            "shared": False,
            "reason": "refused",
            "away_since": AT - 60,
            "nodes": (replace(here, journaled=12),),
            "server": None,
            **fields,
        },
    )


def alone(alias: str = "local", **fields: Any) -> View:
    """Return a cache that is memory alone."""
    here = node(1, state="alone", backplane="none")
    known = {
        "reached": False,
        "shared": False,
        "alone": True,
        "nodes": (here,),
        "server": None,
        "store": "memory://",
    }
    return replace(view(alias), **{**known, **fields})


def mishap(kind: str = "timeout", text: str = "no answer") -> Mishap:
    """Return something that went wrong a minute ago."""
    return Mishap(AT - 60, kind, text)


def _times(factor: int, counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count * factor for name, count in counts.items()}
