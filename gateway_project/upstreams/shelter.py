"""Cancellation that httpcore withstands."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def sheltered(
    work: Coroutine[Any, Any, T],
    *,
    within: float = inf,
    discard: Callable[[T], Awaitable[None]] | None = None,
) -> T:
    """Return what `work` does, which has so many seconds.

    httpcore puts its connections in order, when a request ends, under a shield that holds off
    anyio's cancellation but not asyncio's. A task that is cancelled at that moment would leave a
    connection that counts as busy for ever. So the work is a task of its own, which nobody cancels
    but by anyio's means; cancelling the caller does that, and waits until all is in order.

    `discard` gets what came although the caller was cancelled.

    Raises:
        TimeoutError: If the time is over.
    """
    scope = anyio.CancelScope(deadline=anyio.current_time() + within)
    task = asyncio.create_task(_inside(scope, work))
    try:
        done = await asyncio.shield(task)
    except asyncio.CancelledError:
        scope.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None and discard is not None:
            for result in task.result():
                await discard(result)
        raise
    finally:
        if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            work.close()  # the event loop ended before it began
    if not done:
        raise TimeoutError
    return done[0]


async def _inside(scope: anyio.CancelScope, work: Coroutine[Any, Any, T]) -> tuple[T, ...]:
    """Return the result; nothing if the scope was cancelled before."""
    with scope:
        return (await work,)
    return ()
