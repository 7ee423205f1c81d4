"""What one node tells of itself, from the first use to the last: samples, counts, reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .keys import is_internal
from .messages import Post
from .portrait import Portrait
from .reporter import Reporter
from .reports.histogram import Histogram
from .reports.history import History
from .reports.report import Report
from .sampling import Sampler
from .steps import Step


class Telling:
    """Samples hits, counts, and reports what is due. Called by the keeper, but for `heard`.

    Args:
        portrait: what a report says of the node.
        sampler: looks at hits.
        samples: whether it is to; where nothing is reported, nobody would be told.
        lag: where the times are counted that messages take.
        clock: the node's clock, in seconds.
        ask: carries a step out; None where nothing is reported.
        post: where the node's messages go, None if it sends none.
    """

    def __init__(
        self,
        portrait: Portrait,
        sampler: Sampler,
        *,
        samples: bool,
        lag: Histogram,
        clock: Callable[[], float],
        ask: Callable[[Step], Any] | None,
        post: Post | None,
    ) -> None:
        self._clock = clock
        self._sampler = sampler
        self._samples = samples
        self._reporter = Reporter(portrait, ask, post, lag, clock, time.time)
        self.heard = self._reporter.heard

    def turn(self) -> None:
        """Take in what was sampled, count, and report, as far as it is time."""
        if self._samples:
            now = self._clock()
            seen = self._sampler.turn(now)
            named = [_named(key) for key in seen if not is_internal(key)]
            self._reporter.ranking.count(named, now)
        self._reporter.turn()

    def farewell(self) -> None:
        """Report for the last time, so that nobody waits for this process."""
        self._sampler.close()
        self._reporter.farewell()

    def report(self) -> tuple[Report, History]:
        """Return the report as of now, and what the node knows of its past."""
        return self._reporter.report(), self._reporter.history


def _named(full: str) -> str:
    """Return the key in a full key, where Django's own key function made it."""
    return full.split(":", 2)[-1]
