"""Hits on several threads at once, each with its own instance, as Django makes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from benchmarks import rivals
from benchmarks.measuring import Call, Sample, calls_for, figure, in_turns, pace, ratios, sampler
from benchmarks.part import Goal, Part, Result, Row, Run, Table

from .calls import TEXT

THREADS: Final = (1, 2, 4, 8)
TAKING_PART: Final = (rivals.OURS, rivals.LOCMEM, rivals.DISKCACHE, rivals.DJANGO_REDIS)
GOALS: Final = {8: Goal(rivals.LOCMEM, least=8, aim=18)}

STRETCH: Final = 5
"""A sample is so many times as long as that of a single call, and there are half as many rounds."""

TURN: Final = 0.004
"""Seconds of calls that a thread makes before it looks whether the time is over."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What one thread has done: how often, and from when to when, in seconds of one clock."""

    made: int
    begun: float
    end: float


def steps(run: Run) -> int:
    """Return how many rounds there are."""
    return _rounds(run) * len(THREADS)


def measure(run: Run) -> Result:
    """Measure all rivals with each number of threads."""
    with rivals.opened(run.url, *TAKING_PART) as caches:
        for cache in caches.values():
            cache.set("key", TEXT)
        turns = {name: _turn(name) for name in caches}
        rows = [_row(count, turns, run) for count in THREADS]
    notes = [
        (
            f"All threads together, for {_seconds(run) * 1000:g} ms; the median of {_rounds(run)} "
            f"rounds. Each thread has its own instance of the cache (`caches[...]` in the thread), "
            f"as in a threaded server, and asks for the same text of 100 characters."
        ),
        (
            "Python runs one thread at a time: what is to be seen is not a gain by more threads, "
            "but what they lose by waiting for one another's locks, or win while others wait for "
            "a server."
        ),
    ]
    table = Table("Hits on several threads", "thousand a second", rows, "more", "bars", notes)
    return Result([table], missing=rivals.missing(*TAKING_PART))


def together(count: int, seconds: float, turn: Callable[[], int]) -> float:
    """Return how often a second so many threads do something, all together.

    Args:
        turn: does it some times in the thread that calls it, and returns how often.

    Raises:
        RuntimeError: a thread has failed.
    """
    done: list[Turns] = []
    start = threading.Barrier(count)

    def work() -> None:
        try:
            turn()  # this thread's instance, and its connection
        except BaseException:
            start.abort()  # nobody is to wait for this one
            raise
        with suppress(threading.BrokenBarrierError):
            done.append(_counted(turn, seconds, start))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) < count:
        raise RuntimeError(f"{count - len(done)} of {count} threads failed; see what they said")
    span = max(one.end for one in done) - min(one.begun for one in done)
    return sum(one.made for one in done) / span


def _counted(turn: Callable[[], int], seconds: float, start: threading.Barrier) -> Turns:
    start.wait()
    made, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        made += turn()
    return Turns(made, begun, now)


def _row(count: int, turns: dict[str, Callable[[], int]], run: Run) -> Row:
    run.progress.say(f"{count} threads")
    samples = {name: _sample(count, _seconds(run), turn) for name, turn in turns.items()}
    taken = in_turns(samples, _rounds(run), run.progress)
    figures = {name: figure(rate / 1000 for rate in rates) for name, rates in taken.items()}
    what = f"{count} thread{'s' if count > 1 else ''}"
    return Row(what, {**figures}, ratios(figures), GOALS.get(count))


def _sample(count: int, seconds: float, turn: Callable[[], int]) -> Callable[[], float]:
    return lambda: together(count, seconds, turn)


def _turn(alias: str) -> Callable[[], int]:
    """Return what makes some calls in a row on the thread's own instance of a cache."""
    often = calls_for(_hits(alias), TURN, 2**30)
    own = threading.local()

    def turn() -> int:
        if not hasattr(own, "hits"):
            own.hits = _hits(alias)
        own.hits(often)
        return often

    return turn


def _hits(alias: str) -> Sample:
    from django.core.cache import caches

    return sampler(Call("cache.get('key')", {"cache": caches[alias]}))


def _rounds(run: Run) -> int:
    return max(pace(run).rounds // 2, 2)


def _seconds(run: Run) -> float:
    return pace(run).seconds * STRETCH


PART = Part("threads", "Several threads", steps, measure)
