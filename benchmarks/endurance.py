"""An hour's work in miniature: nothing grows with time, whatever happens to Redis meanwhile.

    python -m benchmarks.endurance [--operations N] [--seed N]

Threads, and tasks on event loops that come and go, make random calls in this process on a Valkey
server of its own, while one fault after the other befalls it: subscribers killed, all connections
broken, refused, frozen, half-open, killed and back empty, out of memory. A tenth of the
operations warms up; then everything that could grow is measured at rest, and once more at the
end. Prints a Markdown table; ends with 1 if something grew, passed its bound, or a call raised.
"""

from __future__ import annotations

import argparse
import logging
import sys

import django
from django.conf import settings

OPTIONS = {"TIME_BUDGET": 0.2, "MAX_ENTRIES": 1000, "MAX_BYTES": 1024 * 1024, "LOAD_RETRY": 0.2}
"""Small bounds, so that entries leave all the time; a small budget, so that outages are short."""

IDLE = 0.2
"""Seconds after which a thread for loads ends; in a site it is ten."""

WARM_UP = 0.1
"""Share of the operations that come before the first measurement."""


def main() -> int:
    """Work, measure, print; 1 if something grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    from tests.support.faults import Site

    # What it says of each fault would hide the progress.
    logging.getLogger("tiercache").propagate = False
    logging.getLogger("tiercache").addHandler(logging.NullHandler())
    site = Site()
    try:
        settings.configure(
            CACHES={
                "default": {
                    "BACKEND": "tiercache.backend.TieredCache",
                    "LOCATION": f"{site.url}/0",
                    "KEY_PREFIX": "endurance",
                    "OPTIONS": OPTIONS,
                }
            }
        )
        django.setup()
        return _endure(site, arguments.operations, arguments.seed)
    finally:
        site.close()


def _endure(site: object, operations: int, seed: int) -> int:
    from django.core.cache import cache

    from benchmarks.endurance_gauges import GAUGES, Bench, Peaks, table
    from benchmarks.endurance_load import Load
    from tiercache import background

    background.IDLE = IDLE
    bench = Bench(site, cache)
    peaks = Peaks(cache)
    load = Load(site, cache, seed, peaks.look)
    bench.rest()
    load.work(int(operations * WARM_UP), "warming up")
    bench.rest()
    before = [gauge.read(bench) for gauge in GAUGES]
    load.work(operations, "at work")
    bench.rest()
    after = [gauge.read(bench) for gauge in GAUGES]
    print(file=sys.stderr)
    lines, wrong = table(before, after, peaks)
    print(f"{load.done:,} operations, {load.faults} faults\n")
    print("\n".join(lines))
    wrong += load.errors[:20]
    for text in wrong:
        print(f"WRONG: {text}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
