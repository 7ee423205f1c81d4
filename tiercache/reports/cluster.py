"""What all nodes' reports and the history say together: what pages, commands and metrics show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .figures import histogram
from .histogram import quantile
from .mishaps import Mishap

__all__ = [
    "HITS",
    "MEASURED",
    "TIERS",
    "WINDOWS",
    "Mishap",
    "Node",
    "Process",
    "Server",
    "Top",
    "View",
    "Window",
]

TIERS: Final = ("memory", "redis", "stale", "loaded", "miss", "error")
"""What became of a look-up, the cheapest first."""

HITS: Final = ("memory", "redis", "stale")
"""Those that were answered without a load."""

WINDOWS: Final = {"1m": 60.0, "15m": 900.0, "1h": 3600.0, "24h": 86400.0}
"""Spans of time that figures are shown for, in seconds."""

MEASURED: Final = ("memory", "read", "write", "load", "lag")
"""What is timed: hits in memory (sampled), reads from Redis, writes to it, loads, and how long a
message takes from a node through Redis back to it."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted within a span of time.

    Attributes:
        at: when it ends, in seconds of the server's Unix time.
        seconds: how long it is.
        calls: counts of one cache (`stats.Calls`) and its histogram "load".
        store: counts of its store: evictions ("evicted.bytes"), failures ("redis.timeout"),
            histograms "memory", "read", "write", "lag".
    """

    at: float
    seconds: float
    calls: Mapping[str, int]
    store: Mapping[str, int]

    @property
    def tiers(self) -> dict[str, int]:
        """How many look-ups ended in each of `TIERS`, in that order."""
        calls, lost = self.calls, self.calls.get("unanswered", 0)
        return {
            "memory": calls.get("memory_hits", 0),
            "redis": calls.get("redis_hits", 0),
            "stale": calls.get("stale_hits", 0),
            "loaded": calls.get("loaded", 0),
            "miss": calls.get("misses", 0) - lost,
            "error": calls.get("failed", 0) + lost,
        }

    @property
    def requests(self) -> int:
        """How many look-ups there were."""
        return sum(self.tiers.values())

    @property
    def ratio(self) -> float | None:
        """The share of look-ups that were hits; None if there were no look-ups."""
        tiers = self.tiers
        total = sum(tiers.values())
        return sum(tiers[tier] for tier in HITS) / total if total else None

    @property
    def per_second(self) -> float:
        """Look-ups a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def evicted(self) -> dict[str, int]:
        """How many copies left memory, by cause (`bounded.REASONS`)."""
        head = "evicted."
        return {
            name.removeprefix(head): count
            for name, count in self.store.items()
            if name.startswith(head)
        }

    def quantile(self, measured: str, share: float) -> float | None:
        """Return the seconds within which this share lies, of one of `MEASURED`; None: nothing."""
        return quantile(
            histogram(self.calls if measured == "load" else self.store, measured), share
        )


@dataclass(frozen=True, slots=True)
class Top:
    """The most requested keys and namespaces, sampled.

    Attributes:
        keys, namespaces: each with its estimated share of all hits in memory, the largest first.
        sampled: how many hits were looked at.
        one_in: of how many hits one was.
        seconds: over how long.
    """

    keys: tuple[tuple[str, float], ...] = ()
    namespaces: tuple[tuple[str, float], ...] = ()
    sampled: int = 0
    one_in: int = 100
    seconds: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one process with its memory tier tells of itself; times are the server's Unix time.

    Attributes:
        id: among the nodes of its store.
        host, pid: where it runs.
        started: when, in seconds.
        ended: whether it said that it ends.
        versions: of "tiercache", "python", "django", "redis-py".
        entries, bytes, max_entries, max_bytes, policy: its memory tier.
        state, reason, state_since: as in `Stats.state`; the kind of the failure, and since when.
        backplane, backplane_since, joins: as in `Stats.backplane`; how often it has joined.
        journaled: keys that wait to be removed from Redis.
        errors: the last things that went wrong, the latest first.
        settings: its options by name, as text, without secrets.
    """

    id: str
    host: str
    pid: int
    started: float
    ended: bool
    versions: Mapping[str, str]
    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    policy: str
    state: str
    reason: str
    state_since: float
    backplane: str
    backplane_since: float
    joins: int
    journaled: int
    errors: tuple[Mishap, ...]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Process):
    """One process, as a cache's page shows it.

    Attributes:
        seen: seconds since it last reported.
        here: whether it is the process that shows this.
        gone: whether it has not reported in time, and did not say that it ends.
        totals: counts since its start.
        recent: counts of the last 15 minutes, or since its start.
    """

    seen: float
    here: bool
    gone: bool
    totals: Window
    recent: Window

    @property
    def up_for(self) -> float:
        """Seconds since its start."""
        return self.totals.seconds


@dataclass(frozen=True, slots=True)
class Server:
    """The Redis or Valkey server, as it tells of itself.

    Attributes:
        product: "Redis" or "Valkey".
        version, role: as INFO says.
        used, limit: bytes of memory; the limit is 0 where there is none.
        policy: `maxmemory_policy`.
        evicted, expired: keys so far.
        keys: keys in this database, of all who use it.
        clients: connections.
        uptime: seconds.
        missing: what this user may not ask, each a command's name.
    """

    product: str = ""
    version: str = ""
    role: str = ""
    used: int = 0
    limit: int = 0
    policy: str = ""
    evicted: int = 0
    expired: int = 0
    keys: int = 0
    clients: int = 0
    uptime: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One cache, everywhere.

    Attributes:
        alias, prefix, store: its name, its KEY_PREFIX, its server without secrets.
        at: when this was so, in seconds of the server's Unix time.
        reached: whether Redis answered.
        alone: whether there is no Redis tier, so that this process's are all there are.
        reason: why Redis was not reached, or what it refuses to tell.
        shared: whether figures are those of all nodes; where nobody reports, or Redis does not
            answer or refuses to tell, they are this process's own.
        away_since: since when, in Unix time; None where it is reached.
        nodes: those that have reported lately, this process first.
        windows: by the names in `WINDOWS`.
        hour, day: the same in small steps over the last hour and larger ones over the last day,
            the oldest first, without gaps.
        totals: counts since the first that Redis has of this cache (or this process's start).
        server: what the server tells of itself; None where it is not reached, or not there.
        top: the most requested keys of all nodes.
        settings: the cache's settings by name, as text, secrets masked.
    """

    alias: str
    prefix: str
    store: str
    at: float
    reached: bool
    shared: bool
    alone: bool
    reason: str
    away_since: float | None
    nodes: tuple[Node, ...]
    windows: Mapping[str, Window]
    hour: tuple[Window, ...]
    day: tuple[Window, ...]
    totals: Window
    server: Server | None
    top: Top
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> tuple[Node, ...]:
        """The nodes that are neither ended nor gone."""
        return tuple(node for node in self.nodes if not (node.ended or node.gone))
