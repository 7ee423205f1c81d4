"""Start workers on one server, let them work, and collect what they saw."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from benchmarks.coherence_terms import Config, Seen

ROOT = Path(__file__).parent.parent


class Worker:
    """One process (see `benchmarks.coherence_workers`)."""

    def __init__(self, config: Config) -> None:
        """Start it."""
        self.config = config
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.coherence_workers", json.dumps(asdict(config))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word: str) -> None:
        """Say a word to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def expect(self, word: str) -> None:
        """Wait for its word.

        Raises:
            RuntimeError: it ended instead; it has said why on its standard error.
        """
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != word:
            raise RuntimeError(f"worker {self.config.number} ended before it was {word!r}")

    def seen(self) -> Seen:
        """Return what it saw."""
        return Seen(**json.loads(Path(self.config.file).read_text()))

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()


class Team:
    """Workers that begin together; a context, at whose end none of them is left."""

    def __init__(
        self,
        url: str,
        roles: Sequence[str],
        *,
        elsewhere: Mapping[str, str] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        """Describe them; options are those of `Config`, `elsewhere` has other URLs for roles."""
        self._directory = tempfile.TemporaryDirectory(prefix="tiercache-coherence-")
        self._configs = [
            Config(
                elsewhere.get(role, url), number, role, f"{self._directory.name}/{number}.json",
                **options,
            )
            for number, role in enumerate(roles)
        ]  # fmt: skip
        self._workers: list[Worker] = []

    def __enter__(self) -> Team:
        """Start them all, and wait until all hear each other."""
        try:
            for config in self._configs:
                self._workers.append(Worker(config))
            self._each("ready")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End them."""
        for worker in self._workers:
            worker.end()
        self._directory.cleanup()

    def go(self) -> None:
        """Let them work."""
        self._tell("go")

    def finish(self) -> list[Seen]:
        """Wait until all have done and are healed, then return what each saw."""
        self._each("done")
        self._tell("agree")
        self._each("bye")
        return [worker.seen() for worker in self._workers]

    def _tell(self, word: str) -> None:
        for worker in self._workers:
            worker.tell(word)

    def _each(self, word: str) -> None:
        for worker in self._workers:
            worker.expect(word)


def churning(processes: int) -> list[str]:
    """Return the roles of so many workers: half of them synchronous, half asynchronous."""
    return [("churn", "churn in tasks")[number % 2] for number in range(processes)]
