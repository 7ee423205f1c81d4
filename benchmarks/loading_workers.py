"""The processes that the benchmarks and the tests let ask for one cold key, all at once.

    python -m benchmarks.loading_workers CONFIG

A worker says "ready" when its cache is (tiercache's hears what the others change), asks when it is
told "go", and then says what its threads and tasks got, as JSON. `CONFIG` is the fields of `Config`
as JSON.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.loading_rivals import TIERCACHE, opened

KEY = "cold"
PATIENCE = 60.0
"""Seconds within which a worker has to be ready, and all its callers to be answered."""


@dataclass(frozen=True, slots=True)
class Config:
    """What one worker is to do.

    Attributes:
        url: the server.
        threads, tasks: how many of each ask for the key.
        log: a file in which each load notes its process.
        seconds: how long a load takes.
        first: what becomes of the first load of all: "" (it succeeds), "fails" or "hangs".
        options: `OPTIONS` of the cache.
        rival: which cache it is, a name from `benchmarks.loading_rivals`; url is "" in memory.
    """

    url: str
    threads: int
    tasks: int
    log: str
    seconds: float = 0.2
    first: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    rival: str = TIERCACHE


@dataclass(slots=True)
class Got:
    """What the callers of one worker got.

    Attributes:
        answers: how many got which value, or error.
        slowest: seconds until the last one was answered.
    """

    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


class Source:
    """What computes the value, and notes that it does."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self) -> str:
        """Return the value, or do with the first load what the configuration says."""
        first = self._is_first()
        time.sleep(self._time_of(first=first))
        return self._end_of(first=first)

    async def asynchronously(self) -> str:
        """Do the same on an event loop."""
        first = self._is_first()
        await asyncio.sleep(self._time_of(first=first))
        return self._end_of(first=first)

    def _time_of(self, *, first: bool) -> float:
        hangs = first and self._config.first == "hangs"
        return self._config.seconds + (PATIENCE if hangs else 0)

    def _end_of(self, *, first: bool) -> str:
        if first and self._config.first == "fails":
            raise LookupError("the source is away")
        return "value"

    def _is_first(self) -> bool:
        with Path(self._config.log).open("ab", buffering=0) as log:
            # One write at the end of a file is one step, whoever else writes.
            log.write(f"{os.getpid()}\n".encode())
            return log.tell() == len(f"{os.getpid()}\n")


def loaders(log: Path) -> list[int]:
    """Return the process of each load that has begun, in this order."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def ask(cache: Any, config: Config) -> Got:
    """Ask from all threads and tasks at once; return what they got."""
    got, source, begun = Got(), Source(config), time.monotonic()
    gate = threading.Barrier(config.threads + 1)

    def answered(answer: object) -> None:
        got.answers[str(answer)] += 1

    def thread() -> None:
        gate.wait(PATIENCE)
        try:
            answered(cache.get_or_set(KEY, source, 600))
        except Exception as exc:  # noqa: BLE001 - noted
            answered(repr(exc))

    async def task() -> None:
        try:
            answered(await cache.aget_or_set(KEY, source.asynchronously, 600))
        except Exception as exc:  # noqa: BLE001 - noted
            answered(repr(exc))

    async def all_tasks() -> None:
        await asyncio.gather(*(task() for _ in range(config.tasks)))

    threads = [threading.Thread(target=thread, daemon=True) for _ in range(config.threads)]
    for each in threads:
        each.start()
    gate.wait(PATIENCE)
    asyncio.run(all_tasks())
    for each in threads:
        each.join(PATIENCE)
    got.slowest = time.monotonic() - begun
    return got


def main() -> None:
    """Be one worker."""
    logging.getLogger("tiercache").addHandler(logging.NullHandler())
    config = Config(**json.loads(sys.argv[1]))
    cache = opened(config.rival, config.url, config.options, PATIENCE)
    print("ready", flush=True)
    sys.stdin.readline()
    got = ask(cache, config)
    print(json.dumps([got.answers, got.slowest]), flush=True)


class Crowd:
    """Some workers, as their parent sees them."""

    def __init__(self, configs: list[Config]) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.loading_workers", json.dumps(each)],
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for each in map(dataclasses.asdict, configs)
        ]

    def go(self) -> None:
        """Let all of them ask, once all are ready."""
        for process in self._processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("a worker did not begin")
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

    def finish(self) -> list[Got]:
        """Return what each got, without those that were killed."""
        heard = []
        for process in self._processes:
            out, _ = process.communicate(timeout=PATIENCE)
            if process.returncode == 0:
                answers, slowest = json.loads(out)
                heard.append(Got(Counter(answers), slowest))
        return heard

    def close(self) -> None:
        """End what is left of them."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


@contextmanager
def crowd(processes: int, config: Config) -> Iterator[Crowd]:
    """Start this many workers that do the same."""
    made = Crowd([config] * processes)
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    main()
