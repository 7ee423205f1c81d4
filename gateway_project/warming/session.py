"""A run in this process: an event loop of its own, signals that stop it, progress, a journal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from django.core.cache import caches
from tqdm import tqdm

from gateway_project.serving import current
from gateway_project.warming.journal import Journal
from gateway_project.warming.outcomes import Outcome
from gateway_project.warming.pace import Pace
from gateway_project.warming.planning import Visit
from gateway_project.warming.running import Run
from gateway_project.warming.summary import Summary
from tiercache.exceptions import RedisAway

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

_DONE: Final = ("there", "loaded", "unstorable")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Unkept(Exception):
    """Redis does not answer, or takes no writes: nothing would be kept after the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How a run is carried out.

    Attributes:
        concurrency: requests at a time.
        pace: when one may begin.
        refresh: whether what is there is loaded anew.
        journal: notes what is done; None: nobody does.
        shows_progress: whether standard error shows a bar.
    """

    concurrency: int
    pace: Pace
    refresh: bool
    journal: Journal | None
    shows_progress: bool

    def carry_out(self, visits: tuple[Visit, ...], summary: Summary) -> signal.Signals | None:
        """Make all requests; return the signal that stopped the run, None if none did.

        Raises:
            Unkept: Redis does not answer; nothing was asked.
        """
        return asyncio.run(self._carry_out(visits, summary))

    async def _carry_out(
        self, visits: tuple[Visit, ...], summary: Summary
    ) -> signal.Signals | None:
        cache = cast("TieredCache", caches.create_connection("default"))
        await _check(cache)
        with tqdm(
            total=len(visits), disable=not self.shows_progress, unit=" requests", file=sys.stderr
        ) as bar:

            def told(visit: Visit, outcome: Outcome) -> None:
                summary.add(visit, outcome)
                if self.journal is not None and outcome.kind in _DONE:
                    self.journal.add(visit.name)
                bar.update()

            run = Run(current.gateway(), cache, refresh=self.refresh, pace=self.pace, told=told)
            caught = _stopped_by_signals(run.stop)
            await run.carry_out(visits, concurrency=self.concurrency)
        return caught[0] if caught else None


async def _check(cache: TieredCache) -> None:
    # Writing is the one proof that writing is possible.
    try:
        await cache.aset("gateway:warming", 1, 1)
    except RedisAway as exc:
        raise Unkept(f"Redis is away ({exc.kind})") from exc
    state = cache.stats().state
    if state != "up":
        raise Unkept(f"Redis is {state}")


def _stopped_by_signals(stop: Callable[[], None]) -> list[signal.Signals]:
    """Have the first signal stop the run; the next one does what it does by itself."""
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []

    def note(number: signal.Signals) -> None:
        caught.append(number)
        for other in _SIGNALS:
            loop.remove_signal_handler(other)
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, note, number)
    return caught
