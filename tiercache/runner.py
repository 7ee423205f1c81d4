"""Carries errands out: waits, computes and launches, in threads and on event loops."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any

from . import background, computing
from .errands import HAPPENED, LATE, OWN, Compute, Errand, Launch, Wait
from .exceptions import LoadTimeout
from .flights import Flight, Flights, LoadFlight, Signal
from .steps import Flow

logger = logging.getLogger("tiercache")

LOOK_AGAIN = 10.0
"""Seconds after which who waits looks whether anybody still carries on what is waited for."""

ON_LOOP = 1.0
"""Seconds for which a synchronous call holds up an event loop, for what may be waiting for it."""

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
            return self._wait(errand.signal, _patience(errand, deadline))
        if isinstance(errand, Compute):
            return computing.perform(errand)
        assert isinstance(errand, Launch)  # noqa: S101 - there is no other
        if errand.aside:
            for flight in errand.flights:
                flight.thread = None
            work = computing.with_context(self._carry, errand)
            if not background.background.do(work, awaited=errand.awaited):
                for flight in errand.flights:
                    full = LoadTimeout(f"{flight.key!r} was not loaded: too many loads wait")
                    self._loads.land(flight, error=full)
        else:
            self._carry(errand)
        return None

    async def aperform(self, errand: Errand, deadline: float) -> Any:
        """Carry an errand out on the running event loop."""
        if isinstance(errand, Wait):
            return await self._await(errand.signal, _patience(errand, deadline))
        if isinstance(errand, Compute):
            return await computing.aperform(errand)
        assert isinstance(errand, Launch)  # noqa: S101 - there is no other
        # A task of its own, so that a caller that is cancelled takes nobody's value away.
        loop = asyncio.get_running_loop()
        for flight in errand.flights:
            flight.lost = lambda: not loop.is_running()
        task = loop.create_task(self._acarry(errand))
        _tasks.add(task)
        # The loop may end without a word; whoever notices abandons the flights.
        errand.flights[0].listen(lambda: _tasks.discard(task))
        task.add_done_callback(lambda task: self._landed(task, errand))
        return None

    def _carry(self, errand: Launch) -> None:
        try:
            # What is beside the caller holds the caller up only while that waits for it.
            with _leads(errand.flights, () if errand.aside else _leading.get()):
                self._run(errand.flow, errand.budget)
        finally:
            self._see_to_the_end(errand)

    async def _acarry(self, errand: Launch) -> None:
        with _leads(errand.flights):
            await self._arun(errand.flow, errand.budget)

    def _landed(self, task: asyncio.Task[None], errand: Launch) -> None:
        # If the loop ended before the task began, nobody else lands it.
        errand.flow.close()
        self._see_to_the_end(errand)
        if not task.cancelled():
            task.exception()

    def _see_to_the_end(self, errand: Launch) -> None:
        """Let nobody wait for what has ended; tell the site of what fails where no caller sees."""
        for flight in errand.flights:
            self._loads.abandon(flight)
            if errand.aside and flight.error is not None:
                logger.error(
                    "tiercache.load.failed: %r",
                    flight.key,
                    exc_info=flight.error,
                    extra={"event": "tiercache.load.failed", "key": flight.key},
                )

    # Waiting

    def _wait(self, signal: Signal, seconds: float) -> str:
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
                return self._wait_in_turns(signal, event, time.monotonic() + seconds)
            finally:
                signal.ignore(tell)

    def _wait_in_turns(self, signal: Signal, event: threading.Event, end: float) -> str:
        # A flight may be waiting for the very event loop that is held up here.
        holds_up = isinstance(signal, Flight) and asyncio._get_running_loop() is not None
        turn = ON_LOOP if holds_up else LOOK_AGAIN
        while not event.wait(max(min(end - time.monotonic(), turn), 0)):
            if time.monotonic() >= end:
                return LATE
            if holds_up:
                return OWN
            self._give_up_if_lost(signal)
        return HAPPENED

    async def _await(self, signal: Signal, seconds: float) -> str:
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
                return await self._await_in_turns(signal, happened, time.monotonic() + seconds)
            finally:
                signal.ignore(tell)

    async def _await_in_turns(self, signal: Signal, happened: asyncio.Event, end: float) -> str:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(end - time.monotonic(), LOOK_AGAIN)):
                    await happened.wait()
            if signal.happened:
                return HAPPENED
            if time.monotonic() >= end:
                return LATE
            self._give_up_if_lost(signal)

    def _give_up_if_lost(self, signal: Signal) -> None:
        """Let those who wait for it try for themselves if nobody carries a flight on any more."""
        if isinstance(signal, LoadFlight) and signal.lost is not None and signal.lost():
            self._loads.abandon(signal)


@contextmanager
def _leads(flights: tuple[LoadFlight, ...], others: tuple[LoadFlight, ...] = ()) -> Generator[None]:
    for flight in flights:
        flight.thread = threading.get_ident()
    token = _leading.set((*others, *flights))
    try:
        yield
    finally:
        _leading.reset(token)
        for flight in flights:
            flight.thread = None


# Waiting


def _patience(wait: Wait, deadline: float) -> float:
    """Return the seconds to wait, which may be infinity."""
    return max(deadline - time.monotonic(), 0) if wait.seconds is None else wait.seconds


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


def reset_after_fork() -> None:
    """In a child: a thread of the parent's may have held the lock, and tasks are the parent's."""
    global _lock, _tasks  # noqa: PLW0603 - they are one process's
    _lock = threading.Lock()
    _tasks = set()
