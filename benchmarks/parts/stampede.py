"""How many loads one missing key causes when many ask for it at once, and how long they wait."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis

from benchmarks.loading_rivals import CASHEWS, TIERCACHE, is_installed
from benchmarks.loading_workers import Config, crowd, loaders
from benchmarks.part import Figure, Goal, Part, Result, Row, Run, Table

ROUNDS, QUICK_ROUNDS = 3, 1
CALLERS = 200
PROCESSES = 4
LOAD = 0.2
"""Seconds that a load takes."""

_DATABASE: Final = 8
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    # A pause of the machine must not look like an outage.
    TIERCACHE: {"TIME_BUDGET": 10},
    # redis-py's own bound is 100 connections, and each of the callers needs one.
    "django-redis": {"CONNECTION_POOL_KWARGS": {"max_connections": CALLERS}},
}
"""`OPTIONS` of the caches."""


class Case(NamedTuple):
    """Who asks: so many processes, with threads or tasks, and which caches they ask."""

    what: str
    processes: int
    tasks: bool
    rivals: tuple[str, ...]


_THREADS: Final = (TIERCACHE, "LocMemCache", "django-redis")
_SHARED: Final = (TIERCACHE, "django-redis")
_EACH: Final = CALLERS // PROCESSES

CASES: Final = (
    Case(f"{CALLERS} threads", 1, tasks=False, rivals=_THREADS),
    Case(f"{CALLERS} tasks", 1, tasks=True, rivals=(*_THREADS, CASHEWS)),
    Case(f"{PROCESSES} processes, {_EACH} threads each", PROCESSES, tasks=False, rivals=_SHARED),
    Case(
        f"{PROCESSES} processes, {_EACH} tasks each",
        PROCESSES,
        tasks=True,
        rivals=(*_SHARED, CASHEWS),
    ),
)


class Outcome(NamedTuple):
    """One stampede: how often the value was loaded, and the seconds until all were answered."""

    loads: int
    seconds: float


def measure(run: Run) -> Result:
    """Let each case's caches have their stampedes, in turns."""
    loads, waits = [], []
    for case in CASES:
        rivals = [rival for rival in case.rivals if is_installed(rival)]
        outcomes: dict[str, list[Outcome]] = {rival: [] for rival in rivals}
        for _ in range(_rounds(run)):
            for rival in rivals:
                run.progress.say(f"{case.what}, {rival}")
                outcomes[rival].append(stampede(run.url, case, rival))
                run.progress.step()
        loads.append(_row(case, {name: [each.loads for each in outcomes[name]] for name in rivals}))
        waits.append(
            _row(case, {name: [each.seconds for each in outcomes[name]] for name in rivals})
        )
    for row in loads:
        row.goal = Goal(most=1)
    tables = [
        Table("Loads of one missing key", "loads", loads, plot="bars", notes=[_HOW, _BY_HAND]),
        Table("Until all callers are answered", "s", waits, notes=[f"A load takes {LOAD} s."]),
    ]
    return Result(tables, missing=missing())


_HOW: Final = (
    f"{CALLERS} callers ask for one key at once, by `get_or_set` or `aget_or_set`. One process: "
    "LocMemCache and cashews in memory, the others on Valkey; several share that Valkey. cashews "
    "has its decorator with `lock=True`, and no threads."
)
_BY_HAND: Final = (
    "Django's own `aget_or_set`, which LocMemCache and django-redis have, cannot await what loads: "
    "for their tasks it is written out as `aget`, load, `aset`."
)


def stampede(url: str, case: Case, rival: str) -> Outcome:
    """Let the callers ask for a key that nobody has.

    Raises:
        RuntimeError: a caller was not answered with the value.
    """
    with redis.Redis.from_url(f"{url}/{_DATABASE}") as client:
        client.flushdb()
    each = CALLERS // case.processes
    threads, tasks = (0, each) if case.tasks else (each, 0)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "loads"
        place, options = _place(url, case, rival)
        config = Config(place, threads, tasks, str(log), LOAD, options=options, rival=rival)
        with crowd(case.processes, config) as workers:
            workers.go()
            got = workers.finish()
        answers = sum((one.answers for one in got), Counter())
        if answers != {"value": CALLERS}:
            raise RuntimeError(f"{rival}, {case.what}: the callers got {dict(answers)}")
        return Outcome(len(loaders(log)), max(one.slowest for one in got))


def _place(url: str, case: Case, rival: str) -> tuple[str, dict[str, Any]]:
    """Return where a cache has its values, and its options."""
    in_memory = rival == "LocMemCache" or (rival == CASHEWS and case.processes == 1)
    return "" if in_memory else f"{url}/{_DATABASE}", _OPTIONS.get(rival, {})


def _row(case: Case, values: dict[str, list[float]]) -> Row:
    figures: dict[str, Figure | None] = {
        name: Figure(statistics.median(of), min(of), max(of), len(of))
        for name, of in values.items()
    }
    medians = {name: statistics.median(of) for name, of in values.items()}
    first, *others = medians
    return Row(case.what, figures, {name: medians[first] / medians[name] for name in others})


def missing() -> dict[str, str]:
    """Return who cannot take part, and why."""
    names = dict.fromkeys(name for case in CASES for name in case.rivals)
    return {name: f"{name} is not installed" for name in names if not is_installed(name)}


def _rounds(run: Run) -> int:
    return QUICK_ROUNDS if run.quick else ROUNDS


def _steps(run: Run) -> int:
    return _rounds(run) * sum(is_installed(rival) for case in CASES for rival in case.rivals)


PART: Final = Part("stampede", "Stampede", _steps, measure)
