"""Judge what nodes read by what all had written, in health and in outages.

A node's *outage* lasts from the first word in its log that Redis is away, or refuses writes, to
the word that Redis is back, which it says when what was changed meanwhile has been made good. A
write that overlaps with an outage of its node is *lonely*: only that node has it, until at the
outage's end its key is removed from Redis. It counts as a write that ended then.

Judged in every read of every node:

1. *Stale.* It must not be older than the newest write acknowledged before it began, plus the
   delivery bound. During an outage of its node nothing newer than the outage's begin is asked
   for: memory answers alone, but with nothing that had been replaced before. Where the server was
   taken away, or connections fell silent, that counts from then on until the node knows it: what
   the server had acknowledged to the one, it may not yet have told the other.
2. *Own.* It must not be older than what this node itself had written before, in the outage or
   not: so an own deletion is not undone, neither by the outage nor by its end.
3. *Lost.* While all nodes are cut off, and what they had told before has been heard, what a node
   wrote in the outage is there: a miss is wrong.
4. *Survivors.* Once all nodes are healed, nobody reads what a node wrote alone in the outage.

A miss is otherwise right from the first outage on, since restarts and healing remove keys, and
while connections are being broken, since memory answers a call that loses its own; else it is
judged like a value, by the removals.

Counters, which `incr` alone changes, are judged between outages: each sum that an increment
returned is a value like others (rule 1 and 2), no two increments returned the same one, and none
is left out: as many were counted as were acknowledged. A miss is judged like the value 0, but for
a call whose connection was being broken.

The *delivery bound* is a fixed time for what the cache does, plus what the machine takes: the
time for which the process that read, or the one that forwards messages, was demonstrably not run
(`Pulse`) between the write's end and the read's begin.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.coherence_history import (
    NEVER,
    KeyHistory,
    Outages,
    calms,
    histories,
    stalled,
)
from benchmarks.coherence_terms import MS, Note, Seen
from benchmarks.coherence_verdict import Verdict, Window


def judge(
    team: Sequence[Seen],
    bound_ms: float,
    *,
    windows: Sequence[Window] = (),
    losses: Sequence[tuple[int, int]] = (),
    stalls: Sequence[tuple[int, int]] = (),
    silences: Sequence[tuple[int, int]] = (),
) -> Verdict:
    """Judge every read by the rules above.

    Args:
        team: what each process saw.
        bound_ms: the fixed part of what delivery may take.
        windows: when the server was taken away.
        losses: when connections were being broken: from, to.
        stalls: when whoever forwards messages was not run.
        silences: when nothing more came over connections that were open before: from, to.
    """
    verdict = Verdict()
    judgement = _Judgement(team, bound_ms, windows, losses, stalls, silences, verdict)
    for number, seen in enumerate(team):
        judgement.node(number, seen)
    judgement.counters()
    verdict.stale.sort()
    return verdict


class _Judgement:
    def __init__(
        self,
        team: Sequence[Seen],
        bound_ms: float,
        windows: Sequence[Window],
        losses: Sequence[tuple[int, int]],
        stalls: Sequence[tuple[int, int]],
        silences: Sequence[tuple[int, int]],
        verdict: Verdict,
    ) -> None:
        self._team = team
        self._bound_ms = bound_ms
        self._bound = int(bound_ms * MS)
        self._stalls = stalls
        self._silences = [*((window.gone, window.back) for window in windows), *silences]
        self._verdict = verdict
        self._outages = [Outages(seen) for seen in team]
        spans = [span for outages in self._outages for span in outages.spans]
        spans += [(window.gone, window.back) for window in windows]
        self._spans: list[tuple[int, float]] = spans
        self._losses = losses
        self._first_trouble = min((begin for begin, _ in spans), default=NEVER)
        self._last_trouble = max((end for _, end in spans), default=0)
        self._cluster = histories(
            (key, token, begin, self._settled(outages, begin, end))
            for seen, outages in zip(team, self._outages, strict=True)
            for key, token, begin, end in seen.writes
        )
        self._survivors = self._written_alone()
        self._sealed = [
            sealed
            for window in windows
            if (sealed := self._seal(window))[0] < sealed[1]
        ]  # fmt: skip

    @staticmethod
    def _settled(outages: Outages, begin: int, end: int) -> int:
        """Return when a write had ended for all: a lonely one at its outage's end."""
        outage = outages.touching(begin, end)
        return end if outage is None else int(min(max(outage[1], end), 2**62))

    def _written_alone(self) -> set[int]:
        """Return the tokens that must be gone once all is healed.

        The word that Redis is back may come a moment after it is, so what was written just
        before that word is left out.
        """
        tokens = set()
        for seen, outages in zip(self._team, self._outages, strict=True):
            for _, token, begin, end in seen.writes:
                outage = outages.touching(begin, end)
                if outage and token and outage[0] < begin and end < outage[1] - self._bound:
                    tokens.add(token)
        return tokens

    def _seal(self, window: Window) -> tuple[float, int]:
        """Return from when to when all nodes were cut off, with no message under way.

        A node that had been away before the server was may have been healing until then, and
        have told the others of what it removed.
        """
        cut_off = float(window.gone)
        for outages in self._outages:
            outage = outages.touching(window.lifted, window.lifted)
            cut_off = max(cut_off, outage[0] if outage else NEVER)
        return cut_off + self._bound, window.lifted

    # Rules 1, 2 and 4

    def node(self, number: int, seen: Seen) -> None:
        """Judge what a node read."""
        own, outages = histories(seen.writes), self._outages[number]
        for key, value, begin, end in seen.reads:
            if value is None and (end >= self._first_trouble or self._broken_off(begin, end)):
                continue
            outage = outages.touching(begin, end)
            asked = self._asked_for(begin, outage or outages.following(end))
            self._verdict.checked += 1
            self._verdict.alone += outage is not None
            written = self._cluster[key].written(value, end)
            if value in self._survivors and begin > self._last_trouble + self._bound:
                self._verdict.beyond.append(
                    f"process {number} read {value} of {key}, which was written in an outage"
                )
            self._date(number, (key, value, asked, end), written, self._cluster[key])
            if value is not None and value in own[key]:
                written = own[key].written(value, end)
            if begin > own[key].replaced(written):
                self._verdict.own.append(f"process {number} read {value} of {key} after its own")
        self._misses(number, seen)

    def _asked_for(self, begin: int, outage: tuple[int, float] | None) -> int:
        """Return as of when a read has to be, in this outage or before it."""
        if outage is None:
            return begin
        asked = min(begin, outage[0])
        for begun, over in self._silences:
            if begun <= asked and outage[0] <= over:
                return begun
        return asked

    def _date(self, number: int, read: Note, written: float, history: KeyHistory) -> None:
        """Say how stale a read is."""
        key, value, begin, _ = read
        replaced = 0.0 if written == -NEVER else history.replaced(written)
        late = NEVER if written == -NEVER else (begin - replaced) / MS
        if late > 0:
            self._verdict.stale.append(late)
        if late <= self._bound_ms:
            return
        stood = sum(
            stalled(stalls, replaced, begin) for stalls in (self._team[number].stalls, self._stalls)
        )
        if late <= self._bound_ms + stood:
            self._verdict.excused += 1
        else:
            self._verdict.beyond.append(
                f"process {number} read {value} of {key} at {begin}, stale by {late:.2f} ms, "
                f"of which it was not run for {stood:.2f} ms"
            )

    # Rule 3

    def _misses(self, number: int, seen: Seen) -> None:
        """Judge misses while everybody was cut off."""
        for sealed, until in self._sealed:
            # What had been told before is heard late by a process that is not run.
            since = sealed + MS * sum(
                stalled(stalls, sealed - self._bound, until)
                for stalls in (seen.stalls, self._stalls)
            )
            own = histories(note for note in seen.writes if note[2] > since and note[3] < until)
            for key, value, begin, end in seen.reads:
                if value is not None or not since < begin <= end < until:
                    continue
                self._verdict.checked += 1
                self._verdict.alone += 1
                if begin > own[key].replaced(max(own[key].written(None, end), since)):
                    self._verdict.lost.append(f"process {number} missed its own {key} at {begin}")

    # Counters

    def counters(self) -> None:
        """Judge counters in each time without an outage."""
        sums, looks = self._by_counter("sums"), self._by_counter("looks")
        for key in sums:
            for since, until in calms(self._spans):
                self._counter(key, sums[key], looks[key], since, until)

    def _by_counter(self, kind: str) -> defaultdict[str, list[tuple[int, Note]]]:
        by_key: defaultdict[str, list[tuple[int, Note]]] = defaultdict(list)
        for number, seen in enumerate(self._team):
            for note in getattr(seen, kind):
                by_key[note[0]].append((number, note))
        return by_key

    def _counter(
        self,
        key: str,
        sums: list[tuple[int, Note]],
        looks: list[tuple[int, Note]],
        since: float,
        until: float,
    ) -> None:
        near = [(number, note) for number, note in sums if note[3] >= since and note[2] <= until]
        sure = [(n, note) for n, note in near if not self._outages[n].touching(note[2], note[3])]
        within = [(n, note) for n, note in sure if since <= note[2] and note[3] <= until]
        if not within:
            return
        unknown = len(near) - len(sure)
        self._count(key, within, sure, unknown)
        first = min(note[1] or 0 for _, note in sure)
        history = KeyHistory(note for _, note in sure)
        own = [KeyHistory(note for n, note in within if n == who) for who in range(len(self._team))]
        for number, (_, value, begin, end) in looks:
            # The removal with which the last outage ended takes its time to arrive as well.
            if begin < since + (self._bound if since else 0) or end > until:
                continue
            if value is None and self._broken_off(begin, end):
                continue
            total = value or 0
            written = since if total == first - 1 else history.written(total, end)
            if written == -NEVER and value and unknown:
                continue  # the sum of an increment whose answer was lost
            self._verdict.checked += 1
            self._date(number, (key, value, begin, end), written, history)
            if begin > own[number].replaced(written):
                self._verdict.own.append(f"process {number} read {value} of {key} after its own")

    def _broken_off(self, begin: int, end: int) -> bool:
        """Tell whether connections were being broken while a call was made."""
        position = bisect.bisect_right(self._losses, (end, NEVER)) - 1
        return position >= 0 and begin <= self._losses[position][1] + self._bound

    def _count(
        self,
        key: str,
        within: list[tuple[int, Note]],
        sure: list[tuple[int, Note]],
        unknown: int,
    ) -> None:
        """Compare the sums with each other."""
        counted = [note[1] or 0 for _, note in within]
        if len(set(counted)) < len(counted):
            self._verdict.miscounted.append(f"{key}: two increments returned the same sum")
        missing = set(range(min(counted), max(counted))) - {note[1] for _, note in sure}
        if len(missing) > unknown:
            self._verdict.miscounted.append(f"{key}: nobody was returned {sorted(missing)[:5]}")
