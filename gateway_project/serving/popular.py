"""What is asked for most: counted in each worker, told to Redis, merged for a warm-up.

A worker keeps a bounded number of counters. When they are too many, the median count is taken off
each, and what has nothing left goes: Misra and Gries (1982), in the form that Anderson et al. gave
it (2017, "A High-Performance Algorithm for Identifying Frequent Items in Data Streams"). So a count
is never too high, and too low by no more than all requests divided by `MOST`; what more than that
share of the requests asks for is never lost.

Workers under WSGI count and do not tell: they have no event loop that lasts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from contextlib import suppress
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Final, cast

from django.conf import settings
from django.core.cache import caches

from tiercache.exceptions import RedisAway
from tiercache.http import targets

if TYPE_CHECKING:
    from gateway_project.serving.exchange import Exchange
    from gateway_project.serving.replies import Reply
    from tiercache.backend import TieredCache

MOST: Final = 1024
"""Counters that are left when there were twice as many."""

TOLD: Final = 512
"""Targets that a worker writes to Redis, at the most."""

LONGEST: Final = 1024
"""Characters of a target that is counted, at the most."""

EVERY: Final = 15.0
"""Seconds between two times that a worker writes: what a worker loses when it ends."""

LIFE: Final = 3600.0
"""Seconds for which the counts of a worker that has ended still matter."""

HALVED: Final = 240
"""Every so many times that a worker writes (an hour), its counts are halved: what is new counts."""

_PREFIX: Final = "gateway:popular:"


class Sketch:
    """How often each target was asked for; at most twice `most` of them are known at a time."""

    __slots__ = ("_counts", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def note(self, target: str) -> None:
        """Count a request: about 0.1 microseconds for a target that is known."""
        try:
            self._counts[target] += 1
        except KeyError:
            if len(self._counts) >= 2 * self._most:
                self._counts = _without_median(self._counts)
            self._counts[target] = 1

    def top(self, most: int) -> tuple[tuple[str, int], ...]:
        """Return the targets that were asked for most, with their counts, the most asked first."""
        # As a list at once: under WSGI, other threads go on counting.
        return tuple(nlargest(most, list(self._counts.items()), key=itemgetter(1)))

    def halve(self) -> None:
        """Let what was counted so far weigh half; what was asked for once is forgotten."""
        halves = ((target, count // 2) for target, count in list(self._counts.items()))
        self._counts = {target: count for target, count in halves if count}

    def forget(self) -> None:
        """Begin anew."""
        self._counts = {}

    def __len__(self) -> int:
        return len(self._counts)


sketch: Final = Sketch()
"""What this process was asked for."""

note: Final = sketch.note


def target_of(exchange: Exchange, status: int) -> str | None:
    """Return what a request that the cache answered is counted as; None if it is not counted.

    Counted are GETs that a route has, with the parameters that count and nothing of the header,
    unless the answer is an error, one key's own, or longer to ask for than `LONGEST`.
    """
    asked = exchange.asked
    if asked.method != "GET" or status >= 400 or exchange.route.tenant:
        return None
    query = f"?{targets.encoded(exchange.query)}" if exchange.query else ""
    target = asked.path.decode("latin-1") + query
    return target if len(target) <= LONGEST else None


def note_reply(exchange: Exchange, reply: Reply) -> None:
    """Count a request that was answered through the cache; others are not worth a warm-up."""
    # What is not stored is handed on in parts.
    if isinstance(reply.body, bytes) and (target := target_of(exchange, reply.status)) is not None:
        note(target)


def start() -> None:
    """Write this worker's counts to Redis from now on, as long as the running event loop lives.

    The loop's end ends it at once: nothing is written then, so that no shutdown waits for Redis.
    """
    global _writing  # noqa: PLW0603 - one for a process
    if not settings.CACHES["default"]["LOCATION"]:
        return
    loop = asyncio.get_running_loop()
    if _writing is None or _writing.done() or _writing.get_loop() is not loop:
        _writing = loop.create_task(_write_on(f"{_PREFIX}{uuid.uuid4().hex}"))


async def write(key: str) -> None:
    """Write what this worker was asked for most; nothing if Redis is away."""
    told = sketch.top(TOLD)
    if told:
        with suppress(RedisAway):  # the cache has logged it, and the next time is soon
            await _cache().aset(key, told, LIFE)


def most_asked(most: int) -> tuple[tuple[str, int], ...]:
    """Return what all workers together were asked for most, with the counts, the most asked first.

    Those count that wrote within the last `LIFE` seconds. It works through all of Redis's keys.
    """
    cache, total = _cache(), Counter[str]()
    for told in cache.get_many(list(cache.iter_keys(f"{_PREFIX}*"))).values():
        total.update(dict(told))
    return tuple(total.most_common(most))


_writing: asyncio.Task[None] | None = None


async def _write_on(key: str) -> None:
    while True:
        for _ in range(HALVED):
            await asyncio.sleep(EVERY)
            await write(key)
        sketch.halve()


def _without_median(counts: dict[str, int]) -> dict[str, int]:
    median = sorted(counts.values())[len(counts) // 2]
    return {target: count - median for target, count in counts.items() if count > median}


def _cache() -> TieredCache:
    # An instance of its own: Django's belongs to a thread or a task.
    return cast("TieredCache", caches.create_connection("default"))
