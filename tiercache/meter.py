"""What a node measures for its store: how long things take, what it hears, what goes wrong."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from .reports.figures import Figures
from .reports.histogram import Histogram
from .reports.mishaps import Mishap
from .steps import (
    Expire,
    Extend,
    Increment,
    Peek,
    Read,
    Remove,
    Rename,
    Soften,
    Step,
    Store,
    Swap,
    Tags,
)

MOST_MISHAPS: Final = 5
"""The last so many things that went wrong are remembered."""

_READS: Final = (Read, Peek)
_WRITES: Final = (Store, Remove, Soften, Expire, Extend, Rename, Increment, Swap, Tags)


class Meter:
    """Counts for one store in one process.

    What is counted by `+= 1` needs no lock (see `stats.Calls`); what may be counted for the first
    time does.

    Attributes:
        memory: how long hits in memory take, of a sample: the look-up, and the unpickling if any.
        lag: how long a message takes from this node through Redis back to it.
        messages: heard from other nodes.
        invalidated: keys that they named.
        joins: how often the backplane has joined.
    """

    def __init__(self) -> None:
        self.memory = Histogram()
        self.read = Histogram()
        self.write = Histogram()
        self.lag = Histogram()
        self.messages = 0
        self.invalidated = 0
        self.joins = 0
        self._lock = threading.Lock()
        self._errors: dict[str, int] = {}
        self._mishaps: deque[Mishap] = deque(maxlen=MOST_MISHAPS)
        self._of_step: dict[type, Histogram] = dict.fromkeys(_READS, self.read)
        self._of_step |= dict.fromkeys(_WRITES, self.write)

    def served(self, step: Step, nanoseconds: int) -> None:
        """Count the time that Redis took for a step, but not for walks and operators' questions."""
        histogram = self._of_step.get(type(step))
        if histogram is not None:
            histogram.record(nanoseconds)

    def failed(self, kind: str, text: str, at: float) -> None:
        """Count a step that Redis did not serve, and remember why."""
        with self._lock:
            self._errors[kind] = self._errors.get(kind, 0) + 1
        self.note(kind, text, at)

    def note(self, kind: str, text: str, at: float) -> None:
        """Remember what went wrong; of the same in a row, the last."""
        with self._lock:
            if self._mishaps and self._mishaps[-1].kind == kind:
                self._mishaps.pop()
            self._mishaps.append(Mishap(at, kind, text))

    @property
    def errors(self) -> dict[str, int]:
        """How many steps Redis did not serve, by kind (`RedisAway.KINDS`): a snapshot."""
        with self._lock:
            return dict(self._errors)

    @property
    def mishaps(self) -> tuple[Mishap, ...]:
        """What went wrong lately, the latest first."""
        with self._lock:
            return tuple(reversed(self._mishaps))

    def figures(self, evictions: dict[str, int]) -> Figures:
        """Return what has been counted, but for what has not occurred.

        Args:
            evictions: copies that left memory, by cause.
        """
        counts = {"messages": self.messages, "invalidated": self.invalidated}
        counts |= {f"evicted.{cause}": count for cause, count in evictions.items()}
        counts |= {f"redis.{kind}": count for kind, count in self.errors.items()}
        figures = {name: count for name, count in counts.items() if count}
        for name in ("memory", "read", "write", "lag"):
            histogram: Histogram = getattr(self, name)
            figures |= histogram.figures(name)
        return figures
