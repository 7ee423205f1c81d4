"""This worker's last answers, as the front page lists them."""

from __future__ import annotations

import re
import time
from collections import deque
from datetime import UTC, datetime
from typing import Final, NamedTuple

MOST: Final = 12

_DETAIL: Final = re.compile(r"detail=(memory|redis|stale)")

_answers: deque[tuple[float, str, int, str]] = deque(maxlen=MOST)


class Answered(NamedTuple):
    """One answer: when, to what, and what Cache-Status said of it."""

    at: datetime
    path: str
    status: int
    told: str

    @property
    def tier(self) -> str:
        """Which tier it came from, in one word."""
        found = _DETAIL.search(self.told)
        return found[1] if found else "upstream" if "fwd=" in self.told else "gateway"


def note(path: str, status: int, told: str) -> None:
    """Remember an answer; so little work that each hit can afford it."""
    _answers.appendleft((time.time(), path, status, told))


def answers() -> tuple[Answered, ...]:
    """Return them, the newest first."""
    return tuple(
        Answered(datetime.fromtimestamp(at, UTC), path, status, told)
        for at, path, status, told in tuple(_answers)
    )


def forget() -> None:
    """Begin anew."""
    _answers.clear()
