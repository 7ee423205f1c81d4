"""What the parent and the workers of `benchmarks.coherence` have in common.

Times are those of CLOCK_MONOTONIC, which all processes of a machine share, in nanoseconds.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

now = time.monotonic_ns

MS = 1_000_000

KEYS = [f"key{number}" for number in range(20)]

COUNTERS = [f"counter{number}" for number in range(4)]
"""Keys that `incr` alone changes. They have a KEY_PREFIX of their own, so `clear` spares them."""

PREFIXES = {"default": "coherence", "counters": "counters"}
"""KEY_PREFIX by alias; both aliases are one store, so one node."""

LIFE = 600
"""Seconds that entries live: longer than any run, so that only changes end them."""

MOST_WORKERS = 1000

PULSE = 0.01
"""Seconds between two beats of a `Pulse`."""

Note = tuple[str, "int | None", int, int]
"""Key, value (a write's None: removed), begin, end."""


@dataclass(frozen=True, slots=True)
class Config:
    """What one worker is to do.

    Attributes:
        url: the server.
        number: which worker it is, from 0; tokens are this modulo `MOST_WORKERS`.
        role: a name from `coherence_workers.ROLES`.
        seconds: how long it works.
        count: how many values a "writer" writes and a "reader" waits for.
        seed: of its choices.
        budget: TIME_BUDGET of its cache.
        file: where it leaves what it saw.
    """

    url: str
    number: int
    role: str
    file: str
    seconds: float = 5.0
    count: int = 500
    seed: int = 0
    budget: float = 1.0


@dataclass(slots=True)
class Seen:
    """What one worker saw.

    Each note has its own begin and end, so it does not matter whether calls of one process
    overlapped, as those of several tasks do.

    Attributes:
        reads: of `KEYS`.
        writes: of `KEYS`.
        looks: reads of `COUNTERS`.
        sums: increments of `COUNTERS` by one, with the sum that each returned.
        events: what the cache logged: name, time.
        stalls: when this process was not run: from, to.
        held: what the node says of each key at the end, on first and on second asking.
        errors: Redis operations that failed, by kind.
    """

    reads: list[Note] = field(default_factory=list)
    writes: list[Note] = field(default_factory=list)
    looks: list[Note] = field(default_factory=list)
    sums: list[Note] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    stalls: list[tuple[int, int]] = field(default_factory=list)
    held: dict[str, list[int | None]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


class Pulse(threading.Thread):
    """Notes when a thread of this process was due and not run, whoever held it up.

    No message can be heard in such a time either, so this is what tells a slow machine from a
    slow cache.
    """

    def __init__(self, stalls: list[tuple[int, int]]) -> None:
        """Begin at once."""
        super().__init__(name="pulse", daemon=True)
        self._stalls = stalls
        self._ended = False
        self.start()

    def end(self) -> None:
        """Note nothing more."""
        self._ended = True
        self.join()

    def run(self) -> None:
        """Sleep, and compare."""
        while not self._ended:
            due = now() + int(PULSE * 1_000_000_000)
            time.sleep(PULSE)
            woke = now()
            if woke - due > MS:
                self._stalls.append((due, woke))
