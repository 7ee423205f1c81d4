"""What one call takes on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import rivals
from benchmarks.measuring import Call, Runs, microseconds, pace, ratios
from benchmarks.part import Goal, Part, Result, Row, Run, Table

from .calls import ITEMS, TEXT, keys, store_all

AT_ONCE: Final = 100

OWN_GET: Final = "its own `get`"
"""The column of tiercache's synchronous call."""

Prepare = Callable[[Any, rivals.Rival, Runs], Call]


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what the page calls it, what a rival needs, the call, and its goals."""

    what: str
    needs: tuple[str, ...]
    prepare: Prepare
    goal: tuple[Goal, ...] = ()


def hit(cache: Any, rival: rivals.Rival, runs: Runs) -> Call:  # noqa: ARG001 - the same for all
    """Time `await aget` of a value that is there."""
    runs(_stored(cache))
    return Call("await cache.aget('key')", {"cache": cache}, runs=runs)


def gathered(cache: Any, rival: rivals.Rival, runs: Runs) -> Call:  # noqa: ARG001
    """Time a hundred of them, in a task each, all at once."""
    runs(_stored(cache))
    names = {"cache": cache, "gather": asyncio.gather, "hundred": range(AT_ONCE)}
    return Call("await gather(*[cache.aget('key') for _ in hundred])", names, runs=runs)


def filling(cache: Any, rival: rivals.Rival, runs: Runs) -> Call:
    """Time `await aget` of values that Redis has and memory has not."""
    items = keys("cold", ITEMS)
    store_all(cache, items)
    forget = rival.forget
    before = None if forget is None else lambda _: forget(cache)
    return Call("await cache.aget(item)", {"cache": cache}, items, before, runs)


def stored(cache: Any, rival: rivals.Rival, runs: Runs) -> Call:  # noqa: ARG001
    """Time `await aset`."""
    return Call("await cache.aset('key', text)", {"cache": cache, "text": TEXT}, runs=runs)


CASES: Final = (
    Case(
        "`await aget`, in memory",
        ("aget",),
        hit,
        (Goal(OWN_GET, most=1.5), Goal(rivals.LOCMEM, most=0.01)),
    ),
    Case(f"{AT_ONCE} of them in tasks at once", ("aget",), gathered),
    Case("`await aget` that fills memory", ("aget", "redis"), filling),
    Case("`await aset`", ("aset",), stored),
)
TAKING_PART: Final = rivals.able("aget")


def steps(run: Run) -> int:
    """Return how many rounds there are."""
    return pace(run).rounds * len(CASES)


def measure(run: Run) -> Result:
    """Measure all cases on one event loop."""
    with rivals.opened(run.url, *TAKING_PART) as caches, asyncio.Runner() as runner:
        rows = [_row(case, caches, runner.run, run) for case in CASES]
    notes = [
        (
            f"Microseconds for one call, or for {AT_ONCE}; the text has 100 characters. Measured "
            "as single calls are, on one event loop."
        ),
        (
            "Backends that have no asynchronous calls of their own inherit Django's, which hand "
            "the synchronous one to a thread."
        ),
    ]
    table = Table("Calls on an event loop", "µs", rows, "less", "bars", notes)
    return Result([table], missing=rivals.missing(*TAKING_PART))


def _row(case: Case, caches: dict[str, Any], runs: Runs, run: Run) -> Row:
    run.progress.say(case.what.replace("`", ""))
    able = [name for name in rivals.able(*case.needs) if name in caches]
    calls = {name: case.prepare(caches[name], rivals.RIVALS[name], runs) for name in able}
    if case.prepare is hit:
        calls[OWN_GET] = Call("cache.get('key')", {"cache": caches[rivals.OURS]})
    figures = microseconds(calls, pace(run), run.progress)
    shown = ratios(figures, only=[OWN_GET, rivals.LOCMEM, rivals.CASHEWS, rivals.DJANGO_REDIS])
    return Row(case.what, {**figures}, shown, case.goal)


async def _stored(cache: Any) -> float:
    await cache.aset("key", TEXT)
    return float(await cache.aget("key") == TEXT)


PART = Part("asyncio", "An event loop", steps, measure)
