"""How soon all nodes know of a change when there are many of both, and what that costs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.coherence_history import quantile
from benchmarks.part import Figure, Goal, Part, Result, Row, Run, Table
from benchmarks.parts.nodes_judge import deliveries, periods, stale
from benchmarks.parts.nodes_team import Seen, work
from benchmarks.parts.nodes_terms import KEYS, STEP, Config

NODES: Final = (1, 10, 25, 50)
QUICK_NODES: Final = (1, 10, 50)
RATE: Final = 2000
SECONDS, QUICK_SECONDS = 6.0, 2.0

PERIODS: Final = 3
"""Parts of a run that count as its rounds."""

GOAL_MS: Final = 50.0

NEARLY: Final = 0.98
"""Of the rate: its last writes are not due before the time is over."""

_DATABASE: Final = 9


def measure(run: Run) -> Result:
    """Let one process write to more and more nodes."""
    seen = {}
    for count in _counts(run):
        run.progress.say(f"{count} nodes")
        seconds = QUICK_SECONDS if run.quick else SECONDS
        seen[count] = work(Config(f"{run.url}/{_DATABASE}", count, RATE, seconds))
        run.progress.step()
    return Result(tables(seen))


def tables(seen: Mapping[int, Seen]) -> list[Table]:
    """Return the delivery times, and the cost, by the number of nodes."""
    return [
        Table(
            "From a write to the copies on the nodes",
            "ms",
            [delivery_row(count, of) for count, of in seen.items()],
            plot="lines",
            notes=[_HOW, _TIMES],
        ),
        Table(
            "Writes that were made meanwhile",
            "a second",
            [rate_row(count, of) for count, of in seen.items()],
            "more",
            notes=[_RATE],
        ),
        Table(
            "What telling the nodes costs",
            "µs of processor time",
            [cost_row(count, of) for count, of in seen.items()],
            notes=[_COST],
        ),
    ]


_HOW: Final = (
    f"One process writes {KEYS:,} keys one after the other by `cache.set`, {RATE:,} a second if it "
    "can; the nodes, one process each, hold all of them. All run on this machine, with the server: "
    "where its processors are not enough, times are those of an overloaded machine."
)
_TIMES: Final = (
    f"Times are from before the write until a node's copy was gone and its tickets void, for one "
    f"key in {STEP}, on all nodes; they are medians of {PERIODS} periods of one run, with the "
    "least and the most. Lost: changes that a node was never told of, of all. Stale: copies that a "
    "node still held at the end although the value was another. Both must be 0."
)
_RATE: Final = (
    f"Each is sent when it is due, {RATE:,} a second, by one of four threads; a thread waits for "
    "the answer, so a server that is kept waiting for a processor gets fewer."
)
_COST: Final = (
    "Per message: the processor time of a node divided by what it heard. Per write: that of the "
    "writer, which is a node, too, and hears its own messages. The server's is for one write, with "
    "telling all nodes; beside it, what it sent. Memory is what a node has of its own: nodes are "
    "forked, and have the rest in common."
)


def delivery_row(count: int, seen: Seen) -> Row:
    """Return the times of one run, and what was lost."""
    found = [deliveries(seen.written.watched, node.watched) for node in seen.heard]
    parts = periods([one for node in found for one in node.times], PERIODS)
    late = sum(seconds * 1e3 > GOAL_MS for part in parts for seconds in part)
    figures: dict[str, Figure | None] = {
        name: _figure([quantile(part, share) * 1e3 for part in parts])
        for name, share in (("p99", 0.99), ("p50", 0.5), ("max", 1.0))
    }
    return Row(
        _of(count),
        figures,
        goal=Goal(most=GOAL_MS) if figures["p99"] else None,
        plain={
            "x": count,
            "writes/s": seen.written.count / seen.written.seconds,
            "samples": sum(map(len, parts)),
            f"over {GOAL_MS:.0f} ms": late,
            "lost": lost(seen),
            "stale": sum(stale(node.held, seen.values) for node in seen.heard),
        },
    )


def rate_row(count: int, seen: Seen) -> Row:
    """Return how many writes a second there were, without which the times say little."""
    rate = seen.written.count / seen.written.seconds
    return Row(_of(count), {"reached": _one(rate)}, goal=Goal(least=NEARLY * RATE))


def lost(seen: Seen) -> int:
    """Return how many changes nodes were not told of, in all."""
    return sum(max(seen.written.count - node.count, 0) for node in seen.heard)


def cost_row(count: int, seen: Seen) -> Row:
    """Return what one run took, of nodes, writer and server."""
    written, nodes = seen.written, seen.heard
    each = [node.processor / node.count * 1e6 for node in nodes if node.count]
    return Row(
        _of(count),
        {
            "a node, per message": _figure(each),
            "the writer, per write": _one(written.processor / written.count * 1e6),
            "the server, per write": _one(seen.server / written.count * 1e6),
        },
        plain={
            "x": count,
            "node, % of a core": _share(statistics.median(n.processor for n in nodes), seen),
            "server, % of a core": _share(seen.server, seen),
            "writer, % of a core": _share(written.processor, seen),
            "server sends, MB/s": seen.output / written.seconds / 1e6,
            "memory of a node, MB": statistics.median(node.memory for node in nodes) / 1e6,
        },
    )


def _of(count: int) -> str:
    return f"{count} nodes" if count > 1 else "1 node"


def _share(processor: float, seen: Seen) -> float:
    return 100 * processor / seen.written.seconds


def _one(value: float) -> Figure:
    return Figure(value, value, value, 1)


def _figure(values: Sequence[float]) -> Figure | None:
    if not values:
        return None
    return Figure(statistics.median(values), min(values), max(values), len(values))


def _counts(run: Run) -> Sequence[int]:
    return QUICK_NODES if run.quick else NODES


def _steps(run: Run) -> int:
    return len(_counts(run))


PART: Final = Part("nodes", "Many nodes", _steps, measure)
