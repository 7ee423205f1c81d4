"""Rivals that take turns: what each of them needs for one call, or does in a second.

Whatever else the machine does hits all rivals alike, since each round asks all of them, and each
round begins with another one: many rounds of short samples, so that nothing lasts for one rival's
sample alone. The garbage collector works as it does in production; before each
sample it is run once, so that no rival pays for what the one before has left behind.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

from .part import Figure, Progress, Run

VARIABLE = "TIERCACHE_BENCHMARK_SECONDS"
"""The environment variable that says how many seconds a sample lasts, for tests of the parts."""

ROUNDS, SECONDS = 33, 0.015
QUICK_ROUNDS, QUICK_SECONDS = 9, 0.01

Sample = Callable[[int], float]
"""Makes so many calls, and returns the seconds that they took."""

Runs = Callable[[Coroutine[Any, Any, float]], float]
"""Runs a coroutine to its end: `asyncio.Runner().run`."""

_LOOP = """
def sample(_items, _clock):
    _begun = _clock()
    for item in _items:
        {statement}
    return _clock() - _begun
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is measured.

    Attributes:
        rounds: how often each rival has its turn.
        seconds: about as long as each sample lasts.
    """

    rounds: int = ROUNDS
    seconds: float = SECONDS


def pace(run: Run) -> Pace:
    """Return the pace of a run; the environment may shorten its samples, and so its rounds.

    Raises:
        ValueError: the environment variable is not a number above 0.
    """
    made = Pace(QUICK_ROUNDS, QUICK_SECONDS) if run.quick else Pace()
    given = os.environ.get(VARIABLE)
    if given is None:
        return made
    seconds = _number(given)
    if not seconds > 0:
        raise ValueError(f"{VARIABLE} is {given!r}; allowed: a number of seconds above 0")
    return Pace(2, seconds)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@dataclass(slots=True)
class Call:
    """A statement that is timed, as one would write it.

    Attributes:
        statement: Python, on one line; `item` is the argument of this call, where there are
            `items`.
        names: what the statement's names stand for.
        items: arguments, each of which is used once in a sample; so they bound its calls.
        before: what is done with a sample's items before it, and not timed.
        runs: runs a sample whose statement awaits, and is given for those alone.
    """

    statement: str
    names: dict[str, Any] = field(default_factory=dict)
    items: Sequence[Any] = ()
    before: Callable[[Sequence[Any]], object] | None = None
    runs: Runs | None = None


EMPTY: Final = Call("pass")
"""What the loop itself is measured with."""


def sampler(call: Call, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Return what times a call; its statement stands in the loop, so nothing calls it in vain."""
    awaits = "await " in call.statement
    source = _LOOP.format(statement=call.statement).lstrip()
    names = dict(call.names)
    exec(f"async {source}" if awaits else source, names)
    sample = names["sample"]

    def made(count: int) -> float:
        items = call.items[:count]
        if call.before is not None:
            call.before(items)
        timed = sample(items if call.items else repeat(None, count), clock)
        return float(timed if call.runs is None else call.runs(timed))

    return made


def calls_for(sample: Sample, seconds: float, most: int) -> int:
    """Return how many calls last about so many seconds, and so warm them up; at most `most`."""
    count = 1
    while True:
        took = sample(count)
        if count >= most:
            return most
        if took >= seconds / 4:
            return min(max(round(count * seconds / took), 1), most)
        count = min(count * 4, most)


def rotated(names: Sequence[str], rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield the order of each round: everybody is first in turn."""
    for number in range(rounds):
        first = number % len(names) if names else 0
        yield (*names[first:], *names[:first])


def in_turns(
    samples: Mapping[str, Callable[[], float]], rounds: int, progress: Progress
) -> dict[str, list[float]]:
    """Take one sample of each in each round; a round is a step of the progress."""
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for order in rotated(tuple(samples), rounds):
        for name in order:
            gc.collect()
            taken[name].append(samples[name]())
        progress.step()
    return taken


def figure(values: Iterable[float]) -> Figure:
    """Return the median and the spread.

    Raises:
        ValueError: there are no values.
    """
    values = list(values)
    if not values:
        raise ValueError("a figure needs one value or more; there is none")
    return Figure(statistics.median(values), min(values), max(values), len(values))


def microseconds(
    calls: Mapping[str, Call],
    pace: Pace,
    progress: Progress,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Figure]:
    """Measure what one call takes each rival, in microseconds, without what the loop takes.

    The loop is measured without a statement, in turn with the rivals. Objects that are there
    before the first sample are not looked at by the garbage collector afterwards: a benchmark's
    own would make each of its rounds longer than a site's.
    """
    samples = {name: sampler(call, clock) for name, call in calls.items()}
    counts = {
        name: calls_for(sample, pace.seconds, len(calls[name].items) or 2**40)
        for name, sample in samples.items()
    }
    empty = sampler(EMPTY, clock)
    often = calls_for(empty, pace.seconds / 5, 2**40)
    gc.collect()
    gc.freeze()
    try:
        each = {name: _each(sample, counts[name]) for name, sample in samples.items()}
        taken = in_turns({**each, "": _each(empty, often)}, pace.rounds, progress)
    finally:
        gc.unfreeze()
    loop = statistics.median(taken.pop(""))
    return {
        name: figure(max(value - loop, 0.0) * 1e6 for value in values)
        for name, values in taken.items()
    }


def _each(sample: Sample, count: int) -> Callable[[], float]:
    return lambda: sample(count) / count


def ratios(figures: Mapping[str, Figure | None], *, only: Sequence[str] = ()) -> dict[str, float]:
    """Return the first one's median divided by each other's, where both are there and not 0."""
    names = list(figures)
    first = figures[names[0]] if names else None
    if first is None:
        return {}
    others = {name: figures.get(name) for name in only or names[1:]}
    return {
        name: first.median / other.median
        for name, other in others.items()
        if other is not None and other.median
    }
