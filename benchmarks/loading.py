"""What callers of `get_or_set` notice while the source is cut off, and of a stampede.

    python -m benchmarks.loading [--seconds N] [--threads N] [--tasks N] [--processes N]

First, threads and tasks of one process ask for some keys, over and over; in the middle of the run
the source raises for as long as `--seconds` says. Once without grace, and once with it. Then
processes with 200 threads and 200 tasks each ask for one cold key at the same moment.

Starts a Valkey server of its own and prints Markdown tables; exits with 1 if a caller saw an error
although there was grace, or if a stampede caused more than one load.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from benchmarks.coherence_history import quantile
from benchmarks.loading_workers import Config, crowd, loaders
from tests.support.servers import Valkey

LIFE = 1.0
"""Seconds that entries are fresh."""

KEYS = 20
LOAD = 0.02
"""Seconds that a load takes."""

BEFORE = 3.0
"""Seconds of health before the source is cut off, and after it."""

REST = 0.01
"""Seconds between two calls of one caller."""

RETRY = 2.0
"""LOAD_RETRY: seconds from a failed load to the next."""

STAMPEDE = (200, 200)
"""Threads and tasks of each process that ask for the cold key."""

LONG_LOAD = 0.5
"""Seconds that its load takes."""


class Source:
    """Computes values, slowly, unless it is cut off."""

    def __init__(self) -> None:
        self.cut = False
        self.loads = 0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return when this was."""
        with self._lock:
            self.loads += 1
        time.sleep(LOAD)
        if self.cut:
            raise ConnectionError("the source is cut off")
        return time.monotonic()

    async def asynchronously(self) -> float:
        """Do the same on an event loop."""
        self.loads += 1
        await asyncio.sleep(LOAD)
        if self.cut:
            raise ConnectionError("the source is cut off")
        return time.monotonic()


@dataclass(slots=True)
class Trial:
    """What the callers of one run noticed.

    Attributes:
        times: seconds that each call took.
        errors: how many raised, while the source was cut off and at other times.
        loads: how often the source was asked.
        stale: how many answers were stale.
        oldest: seconds since the oldest answer was computed.
    """

    times: list[float] = field(default_factory=list)
    errors: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    loads: int = 0
    stale: int = 0
    oldest: float = 0.0


class Callers:
    """Threads and tasks that ask until they are told to stop."""

    def __init__(self, cache: Any, source: Source, grace: float) -> None:
        self._cache = cache
        self._source = source
        self._grace = grace
        self.trial = Trial()
        self.stop = False

    def _note(self, begun: float, ended: float, value: float | None) -> None:
        trial = self.trial
        trial.times.append(ended - begun)
        if value is None:
            trial.errors[self._source.cut] += 1
        else:
            trial.oldest = max(trial.oldest, ended - value)

    def thread(self, seed: int) -> None:
        """Ask from a thread."""
        chance = random.Random(seed)
        while not self.stop:
            key, begun = f"key{chance.randrange(KEYS)}", time.monotonic()
            try:
                value = self._cache.get_or_set(key, self._source, LIFE, grace=self._grace)
            except ConnectionError:
                value = None
            self._note(begun, time.monotonic(), value)
            time.sleep(chance.random() * 2 * REST)

    async def task(self, seed: int) -> None:
        """Ask from a task."""
        chance = random.Random(seed)
        load = self._source.asynchronously
        while not self.stop:
            key, begun = f"key{chance.randrange(KEYS)}", time.monotonic()
            try:
                value = await self._cache.aget_or_set(key, load, LIFE, grace=self._grace)
            except ConnectionError:
                value = None
            self._note(begun, time.monotonic(), value)
            await asyncio.sleep(chance.random() * 2 * REST)

    async def tasks(self, count: int) -> None:
        """Ask from many tasks of one loop."""
        await asyncio.gather(*(self.task(seed) for seed in range(count)))


