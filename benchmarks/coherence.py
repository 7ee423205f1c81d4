"""How well processes agree: delivery of changes, staleness of reads, and what outages cost.

    python -m benchmarks.coherence [--seconds N] [--processes N] [--faults KIND …]

Starts a Valkey server of its own for each kind of fault, lets processes make random calls on few
keys, and holds every read against everything that was written. Kinds: none; kill-subscribers
(CLIENT KILL TYPE pubsub twice a second); freeze (SIGSTOP for a quarter of the time); restart
(SIGKILL, and an empty server after a quarter of the time). Prints Markdown tables.

Reads in an outage are each node's own by promise; judged are those before it and those after
every node has healed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.coherence_history import (
    MS,
    Team,
    Verdict,
    disagreements,
    event_times,
    judge,
    pause_until,
    quantile,
)
from benchmarks.coherence_workers import Seen
from tests.support.servers import Valkey

BOUND_MS = 100.0
"""Staleness that counts as beyond what delivery takes."""

BETWEEN_KILLS = 0.5
"""Seconds."""

NEWS_PER_SECOND = 50
"""Values whose delivery is timed, for each second of a run."""

now = time.monotonic_ns


@dataclass(slots=True)
class Trial:
    """One run under one kind of fault.

    Attributes:
        seen: what each process saw.
        kills: when subscribers had been killed.
        gone: when the server had been taken away, 0 if it never was.
        back: when it was there again.
        wrong: what nodes say at the end where Redis says otherwise.
    """

    seen: list[Seen] = field(default_factory=list)
    kills: list[int] = field(default_factory=list)
    gone: int = 0
    back: int = 0
    wrong: list[str] = field(default_factory=list)


Fault = Callable[[Valkey, Trial, float], None]


def none(server: Valkey, trial: Trial, seconds: float) -> None:  # noqa: ARG001
    """Do nothing."""
    _wait("none", seconds)


def kill_subscribers(server: Valkey, trial: Trial, seconds: float) -> None:
    """Cut every subscription again and again."""
    begun = time.monotonic()
    for kill in range(1, int(seconds / BETWEEN_KILLS)):
        _show("kill-subscribers", kill * BETWEEN_KILLS, seconds)
        pause_until(begun + kill * BETWEEN_KILLS)
        trial.kills.append(now())
        server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


def freeze(server: Valkey, trial: Trial, seconds: float) -> None:
    """Stop the server where it is, and let it go on later."""
    _wait("freeze: before", seconds / 3)
    trial.gone = now()
    server.freeze()
    _wait("freeze: frozen", seconds / 4)
    server.thaw()
    trial.back = now()
    _wait("freeze: after", seconds - seconds / 3 - seconds / 4)


def restart(server: Valkey, trial: Trial, seconds: float) -> None:
    """Kill the server and start an empty one later."""
    _wait("restart: before", seconds / 3)
    trial.gone = now()
    server.kill()
    _wait("restart: gone", seconds / 4)
    server.start()
    trial.back = now()
    _wait("restart: after", seconds - seconds / 3 - seconds / 4)


FAULTS: dict[str, Fault] = {
    "none": none,
    "kill-subscribers": kill_subscribers,
    "freeze": freeze,
    "restart": restart,
}


def try_out(kind: str, seconds: float, processes: int, seed: int) -> Trial:
    """Run processes under a fault, on a server of their own."""
    server, trial = Valkey(), Trial()
    try:
        with Team(f"{server.url}/0", ["churn"] * processes, seconds=seconds, seed=seed) as team:
            team.go()
            FAULTS[kind](server, trial, seconds)
            trial.seen = team.finish()
        trial.wrong = disagreements(trial.seen, lambda key: _truth(server, key))
    finally:
        server.close()
    return trial


def _truth(server: Valkey, key: str) -> int | None:
    raw = server.client.get(f"coherence:1:{key}")
    return None if raw is None else int(raw)


def deliveries(reader: str, count: int) -> tuple[list[float], list[float]]:
    """Time how long news take from one process to another, in milliseconds, in rising order.

    Returns:
        From the end of the write, which may come after the news, and from its begin; each to
        the begin of the first look that finds the news.
    """
    _show(f"delivery to a {reader}", 0, 1)
    server = Valkey()
    try:
        seconds = count * 0.05
        with Team(f"{server.url}/0", ["writer", reader], count=count, seconds=seconds) as team:
            team.go()
            writer, watcher = team.finish()
    finally:
        server.close()
    news = [(value, begin) for _, value, begin, _ in watcher.reads if value is not None]
    from_end, from_begin, position = [], [], 0
    for _, number, begin, end in writer.writes:
        while position < len(news) and news[position][0] < (number or 0):
            position += 1
        if position < len(news):
            from_end.append((news[position][1] - end) / MS)
            from_begin.append((news[position][1] - begin) / MS)
    return sorted(from_end), sorted(from_begin)


# Figures


def bypass_times(trial: Trial) -> list[float]:
    """Return the milliseconds from each loss until a node trusts its memory no more.

    While Redis is away memory answers on purpose, so an open breaker ends the wait as well.
    """
    ends = ("tiercache.backplane.lost", "tiercache.redis.away")
    return _delays([trial.gone] if trial.gone else trial.kills, trial.seen, ends)


def rejoin_times(trial: Trial) -> list[float]:
    """Return the milliseconds from each killed subscription to the next one."""
    return _delays(trial.kills, trial.seen, ("tiercache.backplane.joined",))


def heal_times(trial: Trial) -> list[float]:
    """Return for each node the milliseconds from the server's return until all is trusted."""
    return sorted((_healed(seen, trial.back) - trial.back) / MS for seen in trial.seen)


