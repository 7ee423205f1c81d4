"""How often a call goes to Redis, by the server's own count of what it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis

from benchmarks import rivals
from benchmarks.part import Figure, Goal, Row, Table

from .calls import TEXT, keys, store_all

CALLS: Final = 50
TRIES: Final = 5
"""The lowest of so many counts is taken: a node's heartbeat or report may fall into one of them."""

TAKING_PART: Final = (rivals.OURS, rivals.DJANGO_REDIS, rivals.REDIS_CACHE, rivals.DJANGO_CACHEX)


def table(url: str, caches: dict[str, Any]) -> Table:
    """Count what each call of each rival sends."""
    rows: list[Row] = []
    with redis.Redis.from_url(rivals.place(url)) as look:
        for what, (goal, call) in CASES.items():
            counted = {
                name: _counted(look, caches[name], rivals.RIVALS[name], call)
                for name in TAKING_PART
                if name in caches
            }
            rows.append(Row(what, {**counted}, goal=goal))
    notes = [
        (
            "Reads that the server has counted (`INFO stats`, `total_reads_processed`) for "
            f"{CALLS} calls, divided by {CALLS}; the lowest of {TRIES} such counts."
        )
    ]
    return Table("Round trips to Redis for one call", "reads", rows, "less", "", notes)


def _counted(look: Any, cache: Any, rival: rivals.Rival, call: Call) -> Figure:
    counts = []
    for _ in range(TRIES):
        ask = call(cache, rival)
        before = _reads(look)
        for number in range(CALLS):
            ask(number)
        # The look itself is the last that was read.
        counts.append((_reads(look) - before - 1) / CALLS)
    return Figure(min(counts), min(counts), max(counts), TRIES)


def _reads(look: Any) -> int:
    return int(look.info("stats")["total_reads_processed"])


Call = Callable[[Any, rivals.Rival], Callable[[int], Any]]
"""Prepares `CALLS` calls, and returns what makes the one of this number."""


def _cold(cache: Any, rival: rivals.Rival) -> Callable[[int], Any]:
    items = keys("trip", CALLS)
    store_all(cache, items)
    _forget(cache, rival)
    return lambda number: cache.get(items[number])


def _half(cache: Any, rival: rivals.Rival) -> Callable[[int], Any]:
    items = keys("trip", 10 * CALLS)
    store_all(cache, items)
    _forget(cache, rival)
    if rival.forget is not None:
        cache.get_many(items[::2])
    return lambda number: cache.get_many(items[10 * number : 10 * number + 10])


def _deleting(cache: Any, rival: rivals.Rival) -> Callable[[int], Any]:  # noqa: ARG001
    items = keys("trip", CALLS)
    store_all(cache, items)
    return lambda number: cache.delete(items[number])


def _on_one(call: Callable[[Any], Any]) -> Call:
    def prepare(cache: Any, rival: rivals.Rival) -> Callable[[int], Any]:  # noqa: ARG001
        cache.set("count", 1)
        cache.get("count")
        return lambda _: call(cache)

    return prepare


def _forget(cache: Any, rival: rivals.Rival) -> None:
    if rival.forget is not None:
        rival.forget(cache)


CASES: Final[dict[str, tuple[Goal | None, Call]]] = {
    "`get`, in memory": (None, _on_one(lambda cache: cache.get("count"))),
    "`get` that fills memory": (None, _cold),
    "`get`, nothing there": (None, _on_one(lambda cache: cache.get("nothing-there"))),
    "`get_many` of 10, half in memory": (Goal(most=1), _half),
    "`set`": (None, _on_one(lambda cache: cache.set("count", TEXT))),
    "`incr`": (None, _on_one(lambda cache: cache.incr("count"))),
    "`touch`": (None, _on_one(lambda cache: cache.touch("count", 3600))),
    "`delete`": (None, _deleting),
}
