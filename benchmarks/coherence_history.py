"""Start workers on one server, and judge what they read by what they had written.

A write *replaced* another if it began after that had ended. A read is *stale* by the time from
the end of the first write that replaced what it returned to the read's own begin. Nothing is
assumed of writes that overlap.
"""

from __future__ import annotations

import bisect
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.coherence_workers import KEYS, Config, Seen

ROOT = Path(__file__).parent.parent
NEVER = float("inf")
MS = 1_000_000

Write = tuple[str, "int | None", int, int]


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

    def __init__(self, url: str, roles: Sequence[str], **options: Any) -> None:
        """Describe them; options are those of `Config`."""
        self._directory = tempfile.TemporaryDirectory(prefix="tiercache-coherence-")
        self._configs = [
            Config(url, number, role, f"{self._directory.name}/{number}.json", **options)
            for number, role in enumerate(roles)
        ]
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


class KeyHistory:
    """The acknowledged writes to one key, ready to be asked how stale a value is."""

    def __init__(self, writes: list[Write]) -> None:
        """Sort them once; each question is answered by bisection."""
        writes = sorted(writes, key=lambda write: write[2])
        self._begins = [begin for _, _, begin, _ in writes]
        ends = [end for _, _, _, end in writes]
        # The first end among the writes that began at this position or later.
        self._first_end = [*itertools.accumulate(reversed(ends), min)][::-1]
        self._by_token = {token: (b, e) for _, token, b, e in writes if token is not None}
        removals = [(begin, end) for _, token, begin, end in writes if token is None]
        self._removal_begins = [begin for begin, _ in removals]
        self._last_removal_end = [*itertools.accumulate((end for _, end in removals), max)]

    def written(self, value: int | None, end: int) -> float:
        """Return when the write of a value had ended that a read saw which itself ended at `end`.

        `-NEVER` for a value that nobody had begun to write then.
        """
        if value is None:
            return self._last_removal(end)
        begun, ended = self._by_token.get(value, (end, end))
        return ended if begun < end else -NEVER

    def replaced(self, written: float) -> float:
        """Return when the first write had ended that began after `written`; `NEVER`: none."""
        position = bisect.bisect_right(self._begins, written)
        return self._first_end[position] if position < len(self._begins) else NEVER

    def _last_removal(self, end: int) -> int:
        """Return the end of the last removal that the read may have seen; at first it is empty."""
        position = bisect.bisect_left(self._removal_begins, end)
        return self._last_removal_end[position - 1] if position else 0


@dataclass(slots=True)
class Verdict:
    """How stale reads were.

    Attributes:
        checked: how many were judged.
        stale: by how many milliseconds the stale ones were stale, in rising order.
        beyond: those beyond the bound, as text.
        own: those that were stale by a write of the same process, as text; there must be none.
    """

    checked: int = 0
    stale: list[float] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Show the distribution."""
        share = len(self.stale) / max(self.checked, 1)
        return (
            f"{self.checked} reads checked, {len(self.stale)} ({share:.2%}) stale by "
            f"p50 {quantile(self.stale, 0.5):.2f} ms, p99 {quantile(self.stale, 0.99):.2f} ms, "
            f"max {quantile(self.stale, 1):.2f} ms; {len(self.beyond)} beyond the bound, "
            f"{len(self.own)} by an own write"
        )


def judge(
    team: Sequence[Seen],
    bound_ms: float,
    *,
    counts: Callable[[int, int], bool] = lambda begin, end: True,  # noqa: ARG005
    emptied: bool = False,
) -> Verdict:
    """Judge every read by all writes, and once more by those of the same process alone.

    Args:
        team: what each process saw.
        bound_ms: what delivery may take.
        counts: by begin and end, which reads are judged.
        emptied: whether something else removed keys too, so that finding none is never wrong.
    """
    everybody = _histories([write for seen in team for write in seen.writes])
    verdict = Verdict()
    for number, seen in enumerate(team):
        own = _histories(seen.writes)
        for key, value, begin, end in seen.reads:
            if not counts(begin, end) or (emptied and value is None):
                continue
            verdict.checked += 1
            written = everybody[key].written(value, end)
            late = NEVER if written == -NEVER else (begin - everybody[key].replaced(written)) / MS
            what = f"process {number} read {value} of {key}, stale by {late:.2f} ms"
            if late > 0:
                verdict.stale.append(late)
            if late > bound_ms:
                verdict.beyond.append(what)
            if begin > own[key].replaced(written):
                verdict.own.append(what)
    verdict.stale.sort()
    return verdict


def _histories(writes: list[Write]) -> defaultdict[str, KeyHistory]:
    by_key: dict[str, list[Write]] = {key: [] for key in KEYS}
    for write in writes:
        by_key.setdefault(write[0], []).append(write)
    histories = {key: KeyHistory(writes) for key, writes in by_key.items()}
    return defaultdict(lambda: KeyHistory([]), histories)


def disagreements(team: Sequence[Seen], truth: Callable[[str], int | None]) -> list[str]:
    """Return which node says what about a key, where that is not what Redis says."""
    return [
        f"process {number} says {held} of {key}, Redis {truth(key)}"
        for key in KEYS
        for number, seen in enumerate(team)
        for held in seen.held[key]
        if held != truth(key)
    ]


def event_times(seen: Seen, name: str, since: int = 0) -> list[int]:
    """Return when the cache said something, from a time on."""
    return [at for said, at in seen.events if said == name and at >= since]


def quantile(rising: Sequence[float], share: float) -> float:
    """Return the value that so large a share of them does not exceed; 0 of none."""
    return rising[min(int(len(rising) * share), len(rising) - 1)] if rising else 0.0


def pause_until(moment: float) -> None:
    """Sleep until a time of `time.monotonic`."""
    time.sleep(max(moment - time.monotonic(), 0))
