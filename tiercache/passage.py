"""The way to Redis of one store in one process: who may pass, who carries, and what it took."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from . import telemetry
from .errands import Errand
from .exceptions import RedisAway
from .health import Health
from .messages import Post
from .meter import Meter
from .reports.mishaps import described
from .runner import Runner
from .steps import Ask, Scan, Step

if TYPE_CHECKING:
    from .aremote import AsyncRemote

_clients_of_the_parent: list[object] = []


class Passage:
    """Carries steps out: errands in this process, all else in Redis, if that is to be asked.

    Thread-safe. Made with the node, `begin` at once and after each fork, `open` on first use.

    Args:
        name: the store as logs call it.
        pool: returns redis-py's pool for the store's server; None for memory alone.
        get_ready: opens it; called in the child of a fork that came while a flow was on its way.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        name: str,
        pool: Callable[[], Any] | None,
        get_ready: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.clock = clock
        self._pool = pool
        self._get_ready = get_ready
        # Made when it is opened; one without a pool never asks for them.
        self._remote: Any = None
        self._wire: Any = None
        self._aremotes: dict[asyncio.AbstractEventLoop, AsyncRemote] = {}

    def begin(self, health: Health, meter: Meter, runner: Runner) -> None:
        """Begin anew: nothing is open. In a child the parent's connections are left to it."""
        self.health = health
        self.meter = meter
        self._runner = runner
        self._lock = threading.Lock()
        if self._remote is not None:
            # Letting go of the parent's clients would take their sockets out of its event loops,
            # whose selectors parent and child share.
            _clients_of_the_parent.append(self._aremotes)
            self._remote.reset_after_fork()
        self._remote = None
        self._aremotes = {}

    @property
    def leads_somewhere(self) -> bool:
        """Whether there is a Redis tier."""
        return self._pool is not None

    @property
    def is_open(self) -> bool:
        """Whether steps can be carried out in Redis."""
        return self._remote is not None

    def open(self, pool: Any, post: Post | None) -> None:
        """Make the sender of commands; `post` says where and as whom changes are told."""
        from .remote import Remote
        from .wire import Wire

        self._wire = Wire(post)
        self._remote = Remote(pool, self._wire)

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        if self._remote is not None:
            self._remote.close()

    def perform(self, step: Step, deadline: float) -> Any:
        """Carry a step out by the deadline (`time.monotonic()`), and return its answer.

        Raises:
            RedisAway: Redis was not asked, or did not serve it.
            redis.exceptions.ResponseError: the command does not fit what is under the key.
        """
        if isinstance(step, Errand):
            return self._runner.perform(step, deadline)
        self._admit(step)
        began = perf_counter_ns()
        try:
            answer = self._remote.perform(step, deadline)
        except Exception as exc:
            self._failed(step, began, exc)
            raise
        self._succeeded(step, began)
        return answer

    async def aperform(self, step: Step, deadline: float) -> Any:
        """Do as `perform` on the running event loop."""
        if isinstance(step, Errand):
            return await self._runner.aperform(step, deadline)
        self._admit(step)
        began = perf_counter_ns()
        try:
            answer = await self._the_aremote().perform(step, deadline)
        except Exception as exc:
            self._failed(step, began, exc)
            raise
        self._succeeded(step, began)
        return answer

    def ask(self, step: Step, seconds: float) -> Any:
        """Carry a step of healing out within so many seconds, whatever the breakers say."""
        return self._remote.perform(step, time.monotonic() + seconds)

    def _admit(self, step: Step) -> None:
        if self._pool is None:
            raise RedisAway("alone", "this cache has no Redis tier")
        if self._remote is None:
            self._get_ready()
        if self.health.refuses(step):
            raise RedisAway("open", f"Redis of {self.name} is away ({self.health.reason})")

    def _succeeded(self, step: Step, began: int) -> None:
        taken = perf_counter_ns() - began
        if not _is_look(step):
            self.health.succeeded(step)
        self.meter.served(step, taken)
        if telemetry.hooks:
            self._trace(step, taken)

    def _failed(self, step: Step, began: int, error: Exception) -> None:
        if telemetry.hooks:
            self._trace(step, perf_counter_ns() - began, error)
        if _is_look(step):
            return
        if isinstance(error, RedisAway):
            self.meter.failed(error.kind, described(error), self.clock())
            if not (isinstance(step, Scan) and error.kind == "auth"):
                # A user who may not use SCAN may read and write all the same; and a pattern that
                # is journaled could never be made good.
                self.health.failed(step, error)

    def _trace(self, step: Step, taken: int, error: Exception | None = None) -> None:
        if isinstance(step, Ask):
            # Operators' questions and the node's own reports are none of the site's work.
            return
        from .trouble import code_of

        code = "" if error is None else code_of(error)
        telemetry.tell(
            telemetry.RedisOperation(
                place=self._remote.place(self.name),
                step=type(step).__name__,
                commands=self._wire.names(step),
                began=time.time_ns() - taken,
                nanoseconds=taken,
                error=error.kind if isinstance(error, RedisAway) else code,
                code=code,
            )
        )

    def _the_aremote(self) -> AsyncRemote:
        loop = asyncio.get_running_loop()
        remote = self._aremotes.get(loop)
        if remote is None:
            from .aremote import AsyncRemote

            assert self._pool is not None  # noqa: S101 - `_admit` has seen it
            remote = AsyncRemote(self._pool(), self._wire)
            with self._lock:
                # A loop that is closed is never run again; its client went with it.
                ended = [other for other in self._aremotes if other.is_closed()]
                for other in ended:
                    del self._aremotes[other]
                self._aremotes[loop] = remote
        return remote


def _is_look(step: Step) -> bool:
    """Tell an operator's look, by a budget of its own: it proves nothing for the site's calls."""
    return isinstance(step, Ask) and not step.changes
