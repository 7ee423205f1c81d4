"""How well processes agree: delivery of changes, staleness of reads, and what outages cost.

    python -m benchmarks.coherence [--seconds N] [--processes N] [--seed N] [--faults KIND …]

Starts a Valkey server of its own for each kind of fault, lets processes make random calls on few
keys (half of the processes synchronously, half in several tasks on an event loop), and holds every
read against everything that was written. Prints Markdown tables; ends with 1 if a promise was
broken, and says which read it was.

For the whole of a run: none; kill-subscribers (CLIENT KILL TYPE pubsub twice a second); cut (all
connections broken twice a second); delay (replies and messages held back by up to 30 ms).
For a quarter of it, after a third: freeze (SIGSTOP); pause (CLIENT PAUSE); restart (SIGKILL, then
an empty server); blackhole (nothing comes through); half-open (requests come through, replies and
messages do not); strand (open connections fall silent for good, new ones work); password (restart,
with a password that nobody has); full (maxmemory, noeviction; subscriptions broken halfway).

What is judged when (`benchmarks.coherence_judge` has the rules):

- Before, after and without a fault, and in "full" for keys that the node has not changed: no read
  is older than the newest write acknowledged before it began, plus the bound.
- From the moment when a node's log says that Redis is away or read-only until it says "back": its
  reads show nothing that had been replaced before, and nothing older than its own changes. While
  all nodes are so cut off, what a node wrote in the outage is there.
- From each node's "back" on, for all nodes: what that node changed in the outage shows neither
  the value of before nor that of the outage.
- Counters are judged between outages; at the end every node says of every key what Redis says.

A silence on one connection, while new ones work, is measured apart ("half-open subscriber"): a
node that asks Redis for nothing notices it by the heartbeat alone.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.coherence_faults import FAULTS, Scene, show, try_out
from benchmarks.coherence_figures import judged, three, times
from benchmarks.coherence_history import LOST, event_times, quantile
from benchmarks.coherence_team import Team
from benchmarks.coherence_terms import MS, now

BOUND_MS = 100.0
"""Staleness that counts as beyond what delivery takes, where the process was run.

A message leaves the server together with the write's acknowledgement. The thread that hears it
waits for Python: a switch interval of 5 ms for each thread that wants to run, of which a worker
has three (calls, pulse, keeper). That thread's turn on a core comes after those of the others:
with eight workers, the server and the parent on two cores four each, at the kernel's slice of
3 ms; and it may be sent to the end of both queues once for each of the three waits (for the core,
for Python, for the core again). 3 x (5 x 3 + 4 x 3) = 81 ms. What the machine does on top of that
is measured, not guessed (`Pulse`).
"""

NEWS_PER_SECOND = 50
"""Values whose delivery is timed, for each second of a run."""

READERS = 4
"""Processes whose subscriptions fall silent."""

BEFORE_SILENCE = 2.0
AFTER_SILENCE = 8.0
"""Seconds; the heartbeat is 5 s."""


def deliveries(reader: str, count: int) -> tuple[list[float], list[float]]:
    """Time how long news take from one process to another, in milliseconds, in rising order.

    Returns:
        From the end of the write, which may come after the news, and from its begin; each to
        the begin of the first look that finds the news.
    """
    show(f"delivery to a {reader}", 0, 1)
    scene = Scene("delivery")
    try:
        roles = ["writer", reader]
        with Team(f"{scene.server.url}/0", roles, count=count, seconds=count * 0.05) as team:
            team.go()
            writer, watcher = team.finish()
    finally:
        scene.close()
    news = [(value, begin) for _, value, begin, _ in watcher.reads if value is not None]
    from_end, from_begin, position = [], [], 0
    for _, number, begin, end in writer.writes:
        while position < len(news) and news[position][0] < (number or 0):
            position += 1
        if position < len(news):
            from_end.append((news[position][1] - end) / MS)
            from_begin.append((news[position][1] - begin) / MS)
    return sorted(from_end), sorted(from_begin)


def silences(seed: int) -> list[float]:
    """Time how long nodes trust a subscription that fell silent, in milliseconds.

    They read one key, from memory, so nothing but the heartbeat can tell them.
    """
    scene = Scene("half-open subscriber")
    try:
        with Team(
            f"{scene.url}/0",
            ["writer", *["reader"] * READERS],
            elsewhere={"writer": f"{scene.server.url}/0"},
            seconds=BEFORE_SILENCE + AFTER_SILENCE,
            count=int((BEFORE_SILENCE + AFTER_SILENCE) * 300),
            seed=seed,
        ) as team:
            team.go()
            scene.wait("before", BEFORE_SILENCE)
            silent = now()
            scene.proxy.strand()
            scene.wait("silent", AFTER_SILENCE)
            _, *readers = team.finish()
    finally:
        scene.close()
    return sorted((event_times(reader, LOST, silent)[0] - silent) / MS for reader in readers)


def main() -> int:
    """Measure what is asked for and print it; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    arguments = parser.parse_args()
    count = max(int(arguments.seconds * NEWS_PER_SECOND), 1)
    _print_deliveries(
        {reader: deliveries(reader, count) for reader in ("reader", "busy reader")},
        silences(arguments.seed),
    )
    figures: dict[str, dict[str, dict[str, str]]] = {"judged": {}, "times": {}}
    broken = False
    for kind in arguments.faults:
        trial = try_out(kind, arguments.seconds, arguments.processes, arguments.seed)
        show(f"{kind}: judging", 1, 1)
        verdict = trial.verdict(BOUND_MS)
        wrong = [*verdict.wrong, *trial.wrong]
        for text in wrong[:20]:
            print(f"\nWRONG ({kind}): {text}", file=sys.stderr)
        broken = broken or bool(wrong)
        figures["judged"][kind] = judged(trial, verdict, BOUND_MS)
        figures["times"][kind] = times(trial)
    print(file=sys.stderr)
    for table in figures.values():
        _print_table(table)
    return int(broken)


def _print_deliveries(
    readers: dict[str, tuple[list[float], list[float]]], bypasses: list[float]
) -> None:
    print("\n| delivery to another process, ms | changes | p50 | p99 | max |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for reader, (from_end, from_begin) in readers.items():
        for since, delays in (("the write's return", from_end), ("its begin", from_begin)):
            cells = " | ".join(f"{quantile(delays, share):.2f}" for share in (0.5, 0.99, 1))
            print(f"| to a {reader}, from {since} | {len(delays)} | {cells} |")
    print(f"\nA half-open subscriber to bypass, p50 / p99 / max, ms: {three(bypasses)}\n")


def _print_table(rows: dict[str, dict[str, str]]) -> None:
    names = next(iter(rows.values()))
    print(f"| fault | {' | '.join(names)} |")
    print(f"| --- | {' | '.join('---:' for _ in names)} |")
    for kind, cells in rows.items():
        print(f"| {kind} | {' | '.join(cells.values())} |")
    print()


if __name__ == "__main__":
    sys.exit(main())