def cut_off(cache: Any, grace: float, seconds: float, threads: int, tasks: int) -> Trial:
    """Let callers ask before, while and after the source is cut off."""
    cache.clear()
    source = Source()
    callers = Callers(cache, source, grace)
    works: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (callers.thread, (-seed - 1,)) for seed in range(threads)
    ]
    works.append((lambda: asyncio.run(callers.tasks(tasks)), ()))
    running = [threading.Thread(target=work, args=args) for work, args in works]
    before = cache.stats().stale_hits
    for each in running:
        each.start()
    what = "with grace" if grace else "without grace"
    _wait(f"{what}: before", BEFORE)
    source.cut = True
    _wait(f"{what}: cut off", seconds)
    source.cut = False
    _wait(f"{what}: after", BEFORE + (RETRY if grace else 0))
    callers.stop = True
    for each in running:
        each.join()
    callers.trial.loads = source.loads
    callers.trial.stale = cache.stats().stale_hits - before
    return callers.trial


def figures(trial: Trial) -> dict[str, str]:
    """Return a column of the table."""
    rising = sorted(trial.times)
    return {
        "calls": f"{len(rising):,}",
        "errors while the source was cut off": f"{trial.errors[True]:,}",
        "errors at other times": f"{trial.errors[False]:,}",
        "stale answers": f"{trial.stale:,}",
        "age of the oldest answer, s": f"{trial.oldest:.1f}",
        "loads": f"{trial.loads:,}",
        "call p50 / p99 / max, ms": " / ".join(
            f"{quantile(rising, share) * 1000:.2f}" for share in (0.5, 0.99, 1)
        ),
    }


def stampede(server: Valkey, processes: int) -> dict[str, str]:
    """Let processes ask for one cold key at once; return a row."""
    server.client.flushall()
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "loads"
        with crowd(processes, Config(f"{server.url}/0", *STAMPEDE, str(log), LONG_LOAD)) as workers:
            workers.go()
            got = workers.finish()
        return {
            "callers": f"{sum(STAMPEDE) * processes:,}",
            "answered": f"{sum(each.answers['value'] for each in got):,}",
            "loads": str(len(loaders(log))),
            "load, s": f"{LONG_LOAD}",
            "all answered after, s": f"{max(each.slowest for each in got):.2f}",
        }


def main() -> int:
    """Measure and print; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the source's outage")
    parser.add_argument("--threads", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--processes", type=int, default=4, help="of the stampede")
    arguments = parser.parse_args()
    server = Valkey()
    try:
        cache = _cache(server.url)
        how = (arguments.seconds, arguments.threads, arguments.tasks)
        trials = {
            "without grace": cut_off(cache, 0, *how),
            "with grace": cut_off(cache, math.ceil(arguments.seconds + 60), *how),
        }
        _show("stampede", 0, 1)
        rows = [stampede(server, arguments.processes) for _ in range(3)]
    finally:
        server.close()
    print(file=sys.stderr)
    columns = {name: figures(trial) for name, trial in trials.items()}
    print(f"| {arguments.seconds:.0f} s without a source | {' | '.join(columns)} |")
    print("| --- | ---: | ---: |")
    for name in columns["with grace"]:
        print(f"| {name} | {' | '.join(column[name] for column in columns.values())} |")
    print()
    print(f"| {' | '.join(rows[0])} |")
    print(f"| {' | '.join('---:' for _ in rows[0])} |")
    for row in rows:
        print(f"| {' | '.join(row.values())} |")
    graced = trials["with grace"]
    return int(any(graced.errors.values()) or any(row["loads"] != "1" for row in rows))


def _cache(url: str) -> Any:
    logging.getLogger("tiercache").propagate = False
    logging.getLogger("tiercache").addHandler(logging.NullHandler())
    conf = {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": f"{url}/0",
        "KEY_PREFIX": "loading",
        "OPTIONS": {"LOAD_RETRY": RETRY},
    }
    settings.configure(CACHES={"default": conf})
    django.setup()
    from django.core.cache import cache

    return cache


def _wait(what: str, seconds: float) -> None:
    """Wait, and show how far it is."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _show(what, seconds - left, seconds)
        time.sleep(min(left, 1.0))


def _show(what: str, done: float, of: float) -> None:
    print(f"\r{what:<28} {done:5.1f} of {of:.1f} s ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
