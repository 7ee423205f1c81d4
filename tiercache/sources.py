"""Which tier answered: for a response header, a log line, a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Tier = Literal["memory", "redis", "miss", "stale", "loaded"]


@dataclass(slots=True)
class Seen:
    """What the look-ups in a `watch` block found.

    Attributes:
        tier: where the last look-up found its value; "stale" if its timeout was over and it is
            being loaded anew, "loaded" if it was computed, "miss" if there was none; None before
            the first look-up.
        left: seconds for which that value is fresh from the look-up on, less than 0 for how long
            it has been stale, infinity for ever; None where it was not looked up but computed, or
            is not there.
        error: what the load that was waited for failed with, where a stale value was answered
            instead.
    """

    tier: Tier | None = None
    left: float | None = None
    error: BaseException | None = None


_current: ContextVar[Seen | None] = ContextVar("tiercache_seen", default=None)

watching = 0
"""How many have a say in this process's look-ups; while none has, a hit asks nobody.

The `watch` blocks that are open, and the changes that wait for a commit (`transactions.Change`).
"""


@contextmanager
def watch() -> Iterator[Seen]:
    """Tell which tier answered the single-key look-ups made in this block, in this context."""
    global watching  # noqa: PLW0603 - read by every memory hit, so it must be no more than a number
    seen = Seen()
    token = _current.set(seen)
    watching += 1
    try:
        yield seen
    finally:
        watching -= 1
        _current.reset(token)


def note(tier: Tier, left: float | None = None, error: BaseException | None = None) -> None:
    """Tell the block that watches this context, if one does, which tier answered."""
    seen = _current.get()
    if seen is not None:
        seen.tier = tier
        seen.left = left
        seen.error = error
