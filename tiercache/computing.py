"""Calls the functions that compute values: in this thread, in another, on an event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

import asgiref.local

from . import background
from .errands import Compute
from .exceptions import LoadTimeout
from .loading import compute, computing, is_async
from .telemetry import loading

_tagged: Any = getattr(asgiref.local, "_Storage", None)


def perform(errand: Compute) -> Any:
    """Compute a value in this thread."""
    with loading(errand.cache, errand.context), computing(errand.context):
        return compute(errand.source, errand.context)


async def aperform(errand: Compute) -> Any:
    """Compute a value on the running event loop, or for it."""
    with loading(errand.cache, errand.context), computing(errand.context):
        if is_async(errand.source) or not callable(errand.source):
            value = compute(errand.source, errand.context)
        else:
            # It may ask the database, or take its time: not on the event loop. Nor on the thread
            # that asgiref keeps for the request, since the load is not the request's alone: it
            # outlives it, and code on that thread may be waiting for this very load.
            value = await _on_a_thread(with_context(compute, errand.source, errand.context))
        return await value if inspect.isawaitable(value) else value


def with_context(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """Return what calls a function, in another thread, with this one's context variables."""
    context = contextvars.copy_context()

    def call() -> Any:
        # asgiref's locals, as Django's language and time zone, are seen only by the thread that
        # they are tagged with, in versions that tag them: move them, as its own calls do.
        if _tagged is not None:
            for variable, value in context.items():
                if isinstance(value, _tagged):
                    variable.set(_tagged(threading.get_ident(), value.data))
        return function(*args)

    return lambda: context.run(call)


async def _on_a_thread(work: Callable[[], Any]) -> Any:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def carry_out() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            value = work()
        except StopIteration as exc:
            # No future takes one; a generator, as the sync way goes through, says the same.
            error = RuntimeError("the loader raised StopIteration")
            error.__cause__ = exc
            future.set_exception(error)
        except BaseException as exc:  # noqa: BLE001 - the flow's to deal with
            future.set_exception(exc)
        else:
            future.set_result(value)

    if not background.background.do(carry_out, awaited=True):
        raise LoadTimeout("not loaded: too many loads wait")
    return await asyncio.wrap_future(future)
