"""Start the processes of the part "nodes", let them work, and collect what they saw."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import redis

from benchmarks.parts.nodes_terms import KEYS, Config, Heard, Written, full_key_of

ROOT = Path(__file__).parents[2]


class Seen(NamedTuple):
    """What all saw.

    Attributes:
        written: by the writer.
        heard: by each node.
        values: of all keys at the end, by Redis itself.
        server: seconds of processor time that the server took meanwhile.
        output: bytes that it sent.
    """

    written: Written
    heard: list[Heard]
    values: list[int]
    server: float
    output: int


def work(config: Config) -> Seen:
    """Let one process write and the others listen.

    Raises:
        RuntimeError: one of them has ended early; it has said why on its standard error.
    """
    with ExitStack() as stack:
        client = stack.enter_context(redis.Redis.from_url(config.url))
        client.flushdb()
        writer = stack.enter_context(Process("writer", config))
        writer.hear()  # the keys are there, for the listeners to hold
        listeners = stack.enter_context(Process("listeners", config))
        listeners.hear()
        before = client.info()
        writer.say("go")
        written = Written(**writer.hear())
        listeners.say(written.count)
        heard = [Heard(**one) for one in listeners.hear()]
        after = client.info()
        values = [int(value) for value in client.mget(map(full_key_of, range(KEYS)))]
    return Seen(
        written,
        heard,
        values,
        _processor(after) - _processor(before),
        after["total_net_output_bytes"] - before["total_net_output_bytes"],
    )


def _processor(info: dict[str, Any]) -> float:
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


class Process:
    """One process of `benchmarks.parts.nodes_workers`; a context, at whose end it is gone."""

    def __init__(self, role: str, config: Config) -> None:
        """Start it."""
        self._role = role
        module = "benchmarks.parts.nodes_workers"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, role, json.dumps(asdict(config))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, and with it those that it has forked: they look for their parent."""
        self._process.kill()
        self._process.communicate()

    def say(self, what: Any) -> None:
        """Say something to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(what)}\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Return what it says next.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self._role} ended early; it has said why above")
        return json.loads(line)
