"""How many gets are hits when memory is too small for everything: the policy, not the speed."""

from __future__ import annotations

import importlib.util
import os
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final, NamedTuple

from benchmarks.part import Figure, Goal, Part, Result, Row, Run, Table
from benchmarks.parts import hit_ratio_traces as traces
from benchmarks.parts.hit_ratio_policies import LRU, OPTIMUM, OURS, PLAYERS, THEINE

SHARES: Final = (0.01, 0.1)
"""The memory's room, as a share of the distinct keys."""

LEAST_OF_OPTIMUM: Final[Mapping[float, float]] = {0.01: 0.8, 0.1: 0.9}
"""What share of the optimum's hits the goal is, on average over the shared traces."""

QUICK_PLAYERS: Final = (OURS, LRU, OPTIMUM)
"""Who plays with `--quick`: those of the goals. Traces are never cut, which would make others."""

HOW: Final = (
    "Every access is a get, and a miss is followed by a set. Rows say how many entries memory has "
    "room for, as a share of the trace's distinct keys. tiercache is its own memory tier, "
    "LocMemCache Django's own with `MAX_ENTRIES`; LRU is exact; the optimum is Belady's MIN, which "
    "knows what comes next. Each trace is played once: chance has little part in it. Only theine "
    "keeps account in buffers that are emptied by and by, so it varies by a point or two."
)
ORIGIN: Final = (
    "web07, web12 and orm-busy are traces of real systems, by headissue GmbH, Jens Wilke "
    "(cache2k-benchmark traces), as carried by the Caffeine simulator; CC BY 4.0."
)


class Job(NamedTuple):
    """A trace, how much memory there is, and who plays it."""

    trace: str
    share: float
    player: str


def play(job: Job) -> float:
    """Return the hits of one player in percent of the accesses."""
    keys = traces.trace(job.trace)
    room = max(1, int(len(set(keys)) * job.share))
    return 100 * PLAYERS[job.player](keys, room) / len(keys)


def measure(run: Run) -> Result:
    """Play all traces, in two processes."""
    hits: dict[Job, float] = {}
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), get_context("spawn")) as processes:
        playing = {processes.submit(play, job): job for job in jobs(quick=run.quick)}
        for done in as_completed(playing):
            job = playing[done]
            hits[job] = done.result()
            run.progress.say(f"{job.trace}, {job.player}")
            run.progress.step()
    return Result(tables(hits), notes(quick=run.quick), missing())


def jobs(*, quick: bool) -> list[Job]:
    """Return what is to be played, the long traces first."""
    players = [name for name in PLAYERS if name in QUICK_PLAYERS or not quick]
    if not _has_theine():
        players = [name for name in players if name != THEINE]
    names = [*reversed(traces.recorded()), *traces.MADE]
    return [Job(name, share, player) for name in names for share in SHARES for player in players]


def tables(hits: Mapping[Job, float]) -> list[Table]:
    """Return the hits on recorded traces, next to the optimum's, and on those that are made."""
    found = []
    if recorded := rows(hits, traces.recorded()):
        title = "Hits on traces of real systems"
        found.append(Table(title, "% of all gets", recorded, "more", "bars", [ORIGIN]))
    if set(traces.SHARED) <= {job.trace for job in hits}:
        found.append(of_optimum(hits))
    made = rows(hits, list(traces.MADE))
    return [*found, Table("Hits on traces that are made", "% of all gets", made, "more", "bars")]


def notes(*, quick: bool) -> list[str]:
    """Say how it was played."""
    left_out = f"With `--quick` only {', '.join(QUICK_PLAYERS)} are played."
    return [HOW, *([left_out] if quick else [])]


def rows(hits: Mapping[Job, float], names: Sequence[str]) -> list[Row]:
    """Return a line for each trace and memory; its goal is to be no worse than LRU."""
    found = []
    for trace in names:
        for share in SHARES:
            by = _by_player(hits, trace, share)
            if not by:
                continue
            figures: dict[str, Figure | None] = {name: Figure(x, x, x, 1) for name, x in by.items()}
            others = {name: by[OURS] / by[name] for name in (LRU, OPTIMUM) if by[name]}
            goal = Goal(LRU, least=1.0) if LRU in others else None
            found.append(Row(f"{trace}, {share:.0%}", figures, others, goal))
    return found


def of_optimum(hits: Mapping[Job, float]) -> Table:
    """Return how near to the optimum everybody comes, on average over the shared traces."""
    lines = []
    for share, least in LEAST_OF_OPTIMUM.items():
        played = [_by_player(hits, trace, share) for trace in traces.SHARED]
        figures: dict[str, Figure | None] = {
            name: _mean([100 * by[name] / by[OPTIMUM] for by in played])
            for name in PLAYERS
            if name in played[0]
        }
        medians = {name: figure.median for name, figure in figures.items() if figure}
        others = {name: medians[OURS] / medians[name] for name in (LRU, OPTIMUM)}
        lines.append(Row(f"memory of {share:.0%}", figures, others, Goal(OPTIMUM, least=least)))
    note = f"The mean over {', '.join(traces.SHARED)}; the spread is from the least to the most."
    return Table("Hits next to the optimum's", "% of the optimum", lines, "more", notes=[note])


def _by_player(hits: Mapping[Job, float], trace: str, share: float) -> dict[str, float]:
    """Return one trace's hits by player, in the players' order."""
    played = {job.player: job for job in hits if (job.trace, job.share) == (trace, share)}
    return {name: hits[played[name]] for name in PLAYERS if name in played}


def _mean(values: Sequence[float]) -> Figure:
    return Figure(statistics.mean(values), min(values), max(values), len(values))


def missing() -> dict[str, str]:
    """Return who and what cannot take part, and why."""
    gone = {}
    if absent := set(traces.SHARED) - set(traces.recorded()):
        gone[f"traces {', '.join(sorted(absent))}"] = (
            f"no folder with {', '.join(sorted(name + traces.SUFFIX for name in absent))} is named "
            f"by the environment variable {traces.VARIABLE}, so no average over them is shown"
        )
    if not _has_theine():
        gone[THEINE] = "theine is not installed"
    return gone


def _has_theine() -> bool:
    return importlib.util.find_spec("theine") is not None


def _steps(run: Run) -> int:
    return len(jobs(quick=run.quick))


PART: Final = Part("hit-ratio", "Hit ratio", _steps, measure)
