"""Figures of a trial: how soon a loss was known, what an outage cost, and how long healing took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.coherence_faults import Trial
from benchmarks.coherence_history import AWAY, BACK, JOINED, LOST, event_times, quantile
from benchmarks.coherence_terms import MS, Seen
from benchmarks.coherence_verdict import Verdict

SOON = 10_000 * MS
"""What a node says later than this after a loss is about something else."""


def bypass_times(trial: Trial) -> list[float]:
    """Return the milliseconds from each loss until a node trusts its memory no more.

    While Redis is away memory answers on purpose, so an open breaker ends the wait as well.
    """
    moments = [window.gone for window in trial.windows] or [at for at, _ in trial.losses]
    return _delays(moments, trial.seen, (LOST, *AWAY))


def rejoin_times(trial: Trial) -> list[float]:
    """Return the milliseconds from each broken subscription to the next one."""
    return _delays([at for at, _ in trial.losses], trial.seen, (JOINED,))


def heal_times(trial: Trial) -> list[float]:
    """Return for each node the milliseconds from the server's return until all is trusted."""
    return sorted(
        (_healed(seen, window.back) - window.back) / MS
        for window in trial.windows
        for seen in trial.seen
    )


def _healed(seen: Seen, back: int) -> int:
    """Return when a node had last come to hear changes, or to trust Redis."""
    return max(
        (at for name in (JOINED, BACK) for at in event_times(seen, name, back)), default=back
    )


def _delays(moments: Iterable[int], team: Sequence[Seen], ends: Sequence[str]) -> list[float]:
    """Return how long after each moment a process first said one of these, if it did so soon."""
    delays = []
    for moment in moments:
        for seen in team:
            first = min((at for name in ends for at in event_times(seen, name, moment)), default=0)
            if 0 < first < moment + SOON:
                delays.append((first - moment) / MS)
    return sorted(delays)


def outage_costs(trial: Trial) -> tuple[list[float], list[float]]:
    """Return what calls took in the outage, in ms: all until the breaker opened, then each `get`.

    A call that was under way when the server went counts as well.
    """
    before, after = [], []
    for window in trial.windows:
        for seen in trial.seen:
            opened = min(
                (at for name in AWAY for at in event_times(seen, name, window.gone)),
                default=window.back,
            )
            reads = Counter((begin, end) for _, _, begin, end in seen.reads)
            calls = {(begin, end) for _, _, begin, end in (*seen.writes, *seen.sums, *seen.looks)}
            before += [
                (end - begin) / MS
                for begin, end in {*reads, *calls}
                if end > window.gone and begin < opened
            ]
            # Three keys with one begin and end were a `get_many`.
            gets = [moment for moment, keys in reads.items() if keys == 1]
            after += [
                (end - begin) / MS for begin, end in gets if begin > opened and end < window.lifted
            ]
    return sorted(before), sorted(after)


def judged(trial: Trial, verdict: Verdict, bound_ms: float) -> dict[str, str]:
    """Return what is said of a trial's reads, by the name of the column."""
    return {
        "reads": f"{verdict.checked:,}",
        "in an outage": f"{verdict.alone:,}",
        "stale": f"{len(verdict.stale):,}",
        "by, p50 / p99 / max, ms": three(verdict.stale),
        "bound, ms": f"{bound_ms + trial.delay_ms:.0f}",
        "beyond, not run": str(verdict.excused),
        "beyond": str(len(verdict.beyond)),
        "older than own": str(len(verdict.own)),
        "own lost": str(len(verdict.lost)),
        "miscounted": str(len(verdict.miscounted)),
        "not as Redis at the end": str(len(trial.wrong)),
    }


def times(trial: Trial) -> dict[str, str]:
    """Return what a trial says of times, by the name of the column; each p50 / p99 / max."""
    before, after = outage_costs(trial)
    return {
        "loss to bypass, ms": three(bypass_times(trial)),
        "to subscribed again, ms": three(rejoin_times(trial)),
        "back to healed, ms": three(heal_times(trial)),
        "call before the breaker opens, ms": three(before),
        "get after that, µs": three([each * 1000 for each in after]),
    }


def three(rising: Sequence[float]) -> str:
    """Return the median, the 99th percentile and the maximum."""
    if not rising:
        return "-"
    return " / ".join(f"{quantile(rising, share):,.2f}" for share in (0.5, 0.99, 1))
