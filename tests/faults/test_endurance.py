"""Nothing grows with time: the short form of `python -m benchmarks.endurance`, and its scales."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.endurance_gauges import GAUGES, Bench, Peaks, table

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS = 100_000
ROOT = Path(__file__).parents[2]


def test_nothing_grows_under_faults() -> None:
    """In a process of its own: memory, sockets, threads and every table end where they began."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.endurance", "--operations", str(OPERATIONS)],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0
    for gauge in GAUGES:
        assert f"| {gauge.name} |" in ran.stdout


def test_what_grew_is_named() -> None:
    """One more than is allowed, of each thing that is measured."""
    before = [100.0] * len(GAUGES)
    lines, wrong = table(before, [gauge.allowed(100.0) for gauge in GAUGES], Peaks(None))
    assert (len(lines), wrong) == (len(GAUGES) + 2, [])
    _, wrong = table(before, [gauge.allowed(100.0) + 1 for gauge in GAUGES], Peaks(None))
    assert [text.partition(":")[0] for text in wrong] == [gauge.name for gauge in GAUGES]


def test_a_bound_that_was_passed_is_named(make_cache: Callable[..., Any]) -> None:
    """Once is enough, whatever it is at the end."""
    cache = make_cache(OPTIONS={"MAX_ENTRIES": 50})
    peaks = Peaks(cache)
    peaks.look()
    node = SimpleNamespace(options=SimpleNamespace(max_entries=50, max_bytes=100))
    stats = SimpleNamespace(entries=51, bytes=100, journaled=0)
    peaks.cache = SimpleNamespace(stats=lambda: stats, _node=node)
    peaks.look()
    stats.entries = 3
    peaks.look()
    values = [0.0] * len(GAUGES)
    assert table(values, values, peaks)[1] == [
        "entries in memory, the most seen: 51, where 50 are allowed"
    ]


def test_the_scales_see_what_a_node_holds(make_cache: Callable[..., Any]) -> None:
    """A key in the journal and a connection left open show."""
    cache = make_cache()
    cache.get("missing")
    scales = {gauge.name: gauge for gauge in GAUGES}
    bench = Bench(None, cache)
    assert scales["journaled keys"].read(bench) == 0
    assert scales["idle connections"].read(bench) == 1
    before = scales["file descriptors"].read(bench)
    cache._node.health.journal.note(["key"])
    with Path(__file__).open():
        assert scales["file descriptors"].read(bench) == before + 1
    assert scales["journaled keys"].read(bench) == 1