def _healed(seen: Seen, back: int) -> int:
    """Return when a node had last come to hear changes, or to trust Redis."""
    names = ("tiercache.backplane.joined", "tiercache.redis.back")
    return max((at for name in names for at in event_times(seen, name, back)), default=back)


def _delays(moments: Iterable[int], team: Sequence[Seen], ends: Sequence[str]) -> list[float]:
    """Return how long after each moment a process first said one of these, if it did so soon."""
    delays = []
    for moment in moments:
        for seen in team:
            after = [at for name in ends for at in event_times(seen, name, moment)]
            if after:
                delays.append((min(after) - moment) / MS)
    return sorted(delays)


def outage_costs(trial: Trial) -> tuple[list[float], list[float]]:
    """Return what calls took in the outage, in ms: all until the breaker opened, then each `get`.

    A call that was under way when the server went counts as well.
    """
    before, after = [], []
    for seen in trial.seen:
        opened = min(event_times(seen, "tiercache.redis.away", trial.gone), default=trial.back)
        reads = Counter((begin, end) for _, _, begin, end in seen.reads)
        writes = {(begin, end) for _, _, begin, end in seen.writes}
        before += [(e - b) / MS for b, e in [*reads, *writes] if e > trial.gone and b < opened]
        # Three keys with one begin and end were a `get_many`.
        gets = [moment for moment, keys in reads.items() if keys == 1]
        after += [(end - begin) / MS for begin, end in gets if begin > opened and end < trial.back]
    return sorted(before), sorted(after)


def verdict_of(trial: Trial) -> Verdict:
    """Judge the reads that are the cluster's, not a lonely node's."""
    if not trial.gone:
        return judge(trial.seen, BOUND_MS)
    healed = max(_healed(seen, trial.back) for seen in trial.seen)
    before = judge(trial.seen, BOUND_MS, counts=lambda _, end: end < trial.gone)
    after = judge(
        trial.seen, BOUND_MS, counts=lambda begin, _: begin > healed, emptied=bool(trial.gone)
    )
    return Verdict(
        before.checked + after.checked,
        sorted(before.stale + after.stale),
        before.beyond + after.beyond,
        before.own + after.own,
    )


def figures(trial: Trial) -> dict[str, str]:
    """Return a column of the table."""
    verdict = verdict_of(trial)
    for wrong in [*verdict.beyond, *verdict.own, *trial.wrong][:20]:
        print(f"WRONG: {wrong}", file=sys.stderr)
    column = {
        "reads checked": f"{verdict.checked:,}",
        "stale at all": f"{len(verdict.stale):,}",
        "stale p50 / p99 / max, ms": _three(verdict.stale),
        f"stale beyond {BOUND_MS:.0f} ms": str(len(verdict.beyond)),
        "stale by an own write": str(len(verdict.own)),
        "disagreements with Redis at the end": str(len(trial.wrong)),
        "loss to bypass p50 / p99 / max, ms": _three(bypass_times(trial)),
        "loss to subscribed again p50 / p99 / max, ms": _three(rejoin_times(trial)),
    }
    if not trial.gone:
        return column
    before, after = outage_costs(trial)
    return column | {
        "server back to all healed, per node p50 / p99 / max, ms": _three(heal_times(trial)),
        "call before the breaker opens p50 / p99 / max, ms": _three(before),
        "get after it has opened p50 / p99 / max, µs": _three([each * 1000 for each in after]),
    }


def _three(rising: Sequence[float]) -> str:
    if not rising:
        return "-"
    return " / ".join(f"{quantile(rising, share):.2f}" for share in (0.5, 0.99, 1))


# The command


def main() -> int:
    """Measure what is asked for and print it; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    arguments = parser.parse_args()
    count = max(int(arguments.seconds * NEWS_PER_SECOND), 1)
    readers = {reader: deliveries(reader, count) for reader in ("reader", "busy reader")}
    columns = {}
    for kind in arguments.faults:
        trial = try_out(kind, arguments.seconds, arguments.processes, arguments.seed)
        _show(f"{kind}: judging", 1, 1)
        columns[kind] = figures(trial)
    print(file=sys.stderr)
    _print_deliveries(readers)
    _print_columns(columns)
    broken = ("stale beyond", "stale by", "disagreements")
    return int(
        any(
            figure != "0"
            for column in columns.values()
            for name, figure in column.items()
            if name.startswith(broken)
        )
    )


def _print_deliveries(readers: dict[str, tuple[list[float], list[float]]]) -> None:
    print("| delivery to another process, ms | changes | p50 | p99 | max |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for reader, (from_end, from_begin) in readers.items():
        for since, times in (("the write's return", from_end), ("its begin", from_begin)):
            cells = " | ".join(f"{quantile(times, share):.2f}" for share in (0.5, 0.99, 1))
            print(f"| to a {reader}, from {since} | {len(times)} | {cells} |")
    print()


def _print_columns(columns: dict[str, dict[str, str]]) -> None:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"| | {' | '.join(columns)} |")
    print(f"| --- | {' | '.join('---:' for _ in columns)} |")
    for name in names:
        print(f"| {name} | {' | '.join(column.get(name, '-') for column in columns.values())} |")


def _wait(what: str, seconds: float) -> None:
    """Wait, and show how far it is."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _show(what, seconds - left, seconds)
        time.sleep(min(left, 1.0))


def _show(what: str, done: float, of: float) -> None:
    print(f"\r{what:<28} {done:5.1f} of {of:.1f} s ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
