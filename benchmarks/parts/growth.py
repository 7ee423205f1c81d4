"""Whether a hit and an insertion cost the same, however much is held."""

from __future__ import annotations

import random
from typing import Any, Final

from benchmarks import rivals
from benchmarks.child import in_a_child
from benchmarks.measuring import Call, microseconds, pace
from benchmarks.part import Figure, Goal, Part, Result, Row, Run, Table

from . import insertions
from .calls import TEXT, keys

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES: Final = SIZES[:-1]

ASKED: Final = 1_000
"""How many different keys are asked for, whatever the size."""

OFTEN: Final = 200
"""How often each of them is, in one sample, at most."""

FIRST: Final = f"at {SIZES[0]:,}"
"""The column of ratios: the cost at the smallest size."""

DICT: Final = "dict"


def steps(run: Run) -> int:
    """Return how many there are: each size that is filled, the rounds, and the insertions'."""
    return len(_sizes(run)) + pace(run).rounds + insertions.steps(run)


def measured(run: Run) -> Result:
    """Fill, ask, insert; in a process of its own (`benchmarks.child`)."""
    filled = _filled(run)
    figures = _asked(filled, run)
    largest = {name: cache for (name, size), cache in filled.items() if size == _sizes(run)[-1]}
    return Result([_hits(figures, run), insertions.table(largest, _sizes(run)[-1], run)])


def _sizes(run: Run) -> tuple[int, ...]:
    return QUICK_SIZES if run.quick else SIZES


def _filled(run: Run) -> dict[tuple[str, int], Any]:
    """Return each rival with each number of entries, by both."""
    _configure(_sizes(run))
    from django.core.cache import caches

    filled: dict[tuple[str, int], Any] = {}
    for size in _sizes(run):
        run.progress.say(f"filling with {size:,} entries")
        made = {
            rivals.OURS: caches[f"{rivals.OURS}{size}"],
            rivals.LOCMEM: caches[f"{rivals.LOCMEM}{size}"],
        }
        for name, cache in made.items():
            for key in keys("entry", size):
                cache.set(key, TEXT)
            filled[name, size] = cache
        filled[DICT, size] = dict.fromkeys(keys("entry", size), TEXT)
        run.progress.step()
    return filled


def _configure(sizes: tuple[int, ...]) -> None:
    import django
    from django.conf import settings

    backends = {
        rivals.OURS: ("tiercache.backend.TieredCache", "memory://", {"MAX_BYTES": "64GiB"}),
        rivals.LOCMEM: ("django.core.cache.backends.locmem.LocMemCache", "", {}),
    }
    made: dict[str, Any] = {}
    for size in sizes:
        for name, (backend, location, options) in backends.items():
            made[f"{name}{size}"] = {
                "BACKEND": backend,
                "LOCATION": f"{location}{size}",
                "TIMEOUT": None,
                "OPTIONS": {"MAX_ENTRIES": size, **options},
            }
    settings.configure(CACHES={"default": made[f"{rivals.OURS}{sizes[0]}"], **made})
    django.setup()


def _asked(filled: dict[tuple[str, int], Any], run: Run) -> dict[tuple[str, int], Figure]:
    """Measure a hit at all sizes, in turns."""
    run.progress.say("hits at all sizes")
    calls = {
        f"{name} {size}": Call("cache.get(item)", {"cache": cache}, _spread(size) * OFTEN)
        for (name, size), cache in filled.items()
    }
    figures = microseconds(calls, pace(run), run.progress)
    return {(name, size): figures[f"{name} {size}"] for name, size in filled}


def _spread(size: int) -> list[str]:
    """Return the keys that are asked for: in no order, spread over all."""
    chosen = keys("entry", size)[:: size // ASKED]
    random.Random(0).shuffle(chosen)
    return chosen


def _hits(figures: dict[tuple[str, int], Figure], run: Run) -> Table:
    rows: list[Row] = []
    for size in _sizes(run):
        row = Row(f"{size:,} entries", plain={"x": size})
        row.figures = {name: figures[name, size] for name in (rivals.OURS, rivals.LOCMEM, DICT)}
        if size != SIZES[0]:
            grown = {name: _grown(figures, name, size) for name in row.figures}
            row.ratios = {FIRST: grown[rivals.OURS]}
            row.goal = Goal(FIRST, most=1.2) if size == SIZES[-1] else None
            row.plain |= {
                f"{name}, ratio to {FIRST}": grown[name] for name in (rivals.LOCMEM, DICT)
            }
        rows.append(row)
    notes = [
        (
            f"`get` of {ASKED:,} different keys, spread over all entries and in no order, whatever "
            "the number of entries; memory alone, all sizes and rivals in turns in one process."
        ),
        (
            "What `dict.get` loses is what the processor's caches cost anybody: more entries lie "
            "farther apart."
        ),
    ]
    return Table("A hit, by how much is held", "µs", rows, "less", "lines", notes)


def _grown(figures: dict[tuple[str, int], Figure], name: str, size: int) -> float:
    return figures[name, size].median / figures[name, SIZES[0]].median


PART = Part("growth", "Growth", steps, in_a_child("benchmarks.parts.growth"))
