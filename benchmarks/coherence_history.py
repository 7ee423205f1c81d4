"""What was true when: the writes to each key, the outages of each node, the machine's stalls.

A write *replaced* another if it began after that had ended. A read is *stale* by the time from
the end of the first write that replaced what it returned to the read's own begin. Nothing is
assumed of writes that overlap, be it in two processes or in two tasks of one.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from benchmarks.coherence_terms import MS, Note, Seen

NEVER = float("inf")

AWAY = ("tiercache.redis.away", "tiercache.redis.read-only")
BACK = "tiercache.redis.back"
LOST = "tiercache.backplane.lost"
JOINED = "tiercache.backplane.joined"


class KeyHistory:
    """The acknowledged writes to one key, ready to be asked how stale a value is."""

    def __init__(self, writes: Iterable[Note]) -> None:
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

    def __contains__(self, value: int) -> bool:
        return value in self._by_token

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


def histories(writes: Iterable[Note]) -> defaultdict[str, KeyHistory]:
    """Return the history of each key; that of a key never written is empty."""
    by_key: defaultdict[str, list[Note]] = defaultdict(list)
    for write in writes:
        by_key[write[0]].append(write)
    made = {key: KeyHistory(notes) for key, notes in by_key.items()}
    return defaultdict(lambda: KeyHistory([]), made)


class Outages:
    """When a node knew that Redis did not serve it, by its own log.

    From the first word of it until the word that everything has been made good.
    """

    def __init__(self, seen: Seen) -> None:
        """Read the log."""
        self.spans: list[tuple[int, float]] = []
        for name, at in sorted(seen.events, key=lambda event: event[1]):
            lasts = bool(self.spans) and self.spans[-1][1] == NEVER
            if name in AWAY and not lasts:
                self.spans.append((at, NEVER))
            elif name == BACK and lasts:
                self.spans[-1] = (self.spans[-1][0], at)
        self._ends = [end for _, end in self.spans]

    def touching(self, begin: int, end: int) -> tuple[int, float] | None:
        """Return the last outage that overlaps with a time, None if there is none.

        A call that failed began before the outage that it brought about, and ended in it.
        """
        found = None
        for position in range(bisect.bisect_left(self._ends, begin), len(self.spans)):
            if self.spans[position][0] > end:
                break
            found = self.spans[position]
        return found

    def following(self, end: int) -> tuple[int, float] | None:
        """Return the first outage that begins after a time, None if none does."""
        return next((span for span in self.spans if span[0] > end), None)


def troubles(spans: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the times that any of these spans covers, merged and in order."""
    merged: list[tuple[int, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def calms(spans: Iterable[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the times that none of these spans covers."""
    merged = troubles(spans)
    begins = [0.0, *(end for _, end in merged)]
    return list(zip(begins, [*(float(begin) for begin, _ in merged), NEVER], strict=True))


def stalled(stalls: Sequence[tuple[int, int]], begin: float, end: float) -> float:
    """Return for how many milliseconds between two times a process was not run."""
    return sum(max(min(end, to) - max(begin, since), 0) for since, to in stalls) / MS


def event_times(seen: Seen, name: str, since: int = 0) -> list[int]:
    """Return when the cache said something, from a time on."""
    return [at for said, at in seen.events if said == name and at >= since]


def disagreements(
    team: Sequence[Seen], keys: Iterable[str], truth: Callable[[str], int | None]
) -> list[str]:
    """Return which node says what about a key, where that is not what Redis says."""
    return [
        f"process {number} says {held} of {key}, Redis {truth(key)}"
        for key in keys
        for number, seen in enumerate(team)
        for held in seen.held[key]
        if held != truth(key)
    ]


def quantile(rising: Sequence[float], share: float) -> float:
    """Return the value that so large a share of them does not exceed; 0 of none."""
    return rising[min(int(len(rising) * share), len(rising) - 1)] if rising else 0.0
