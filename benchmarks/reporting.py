"""What it costs a hit in memory that its process reports about itself and samples its hits.

    python -m benchmarks.reporting [--quick] [--json FILE]

Two caches of one process take turns, round by round: one that reports every second, five times as
often as it would, and one that does not report. The figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from .measuring import Call, Pace, microseconds
from .parts.calls import TEXT, small
from .parts.cases import hit, many
from .rivals import OURS, RIVALS, Rival
from .running import Bar, server

ROUNDS = 60
SECONDS_PER_SAMPLE = 0.5

BACKEND = "tiercache.backend.TieredCache"
ALIASES = ("default", "silent")

CASES: dict[str, Callable[[Any, Rival], Call]] = {
    "get, 100 characters": hit(lambda: TEXT),
    "get, small dict": hit(small),
    "get_many of 10": many,
}


def configure(url: str) -> None:
    """Set Django up with the two caches; each has a database of its own, so a store."""
    settings.configure(
        CACHES={
            "default": {"BACKEND": BACKEND, "LOCATION": f"{url}/0", "OPTIONS": {"REPORT": 1.0}},
            "silent": {"BACKEND": BACKEND, "LOCATION": f"{url}/1", "OPTIONS": {"REPORT": None}},
        }
    )
    django.setup()


def run(pace: Pace) -> list[dict[str, Any]]:
    """Measure each case, both caches in turn in each round."""
    from django.core.cache import caches

    rows = []
    bar = Bar()
    bar.expect(pace.rounds * len(CASES))
    for name, prepare in CASES.items():
        bar.begin(name, pace.rounds)
        calls = {alias: prepare(caches[alias], RIVALS[OURS]) for alias in ALIASES}
        figures = microseconds(calls, pace, bar)
        medians = {alias: figure.median for alias, figure in figures.items()}
        rows.append(
            {"case": name, "microseconds": medians, "ratio": medians["default"] / medians["silent"]}
        )
    bar.close()
    return rows


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, noisier")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    with server() as url:
        configure(url)
        rows = run(Pace(20, 0.15) if arguments.quick else Pace(ROUNDS, SECONDS_PER_SAMPLE))
    print("| µs | reports | does not report | ratio |\n| --- | ---: | ---: | ---: |")
    for row in rows:
        one, other = (row["microseconds"][alias] for alias in ALIASES)
        print(f"| {row['case']} | {one:.3f} | {other:.3f} | {row['ratio']:.3f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
