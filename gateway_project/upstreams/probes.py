"""Active probes: sick servers are asked in the background, so that no caller has to try them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway_project.upstreams.health import CHANCE, Health, Turn

SPREAD: Final = 0.25
"""Share by which a pause is shorter or longer, so that not all processes ask at one moment."""


class Probes:
    """The probes of one event loop.

    Between the rounds there is a timer and no task: it keeps no loop from ending, goes with the
    loop without a word, and in a loop that lives for one request it is never due.
    """

    def __init__(
        self,
        health: Health,
        probe: Callable[[Turn], Coroutine[Any, Any, None]],
        *,
        every: float,
        chance: Callable[[], float] = CHANCE,
    ) -> None:
        self._health = health
        self._probe = probe
        self._every = every
        self._chance = chance
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Probe what is to be probed, from the next pause on, until `aclose` or the loop's end."""
        pause = self._every * (1 - SPREAD + 2 * SPREAD * self._chance())
        self._timer = asyncio.get_running_loop().call_later(pause, self._due)

    async def aclose(self) -> None:
        """Stop, and wait until a round that is under way has stopped."""
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)

    def _due(self) -> None:
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._ask_all())
        self.start()

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for turn in self._health.probes():
                group.create_task(self._probe(turn))
