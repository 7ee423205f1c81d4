"""The two drivers of flows; they differ in one `await`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .steps import Flow, Step

_T = TypeVar("_T")


def drive(flow: Flow[_T], perform: Callable[[Step, float], Any], budget: float) -> _T:
    """Drive a flow to its end and return what it returns.

    Args:
        flow: the operation.
        perform: carries a step out by a deadline (`time.monotonic()`), or raises.
        budget: seconds that all its steps may take together; a step of a walk over the keyspace
            (`Step.paced`) begins it anew.

    Raises:
        BaseException: what `perform` raises, unless the flow has an answer for it.
    """
    try:
        step = next(flow)
        deadline = time.monotonic() + budget
        while True:
            try:
                answer = perform(step, deadline)
            except BaseException as exc:  # noqa: BLE001 - the flow decides, and cleans up
                following = flow.throw(exc)
            else:
                following = flow.send(answer)
            # What an errand took is none of Redis's time.
            if step.paced or following.paced:
                deadline = time.monotonic() + budget
            step = following
    except StopIteration as stop:
        result: _T = stop.value
        return result


async def adrive(
    flow: Flow[_T], perform: Callable[[Step, float], Awaitable[Any]], budget: float
) -> _T:
    """Drive a flow to its end on the running event loop; as `drive`."""
    try:
        step = next(flow)
        deadline = time.monotonic() + budget
        while True:
            try:
                answer = await perform(step, deadline)
            except BaseException as exc:  # noqa: BLE001 - the flow decides, and cleans up
                following = flow.throw(exc)
            else:
                following = flow.send(answer)
            # What an errand took is none of Redis's time.
            if step.paced or following.paced:
                deadline = time.monotonic() + budget
            step = following
    except StopIteration as stop:
        result: _T = stop.value
        return result
