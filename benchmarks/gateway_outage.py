"""What callers of the gateway notice while its upstream servers fail.

    python -m benchmarks.gateway_outage [--quick] [--seconds N] [--rate N] [--json FILE]

Two upstream servers fail in every way, first one of them, in turns, then both, while callers ask
for many paths at a steady rate. Starts `manage.py gateway` with routes of its own: short lifetimes,
and much patience with what is too old. Prints a Markdown table; exits with 1 if a caller was
answered with a 5xx although there was something stale at hand (as there is for every path, all the
time), or if not all is fresh again `AGAIN` seconds after the servers are well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.gateway_outage_callers import Callers, Phase
from benchmarks.gateway_outage_upstream import FAILURES, Mode, Upstream

ROOT = Path(__file__).parent.parent
START_SECONDS, STOP_SECONDS = 40.0, 20.0

PATHS = 200
LIFE, REFRESHED, KEPT = 2, 4, 3600
"""Seconds that an answer is fresh, is served while another is fetched, and while there is none."""

AGAIN = 30.0
"""Seconds after which all is fresh again at the latest, once the servers are well."""

ROUTES = f"""
[pools.outage]
servers = "$GATEWAY_UPSTREAMS"
timeout = 1.0
back_off = 1.0
back_off_most = 4.0

[[routes]]
name = "items"
path = "/items/{{number}}"
pool = "outage"
query = []
lifetime = {LIFE}
stale_while_revalidate = {REFRESHED}
stale_if_error = {KEPT}
budget = 3.0
"""


@contextmanager
def gateway(upstreams: Sequence[Upstream], workers: int) -> Iterator[str]:
    """Run the gateway's command in front of these servers; yield its address."""
    with tempfile.TemporaryDirectory(prefix="gateway-outage-") as directory:
        routes, output = Path(directory, "routes.toml"), Path(directory, "output")
        routes.write_text(ROUTES)
        told = {
            "GATEWAY_ROUTES": str(routes),
            "GATEWAY_STATE_DIR": str(Path(directory, "state")),
            "GATEWAY_UPSTREAMS": ",".join(one.address for one in upstreams),
            "TIERCACHE_REDIS_URL": "",
        }
        with output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "gateway", "--port=0", f"--workers={workers}"],
                cwd=ROOT,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield _address(process, output)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _address(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"front page +(http://\S+)/", said := output.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the gateway did not start:\n{said}")


def plan() -> list[tuple[str, tuple[Mode, Mode]]]:
    """Return the phases: a name, and what the two servers do."""
    one: list[tuple[str, tuple[Mode, Mode]]] = [
        (f"first {mode}", (mode, "well")) if number % 2 == 0 else (f"second {mode}", ("well", mode))
        for number, mode in enumerate(FAILURES)
    ]
    both = [(f"both {mode}", (mode, mode)) for mode in FAILURES]
    # What is merely slow brings fresh answers, late, between the failures.
    return [("both well", ("well", "well")), *one, *both]


async def run(upstreams: Sequence[Upstream], callers: Callers, seconds: float) -> list[Phase]:
    """Go through all phases, and wait in the last one until all paths are fresh."""
    phases = []
    await callers.once()
    callers.start()
    for name, modes in plan():
        phases.append(await _phase(name, modes, upstreams, callers, seconds))
    phases.append(await _phase("all well again", ("well", "well"), upstreams, callers, None))
    await callers.stop()
    return phases


async def _phase(
    name: str,
    modes: Sequence[Mode],
    upstreams: Sequence[Upstream],
    callers: Callers,
    seconds: float | None,
) -> Phase:
    """Let one phase pass; without `seconds` it takes until all is fresh."""
    print(f"\r{name:<30}", end="", file=sys.stderr, flush=True)
    for upstream, mode in zip(upstreams, modes, strict=True):
        await upstream.become(mode)
    before, begun = [upstream.asked for upstream in upstreams], time.monotonic()
    callers.phase = phase = Phase(name)
    if seconds is None:
        callers.since = begun
        with suppress(TimeoutError):
            await asyncio.wait_for(callers.all_fresh.wait(), AGAIN)
    else:
        await asyncio.sleep(seconds)
    phase.seconds = time.monotonic() - begun
    phase.asked = tuple(one.asked - was for one, was in zip(upstreams, before, strict=True))
    return phase


def report(phases: Sequence[Phase], again: Sequence[float]) -> str:
    """Write the table in Markdown, and when all was fresh again."""
    names = (
        "upstream servers",
        "requests",
        "5xx or none",
        "stale",
        "oldest, s",
        "p50 / p99 / max, ms",
        "requests/s at the first, second",
    )
    lines = [f"| {' | '.join(names)} |", "| --- |" + " ---: |" * (len(names) - 1)]
    lines += [_row(phase) for phase in phases]
    told = f"first {again[0]:.2f} s, last {again[-1]:.2f} s" if again else "never"
    lines += [f"\n{phase.name}: {phase.failure}" for phase in phases if phase.failure]
    lines += ["", f"Fresh after the servers were well: {len(again)} of {PATHS} paths; {told}."]
    return "\n".join(lines)


def _row(phase: Phase) -> str:
    total = len(phase.times)
    times = " / ".join(f"{phase.quantile(share) * 1e3:.1f}" for share in (0.5, 0.99, 1))
    # A connection that is refused is no request, so there is nothing to count.
    refused = {"first refuses": (0,), "second refuses": (1,), "both refuses": (0, 1)}
    asked = ", ".join(
        "-" if number in refused.get(phase.name, ()) else f"{count / phase.seconds:.1f}"
        for number, count in enumerate(phase.asked)
    )
    return (
        f"| {phase.name} | {total:,} | {phase.failures} | {phase.stale / max(total, 1):.0%} "
        f"| {phase.oldest:.1f} | {times} | {asked} |"
    )


async def trial(seconds: float, rate: float, workers: int) -> tuple[list[Phase], list[float]]:
    """Run it all; return the phases, and the seconds until each path was fresh again, rising."""
    upstreams = [Upstream(), Upstream()]
    for upstream in upstreams:
        await upstream.become("well")
    try:
        with gateway(upstreams, workers) as address:
            place = urlsplit(address)
            paths = [f"/items/{number}" for number in range(PATHS)]
            callers = Callers(str(place.hostname), int(place.port or 80), paths, rate)
            phases = await run(upstreams, callers, seconds)
    finally:
        for upstream in upstreams:
            await upstream.end()
    return phases, sorted(when - callers.since for when in callers.fresh.values())


def main() -> int:
    """Measure and print; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="phases of 3 s")
    parser.add_argument("--seconds", type=float, help="of each phase (10)")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (3.0 if arguments.quick else 10.0)
    # So that a plain `kill` ends the gateway, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    phases, again = asyncio.run(trial(seconds, arguments.rate, arguments.workers))
    print("\r" + " " * 30 + "\r", end="", file=sys.stderr)
    print(
        f"{arguments.rate:g} requests/s for {PATHS} paths, {arguments.workers} workers; phases of "
        f"{seconds:g} s; fresh for {LIFE} s, then {REFRESHED} s while another is fetched, {KEPT} s "
        f"while there is none.\n\n{report(phases, again)}"
    )
    if arguments.json:
        figures: dict[str, Any] = {"phases": [asdict(phase) for phase in phases], "again": again}
        arguments.json.write_text(json.dumps(figures, indent=2))
    return int(any(phase.failures for phase in phases) or len(again) < PATHS)


if __name__ == "__main__":
    sys.exit(main())
