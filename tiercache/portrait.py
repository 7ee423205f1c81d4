"""What a report says of the node itself: its counts, its memory, how it stands with Redis."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import django

from . import __version__
from .memory import MemoryTier
from .meter import MOST_MISHAPS, Meter
from .options import Options
from .reports.figures import STORE, Sections
from .stats import Calls

LONGEST_INTERVAL = 5.0
"""Seconds between two counts of what has been counted, where reports are rarer or none."""


class Situation(NamedTuple):
    """How a node stands with Redis; times are readings of its clock.

    Attributes:
        state, reason, state_since: as in `Stats.state`; the kind of the failure; since when.
        backplane, backplane_since: as in `Stats.backplane`; since when.
        journaled: keys that wait to be removed from Redis.
        with_redis: whether there is a Redis tier.
    """

    state: str
    reason: str
    state_since: float
    backplane: str
    backplane_since: float
    journaled: int
    with_redis: bool


class Portrait:
    """What a reporter asks about one node; see `reporter.Subject`.

    Args:
        id, scope: the node's.
        options: those of its store.
        memory: its memory tier.
        meter: what it measures.
        calls: the counters of each alias.
        situation: returns how it stands with Redis.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the node's word for it
        scope: str,
        options: Options,
        memory: MemoryTier,
        meter: Meter,
        calls: Mapping[str | None, Calls],
        situation: Callable[[], Situation],
    ) -> None:
        self.id = id
        self.scope = scope
        self._options = options
        self._memory = memory
        self._meter = meter
        self._calls = calls
        self._situation = situation

    @property
    def interval(self) -> float:
        """Seconds between two reports, or between two counts where nothing is reported."""
        return min(self._options.report, LONGEST_INTERVAL)

    def totals(self) -> Sections:
        """Return what has been counted since the start: of each alias, and of the store."""
        # A copy at first: another thread may be using an alias for the first time.
        counted = {alias: calls.figures() for alias, calls in dict(self._calls).items() if alias}
        return {**counted, STORE: self._meter.figures(self._memory.evictions)}

    def described(self, unix: Callable[[float], float]) -> dict[str, Any]:
        """Return the fields of a report that tell of the node itself.

        Args:
            unix: turns a reading of the node's clock into the server's Unix time.
        """
        stands, options = self._situation(), self._options
        failures = [calls.failure for calls in dict(self._calls).values() if calls.failure]
        mishaps = sorted((*self._meter.mishaps, *failures), reverse=True)[:MOST_MISHAPS]
        return {
            "versions": _versions(with_redis=stands.with_redis),
            "entries": len(self._memory),
            "bytes": self._memory.bytes,
            "max_entries": options.max_entries,
            "max_bytes": options.max_bytes,
            "policy": options.policy,
            "state": stands.state,
            "reason": stands.reason,
            "state_since": unix(stands.state_since),
            "backplane": stands.backplane,
            "backplane_since": unix(stands.backplane_since),
            "joins": self._meter.joins,
            "journaled": stands.journaled,
            "settings": options.shown(),
            "errors": tuple(mishap._replace(at=unix(mishap.at)) for mishap in mishaps),
        }


def _versions(*, with_redis: bool) -> dict[str, str]:
    versions = {
        "tiercache": __version__,
        "python": platform.python_version(),
        "django": django.__version__,
    }
    if with_redis:
        import redis

        versions["redis-py"] = redis.__version__
    return versions
