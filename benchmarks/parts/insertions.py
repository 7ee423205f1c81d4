"""What each single insertion into a full cache takes: on average, nearly always, at worst."""

from __future__ import annotations

import gc
import math
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import rivals
from benchmarks.measuring import figure, rotated
from benchmarks.part import Goal, Row, Run, Table

from .calls import TEXT, keys

ROUNDS: Final = 3
PORTION: Final = 50_000
"""Keys that are made at once, before they are timed."""

SHARE: Final = 0.999

MEAN, NEARLY_ALL, WORST, OWN_WORST = (
    "mean",
    f"{SHARE:.1%} are below",
    "worst",
    "worst, each by its least processor time",
)
GOALS: Final = {MEAN: Goal(most=3), OWN_WORST: Goal(most=1000)}
GOALS_AT: Final = 1_000_000

_LOOPS = """
def together(_keys, _wall):
    _begun = _wall()
    for item in _keys:
        {statement}
    return _wall() - _begun


def one_by_one(_keys, _walls, _processors, _wall, _processor):
    for item in _keys:
        _used = _processor()
        _begun = _wall()
        {statement}
        _walls.append(_wall() - _begun)
        _processors.append(_processor() - _used)
"""


@dataclass(slots=True)
class Times:
    """What insertions took, in seconds.

    Attributes:
        together: each of those that were timed together, on average in each portion.
        walls: single ones by the clock: the garbage collector, other threads and other processes
            included.
        processors: of processor time of the thread.
        collected: numbers of the insertions in which the garbage collector ran.
    """

    together: array[float] = field(default_factory=lambda: array("d"))
    walls: array[float] = field(default_factory=lambda: array("d"))
    processors: array[float] = field(default_factory=lambda: array("d"))
    collected: set[int] = field(default_factory=set)

    def figures(self) -> dict[str, float]:
        """Return microseconds, by what they are."""
        return {
            MEAN: sum(self.together) / len(self.together) * 1e6,
            NEARLY_ALL: quantile(self.walls, SHARE) * 1e6,
            WORST: max(self.walls) * 1e6,
        }


def own_worst(rounds: Sequence[Times]) -> float:
    """Return the most processor time that an insertion took in each of the rounds.

    Of insertions that are the same in all rounds, in microseconds. What only happens to one of
    them, in one round, is the machine's doing; where the garbage collector ran does not count.
    """
    least = min_of_each([_own(times) for times in rounds])
    return max((used for used in least if used < math.inf), default=0.0) * 1e6


