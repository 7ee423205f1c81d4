"""How many requests a second the gateway answers from memory, next to what else there is.

    python -m benchmarks.gateway [--quick] [--rounds N] [--seconds N] [--json FILE]

One answer that is cached, of 0.5 KB and of 20 KB: by the gateway's fast path, by its engine through
Django, by Django's `cache_page` over four backends, by an ASGI application that does nothing but
answer (Python's limit), and by nginx's `proxy_cache` where nginx is installed (the machine's). One
worker process each, all of them started here. They take turns round by round, so that whatever
else the machine does hits all of them; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gateway_load import Load, generator, load
from benchmarks.gateway_rivals import BARE, DJANGO_REDIS, Rival, running

ROUNDS, SECONDS = 7, 3
QUICK_ROUNDS, QUICK_SECONDS = 3, 1
WARM_SECONDS = 1
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one rival: what was measured, and the seconds of processor time it took."""

    load: Load
    processor: float

    @property
    def each(self) -> float:
        """Seconds of processor time for one request."""
        return self.processor / self.load.requests


Samples = Mapping[str, Mapping[str, Sequence[Sample]]]
"""By body, then by rival."""


def measure(
    rivals: Sequence[Rival], bodies: Mapping[str, bytes], rounds: int, seconds: int
) -> Samples:
    """Measure every rival with every body, all of them in turn in each round."""
    samples: dict[str, dict[str, list[Sample]]] = {
        body: {rival.name: [] for rival in rivals} for body in bodies
    }
    for body in bodies:
        for rival in rivals:
            load(rival.url(body), CONNECTIONS, WARM_SECONDS)
    for number in range(rounds):
        for body, expected in bodies.items():
            for rival in rivals:
                told = f"round {number + 1} of {rounds}: {body}, {rival.name}"
                print(f"\r{told:<70}", end="", file=sys.stderr, flush=True)
                samples[body][rival.name].append(_sample(rival, body, seconds))
                rival.check(body, expected)
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
    return samples


def _sample(rival: Rival, body: str, seconds: int) -> Sample:
    before = rival.processor()
    made = load(rival.url(body), CONNECTIONS, seconds)
    return Sample(made, rival.processor() - before)


def rows(samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, Any]]:
    """Return the figures of one body, the fastest rival first; times in seconds."""
    rates = {
        name: statistics.median(sample.load.rate for sample in made)
        for name, made in samples.items()
    }
    return [
        {
            "server": name,
            "rate": rates[name],
            "lowest": min(sample.load.rate for sample in samples[name]),
            "highest": max(sample.load.rate for sample in samples[name]),
            "p50": statistics.median(sample.load.p50 for sample in samples[name]),
            "p99": statistics.median(sample.load.p99 for sample in samples[name]),
            "processor": statistics.median(sample.each for sample in samples[name]),
            "of_bare": rates[name] / rates[BARE],
            "to_django_redis": rates[name] / rates[DJANGO_REDIS],
        }
        for name in sorted(rates, key=lambda name: -rates[name])
    ]


def report(tables: Mapping[str, Sequence[Mapping[str, Any]]], sizes: Mapping[str, int]) -> str:
    """Write the tables in Markdown."""
    return "\n\n".join(_table(sizes[body], tables[body]) for body in tables)


def _table(size: int, rows: Sequence[Mapping[str, Any]]) -> str:
    names = (
        f"{size:,} bytes",
        "requests/s (lowest, highest)",
        "p50 ms",
        "p99 ms",
        "CPU µs each",
        "of the bare application",
        "times django-redis",
    )
    lines = [f"| {' | '.join(names)} |", "| --- |" + " ---: |" * (len(names) - 1)]
    lines += [
        f"| {row['server']} | {row['rate']:,.0f} ({row['lowest']:,.0f}, {row['highest']:,.0f}) "
        f"| {row['p50'] * 1e3:.2f} | {row['p99'] * 1e3:.2f} | {row['processor'] * 1e6:.0f} "
        f"| {row['of_bare']:.2f} | {row['to_django_redis']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def heading(rounds: int, seconds: int) -> str:
    """Say where and how it was measured, and what is missing."""
    from uvicorn.loops.auto import auto_loop_factory
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    loop = auto_loop_factory(use_subprocess=False).__module__.partition(".")[0]
    parser = "httptools" if "httptools" in AutoHTTPProtocol.__module__ else "h11"
    names = ("Django", "uvicorn", "django-redis", "redis", "hiredis")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    said = (
        f"{platform.machine()}, {psutil.cpu_count()} cores; Python {platform.python_version()}, "
        f"{versions}; uvicorn on {parser} and {loop}. Requests by {generator()}: {CONNECTIONS} "
        f"connections, each of which asks again when it is answered. Median of {rounds} rounds of "
        f"{seconds} s. CPU: the worker's own time, without Redis's."
    )
    if not shutil.which("nginx"):
        said += "\n\nnginx is not installed, so its rows are missing."
    return said


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, noisier")
    parser.add_argument("--rounds", type=int, help=f"how many ({ROUNDS})")
    parser.add_argument("--seconds", type=int, help=f"that each rival is asked in one ({SECONDS})")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    # So that a plain `kill` ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running() as (rivals, bodies):
        samples = measure(rivals, bodies, rounds, seconds)
    tables = {body: rows(made) for body, made in samples.items()}
    said = heading(rounds, seconds)
    print(f"{said}\n\n{report(tables, {name: len(body) for name, body in bodies.items()})}")
    if arguments.json:
        raw = {
            body: {name: [asdict(sample) for sample in made] for name, made in by.items()}
            for body, by in samples.items()
        }
        figures = {"heading": said, "tables": tables, "samples": raw}
        arguments.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
