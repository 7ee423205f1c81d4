"""Carries errands out: waits, computes and launches, in threads and on event loops."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any

from asgiref.sync import sync_to_async

from . import background
from .errands import HAPPENED, LATE, OWN, Compute, Errand, Launch, Wait
from .flights import Flight, Flights, LoadFlight, Signal
from .loading import compute, computing, is_async
from .steps import Flow

logger = logging.getLogger("tiercache")

_leading: contextvars.ContextVar[tuple[LoadFlight, ...]] = contextvars.ContextVar(
    "tiercache_leading", default=()
)
"""The flights that this code is a part of: whatever it waits for, they wait for as well."""

_lock = threading.Lock()
_tasks: set[asyncio.Task[None]] = set()


class Runner:
    """Carries errands out for one node.

    Args:
        run: drives a flow to its end in this thread, by a time budget in seconds.
        arun: does so on the running event loop.
        loads: the flights that are launched.
    """

    def __init__(
        self,
        run: Callable[[Flow[None], float], None],
        arun: Callable[[Flow[None], float], Coroutine[Any, Any, None]],
        loads: Flights[LoadFlight],
    ) -> None:
        self._run = run
        self._arun = arun
        self._loads = loads

    def perform(self, errand: Errand, deadline: float) -> Any:
        """Carry an errand out in this thread; `deadline` is the end of the time budget."""
        if isinstance(errand, Wait):
            return _wait(errand.signal, _patience(errand, deadline))
        if isinstance(errand, Compute):
            return _compute(errand)
        assert isinstance(errand, Launch)  # noqa: S101 - there is no other
        if errand.aside:
            context = contextvars.copy_context()
            for flight in errand.flights:
                flight.thread = None
            if not background.background.do(lambda: context.run(self._carry, errand)):
                self._abandon(errand)
        else:
            self._carry(errand)
        return None

    async def aperform(self, errand: Errand, deadline: float) -> Any:
        """Carry an errand out on the running event loop."""
        if isinstance(errand, Wait):
            return await _await(errand.signal, _patience(errand, deadline))
        if isinstance(errand, Compute):
            return await _acompute(errand)
        assert isinstance(errand, Launch)  # noqa: S101 - there is no other
        # A task of its own, so that a caller that is cancelled takes nobody's value away.
        task = asyncio.get_running_loop().create_task(self._acarry(errand))
        _tasks.add(task)
        task.add_done_callback(lambda task: self._landed(task, errand))
        return None

    def _carry(self, errand: Launch) -> None:
        try:
            with _leads(errand.flights):
                self._run(errand.flow, errand.budget)
        finally:
            self._abandon(errand)

    def _abandon(self, errand: Launch) -> None:
        """See to it that all have ended, and that the site hears of what no caller sees."""
        for flight in errand.flights:
            self._loads.abandon(flight)
            if errand.aside and flight.error is not None:
                logger.error("tiercache.load.failed: %r", flight.key, exc_info=flight.error)

    async def _acarry(self, errand: Launch) -> None:
        with _leads(errand.flights):
            await self._arun(errand.flow, errand.budget)

    def _landed(self, task: asyncio.Task[None], errand: Launch) -> None:
        _tasks.discard(task)
        # If the loop ended before the task began, nobody else lands it.
        errand.flow.close()
        self._abandon(errand)
        if not task.cancelled():
            task.exception()


@contextmanager
def _leads(flights: tuple[LoadFlight, ...]) -> Generator[None]:
    for flight in flights:
        flight.thread = threading.get_ident()
    token = _leading.set((*_leading.get(), *flights))
    try:
        yield
    finally:
        _leading.reset(token)
        for flight in flights:
            flight.thread = None


# Waiting


def _patience(wait: Wait, deadline: float) -> float | None:
    """Return the seconds to wait, None without end."""
    if wait.seconds is None:
        return max(deadline - time.monotonic(), 0)
    return None if wait.seconds == math.inf else wait.seconds


@contextmanager
def _blocked(signal: Signal) -> Generator[bool]:
    """Tell whether waiting would be for ever, and let others see what waits for what."""
    leading = [flight for flight in _leading.get() if not flight.happened]
    if not isinstance(signal, LoadFlight) or not leading:
        yield False
        return
    with _lock:
        circle = _reaches(signal, leading)
        if not circle:
            for flight in leading:
                flight.blocked_by.append(signal)
    try:
        yield circle
    finally:
        if not circle:
            with _lock:
                for flight in leading:
                    flight.blocked_by.remove(signal)


def _reaches(signal: LoadFlight, ends: list[LoadFlight]) -> bool:
    seen: set[int] = set()
    ahead = [signal]
    while ahead:
        flight = ahead.pop()
        if flight in ends:
            return True
        if id(flight) not in seen:
            seen.add(id(flight))
            ahead += flight.blocked_by
    return False


def _wait(signal: Signal, seconds: float | None) -> str:
    if signal.happened:
        return HAPPENED
    if isinstance(signal, Flight) and signal.thread == threading.get_ident():
        # A synchronous call on the thread of the event loop whose task carries it on.
        return OWN
    with _blocked(signal) as for_ever:
        if for_ever:
            return OWN
        event = threading.Event()
        tell = event.set
        signal.listen(tell)
        try:
            return HAPPENED if event.wait(seconds) else LATE
        finally:
            signal.ignore(tell)


async def _await(signal: Signal, seconds: float | None) -> str:
    if signal.happened:
        return HAPPENED
    with _blocked(signal) as for_ever:
        if for_ever:
            return OWN
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(happened.set)

        signal.listen(tell)
        try:
            async with asyncio.timeout(seconds):
                await happened.wait()
        except TimeoutError:
            return HAPPENED if signal.happened else LATE
        finally:
            signal.ignore(tell)
        return HAPPENED


# Computing


def _compute(errand: Compute) -> Any:
    with computing(errand.context):
        return compute(errand.source, errand.context)


async def _acompute(errand: Compute) -> Any:
    with computing(errand.context):
        if is_async(errand.source) or not callable(errand.source):
            value = compute(errand.source, errand.context)
        else:
            # It may ask the database, or take its time: not on the event loop.
            value = await sync_to_async(compute)(errand.source, errand.context)
        return await value if inspect.isawaitable(value) else value


def reset_after_fork() -> None:
    """In a child: no other thread waits, and the parent's tasks are the parent's."""
    global _lock, _tasks  # noqa: PLW0603 - another thread may have held the one, and used the other
    _lock = threading.Lock()
    _tasks = set()