def min_of_each(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the least of what stands at the same place."""
    return [min(values) for values in zip(*rounds, strict=True)]


def _own(times: Times) -> list[float]:
    return [math.inf if at in times.collected else used for at, used in enumerate(times.processors)]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all is at most."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def steps(run: Run) -> int:
    """Return how many rounds there are."""
    return 1 if run.quick else ROUNDS


def table(filled: dict[str, Any], size: int, run: Run) -> Table:
    """Insert half as many new keys as there are entries, in each round and into each.

    Into the first the same ones, each time it holds the same.

    Args:
        filled: the caches, by their rivals' names; all hold as many entries as they may.
        size: how many these are.
    """
    inserts = _inserts(filled)
    taken: dict[str, list[Times]] = {name: [] for name in inserts}
    for number, order in enumerate(rotated(tuple(inserts), steps(run))):
        run.progress.say(f"insertions, round {number + 1}")
        for name in order:
            again = name == rivals.OURS
            if again:
                _fill_anew(filled[name], size)
            taken[name].append(_timed(inserts[name], _new_keys(0 if again else number, size)))
        run.progress.step()
    rows = [
        Row(
            what,
            {name: figure(times.figures()[what] for times in made) for name, made in taken.items()},
            goal=GOALS.get(what) if size == GOALS_AT else None,
        )
        for what in (MEAN, NEARLY_ALL, WORST)
    ]
    worst = Row(OWN_WORST, {rivals.OURS: figure([own_worst(taken[rivals.OURS])])})
    worst.goal = GOALS[OWN_WORST] if size == GOALS_AT else None
    title = f"An insertion where {size:,} entries are held"
    return Table(title, "µs", [*rows, worst], notes=_notes(size))


def _fill_anew(cache: Any, size: int) -> None:
    """Let the memory tier hold what it held at first, so that each round finds the same.

    As many insertions as half of it, which follow, make each part of its dictionary anew once.
    """
    from tiercache.entry import PLAIN, Copy

    tier, copy = cache._node.memory, Copy(TEXT, PLAIN, len(TEXT) + 49)
    tier.invalidate_all()
    for key in keys("entry", size):
        tier.put(cache.make_key(key), copy, math.inf)


def _inserts(filled: dict[str, Any]) -> dict[str, Insert]:
    """Return what inserts, by the names of columns."""
    from tiercache.entry import PLAIN, Copy

    tier = filled[rivals.OURS]._node.memory
    copy = Copy(TEXT, PLAIN, len(TEXT) + 49)
    slots = list(filled["dict"])
    names = {"dictionary": filled["dict"], "slot": iter(slots * 2 * ROUNDS).__next__}
    return {
        rivals.OURS: Insert(
            "put(item, copy, inf)", {"put": tier.put, "copy": copy, "inf": math.inf}
        ),
        f"{rivals.OURS}, `set`": _setting(filled[rivals.OURS]),
        f"{rivals.LOCMEM}, `set`": _setting(filled[rivals.LOCMEM]),
        "dict of a fixed size": Insert("dictionary[slot()] = [item]", names),
    }


@dataclass(frozen=True, slots=True)
class Insert:
    """A statement that inserts `item`, and what its names stand for."""

    statement: str
    names: dict[str, Any]

    def loops(self) -> tuple[Callable[..., float], Callable[..., None]]:
        """Return what times many insertions together, and what times each by itself."""
        names = dict(self.names)
        exec(_LOOPS.format(statement=self.statement), names)
        return names["together"], names["one_by_one"]


def _setting(cache: Any) -> Insert:
    return Insert("cache.set(item, text)", {"cache": cache, "text": TEXT})


def _new_keys(number: int, size: int) -> list[range]:
    """Return the numbers of this round's keys, in portions."""
    count = size // 2
    first = size + number * count
    return [
        range(start, min(start + PORTION, first + count))
        for start in range(first, first + count, PORTION)
    ]


def _timed(insert: Insert, portions: list[range]) -> Times:
    times = Times()
    together, one_by_one = insert.loops()

    def note(phase: str, info: dict[str, int]) -> None:  # noqa: ARG001 - as Python calls it
        times.collected.add(len(times.walls))

    gc.collect()
    for portion in portions:
        made = [f"new:{number:09d}" for number in portion]
        half = len(made) // 2
        times.together.append(together(made[:half], time.perf_counter) / half)
        gc.callbacks.append(note)
        try:
            one_by_one(
                made[half:], times.walls, times.processors, time.perf_counter, time.thread_time
            )
        finally:
            gc.callbacks.remove(note)
    return times


def _notes(size: int) -> list[str]:
    return [
        (
            f"{size // 2:,} new keys in each round, into caches that are full, so that each has "
            f"to make room: the mean is of a half that is timed together, the rest of the others, "
            f"each of which is timed by itself. Median of the rounds; the highest beside it is the "
            f"worst of all."
        ),
        (
            f"{rivals.OURS}: the memory tier's own insertion (`MemoryTier.put`); `set`: the whole "
            "call on memory alone."
        ),
        (
            "The worst has in it whatever else happened: the garbage collector, which looks at "
            "all entries of the process now and then, and other processes that had the core. A "
            "dictionary whose size never changes, beside it, shows how much that is. Below it "
            f"stands what {rivals.OURS} itself takes at worst: each round inserts the same keys "
            "into the same entries, the least processor time of each insertion counts, and of "
            "these the most; those in which the collector ran are left out."
        ),
        "LocMemCache drops a third of its entries whenever it is full, within one call.",
    ]
