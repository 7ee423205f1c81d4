"""What could grow with time in a process that uses the cache, and how much more is no growth."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiercache import stores
from tiercache.journal import MOST_KEYS

PATIENCE = 20.0
"""Seconds within which everything must come to rest."""

MOST_AT_ONCE = 3
"""Keys that one call changes at the most."""

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


class Bench:
    """What is measured: a cache, and the process that it is in.

    Args:
        site: the server, and the proxy before it, which is a part of this process as well.
        cache: a face of the cache.
    """

    def __init__(self, site: Any, cache: Any) -> None:
        self._site = site
        self._cache = cache
        self.node = cache._node

    def rest(self) -> None:
        """Bring the process to the same point each time: healed, with nothing to do or to hold.

        Raises:
            TimeoutError: it does not come to rest.
        """
        self._until(self._is_healed)
        self._until(lambda: not (self.node.traffic or self.node.traffic.resting))
        self._until(lambda: all(t.name != "tiercache-load" for t in threading.enumerate()))
        # A loop that ended is let go of when another one comes, so one more is needed.
        asyncio.run(self._cache.aget("rest"))
        self._cache.get("rest")
        self.node.memory.invalidate_all()
        self.node.passage._remote.close()
        self._site.server.client.ping()
        # The listener's connection stays; the proxy needs a moment to let go of the others.
        self._until(lambda: self._site.proxy.connections == 1)
        gc.collect()

    def _until(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > give_up:
                raise TimeoutError(
                    f"not at rest in {PATIENCE} s: {self._cache.stats()}, "
                    f"{self._site.proxy.connections} connections"
                )
            time.sleep(0.005)

    def _is_healed(self) -> bool:
        self._cache.get("rest")
        stats = self._cache.stats()
        return (stats.state, stats.backplane) == ("up", "joined")


@dataclass(frozen=True, slots=True)
class Gauge:
    """One thing that could grow.

    Attributes:
        name: with its unit.
        read: measures it, at rest.
        slack: how much more at the end is no growth.
        share: the same, as a share of what it was.
        why: where that comes from.
    """

    name: str
    read: Callable[[Bench], float]
    slack: float = 0
    share: float = 0
    why: str = ""

    def allowed(self, before: float) -> float:
        """Return what it may be at the end."""
        return before * (1 + self.share) + self.slack


GAUGES: tuple[Gauge, ...] = (
    Gauge(
        "resident memory, MiB",
        lambda _: int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / MIB,
        slack=8,
        share=0.1,
        why="the allocator keeps what is free in pieces",
    ),
    Gauge(
        "objects that the collector knows",
        lambda _: len(gc.get_objects()),
        slack=500,
        why="what is made on the first failure of a kind, and idle connections",
    ),
    Gauge("file descriptors", lambda _: sum(1 for _ in Path("/proc/self/fd").iterdir())),
    Gauge("threads", lambda _: threading.active_count()),
    # What a node holds: a line for each table that it keeps.
    Gauge("epochs (tickets)", lambda bench: len(bench.node.memory._epochs)),
    Gauge("flights, waits, abandoned leases", lambda bench: len(bench.node.traffic)),
    Gauge("loads that rest", lambda bench: len(bench.node.traffic.resting)),
    Gauge("journaled keys", lambda bench: len(bench.node.health.journal)),
    Gauge("journaled patterns", lambda bench: len(bench.node.health.journal._patterns)),
    Gauge("journal, being made good", lambda bench: len(bench.node.health.journal._asked_for)),
    Gauge("clients of event loops", lambda bench: len(bench.node.passage._aremotes)),
    Gauge(
        "idle connections",
        lambda bench: len(bench.node.passage._remote._idle),
        slack=8,
        why="as many as calls were ever under way at once",
    ),
    Gauge("kinds of errors", lambda bench: len(bench.node.meter.errors), slack=12, why="one each"),
    Gauge("stores", lambda _: len(stores._nodes)),
    Gauge("settings met", lambda _: len(stores._bindings)),
)


@dataclass(slots=True)
class Peaks:
    """The most that was ever seen of what has a bound, at work."""

    cache: Any
    most: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self) -> None:
        """Compare what is there now with the most so far."""
        stats, node = self.cache.stats(), self.cache._node
        for name, value, bound in (
            ("entries in memory, the most seen", stats.entries, node.options.max_entries),
            ("bytes in memory, the most seen", stats.bytes, node.options.max_bytes),
            # Noted first, then found too many; a look may come in between.
            ("journaled keys, the most seen", stats.journaled, MOST_KEYS + MOST_AT_ONCE),
        ):
            self.most[name] = (max(value, self.most.get(name, (0, 0))[0]), bound)


def table(
    before: Sequence[float], after: Sequence[float], peaks: Peaks
) -> tuple[list[str], list[str]]:
    """Return the lines of the table, and what grew, as text."""
    lines = ["| | at the start | at the end | allowed |", "| --- | ---: | ---: | ---: |"]
    wrong = []
    for gauge, first, last in zip(GAUGES, before, after, strict=True):
        allowed = gauge.allowed(first)
        why = f" ({gauge.why})" if gauge.why else ""
        lines.append(f"| {gauge.name} | {first:,.4g} | {last:,.4g} | {allowed:,.4g}{why} |")
        if last > allowed:
            wrong.append(f"{gauge.name}: {first:g} at the start, {last:g} at the end")
    for name, (most, bound) in peaks.most.items():
        lines.append(f"| {name} | | {most:,} | {bound:,} |")
        if most > bound:
            wrong.append(f"{name}: {most}, where {bound} are allowed")
    return lines, wrong
