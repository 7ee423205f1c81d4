"""The processes of the part "nodes": many that listen, forked from one, and one that writes.

    python -m benchmarks.parts.nodes_workers (listeners | writer) CONFIG

The writer fills all keys, says "ready", writes on "go" until its time is over, and says what it
did. The listeners say "ready" when each of them holds all keys; told how many writes there were,
they wait until they have heard of all of them, and say what they heard. `CONFIG` is the fields of
`Config`; all that is said is JSON, one line each.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from multiprocessing import get_context
from operator import itemgetter
from typing import Any

import django
import psutil
from django.conf import settings

from benchmarks.parts.nodes_terms import (
    KEYS,
    PATIENCE,
    STEP,
    Config,
    Heard,
    Written,
    caches,
    full_key_of,
    key_of,
)

REST = 0.25
"""Seconds after which a node looks up the watched keys again, so that it holds a copy of them."""

LONGEST = 300
"""Seconds after which a node ends in any case, should its parent have been killed."""

WRITERS = 4
"""Threads of the writer: it is to send the next write although an answer takes its time."""

GRACE = 10.0
"""Seconds that nodes wait for what they have not heard when all is written."""


class Ear:
    """Notes what a node is told, once the copies are gone."""

    def __init__(self) -> None:
        self.count = 0
        self.watched: list[tuple[int, float]] = []
        self._numbers: dict[str, int] = {}

    def attach(self) -> None:
        """Listen in on this process's node, which must not have been made yet."""
        from tiercache.backplane import Backplane

        note = self.note
        self._numbers = {full_key_of(number): number for number in range(0, KEYS, STEP)}
        told = Backplane.heard

        def heard(self: Backplane, origin: str | None, keys: Iterable[str] | None) -> None:
            keys = None if keys is None else list(keys)
            told(self, origin, keys)
            note(keys)

        Backplane.heard = heard  # type: ignore[method-assign]

    def note(self, keys: list[str] | None) -> None:
        """Take the time; None stands for all keys."""
        self.count += KEYS if keys is None else len(keys)
        for key in self._numbers if keys is None else keys:
            if (number := self._numbers.get(key)) is not None:
                self.watched.append((number, time.monotonic()))


def listen(writes: Any, ready: Any, results: Any) -> None:
    """Be one node: hold all keys, hear of their changes, and tell what was heard.

    Args:
        writes: a shared number: how many writes there were, below 0 while that is not known.
        ready: a semaphore that is released when all keys are held.
        results: a queue for a `Heard`.
    """
    signal.alarm(LONGEST)
    cache = _cache()
    ear, parent = Ear(), os.getppid()
    ear.attach()
    _join(cache)
    watched = [key_of(number) for number in range(0, KEYS, STEP)]
    cache.get_many(map(key_of, range(KEYS)))
    before = time.process_time()
    ready.release()
    while writes.value < 0:
        time.sleep(REST)
        if os.getppid() != parent:
            return  # nobody is left who would take the result
        cache.get_many(watched)
    give_up = time.monotonic() + GRACE
    while ear.count < writes.value and time.monotonic() < give_up:
        time.sleep(0.01)
    took = time.process_time() - before
    held = [cache.peek(key_of(number)) for number in range(KEYS)]
    memory = psutil.Process().memory_full_info().pss
    results.put(asdict(Heard(ear.count, took, memory, held, ear.watched)))


def listeners(config: Config) -> None:
    """Be the parent of all nodes, and speak for them."""
    context = get_context("fork")
    writes, ready, results = context.Value("q", -1), context.Semaphore(0), context.SimpleQueue()
    nodes = [
        context.Process(target=listen, args=(writes, ready, results), daemon=True)
        for _ in range(config.nodes)
    ]
    for node in nodes:
        node.start()
    for _ in nodes:
        if not ready.acquire(timeout=PATIENCE):
            raise TimeoutError(f"not all of {config.nodes} nodes were ready in {PATIENCE:.0f} s")
    say("ready")
    writes.value = hear()
    say([results.get() for _ in nodes])
    for node in nodes:
        node.join(PATIENCE)


def writer(config: Config) -> None:
    """Fill all keys; then write one after the other, paced, and tell what was done."""
    cache = _cache()
    _join(cache)
    cache.set_many(dict.fromkeys(map(key_of, range(KEYS)), 0))
    say("ready")
    hear()
    pen, before = Pen(cache, config), time.process_time()
    threads = [threading.Thread(target=pen.write, args=(one,)) for one in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - pen.begun
    watched = sorted(pen.watched, key=itemgetter(1))
    say(asdict(Written(sum(pen.counts), seconds, time.process_time() - before, watched)))


class Pen:
    """What the writer's threads share; each key is one thread's, so its writes stay in order."""

    def __init__(self, cache: Any, config: Config) -> None:
        self._cache = cache
        self._config = config
        self.begun = time.monotonic()
        self.counts = [0] * WRITERS
        self.watched: list[tuple[int, float]] = []

    def write(self, thread: int) -> None:
        """Write what is one thread's, each when it is due, or at once if that is over."""
        end = self.begun + self._config.seconds
        write = thread
        while (due := self.begun + write / self._config.rate) < end and time.monotonic() < end:
            time.sleep(max(due - time.monotonic(), 0))
            self._one(write)
            self.counts[thread] += 1
            write += WRITERS

    def _one(self, write: int) -> None:
        number = write % KEYS
        if number % STEP == 0:
            self.watched.append((number, time.monotonic()))
        self._cache.set(key_of(number), write)


def _cache() -> Any:
    """Return this process's cache, which has more than Django's types know of."""
    from django.core.cache import cache

    return cache


def _join(cache: Any) -> None:
    """Wait until changes are heard, without which memory holds nothing."""
    give_up = time.monotonic() + PATIENCE
    cache.get("nothing")
    while cache.stats().backplane != "joined":
        if time.monotonic() > give_up:
            raise TimeoutError(f"the server is not heard in {PATIENCE:.0f} s")
        time.sleep(0.01)


def say(what: Any) -> None:
    """Say something to the parent."""
    print(json.dumps(what), flush=True)


def hear() -> Any:
    """Wait for what the parent says; without a parent there is nothing left to do."""
    line = sys.stdin.readline()
    if not line:
        sys.exit("the parent has ended")
    return json.loads(line)


def main() -> None:
    """Be one of them."""
    role, told = sys.argv[1:]
    config = Config(**json.loads(told))
    logging.getLogger("tiercache").addHandler(logging.NullHandler())
    settings.configure(CACHES=caches(config))
    django.setup()
    {"listeners": listeners, "writer": writer}[role](config)


if __name__ == "__main__":
    main()
