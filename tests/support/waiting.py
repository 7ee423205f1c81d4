"""Wait for a condition, with a deadline: the only waiting that tests do."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE = 0.005

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, within: float = 5.0, why: str = "") -> T:
    """Return the first true answer of `condition`; fail when there is none in `within` seconds.

    An AssertionError of the condition counts as "not yet", and is shown if it stays so.
    """
    deadline = time.monotonic() + within
    while True:
        answer, failure = _ask(condition)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(_message(condition, within, why, answer)) from failure
        time.sleep(PAUSE)


async def aeventually(
    condition: Callable[[], T | Awaitable[T]], *, within: float = 5.0, why: str = ""
) -> T:
    """Do the same without holding up the event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        answer, failure = _ask(condition)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(_message(condition, within, why, answer)) from failure
        await asyncio.sleep(PAUSE)


def _ask(condition: Callable[[], Any]) -> tuple[Any, AssertionError | None]:
    try:
        return condition(), None
    except AssertionError as failure:
        return False, failure


def _message(condition: Callable[[], Any], within: float, why: str, answer: Any) -> str:
    what = why or getattr(condition, "__name__", repr(condition))
    if what == "<lambda>":
        what = inspect.getsource(condition).strip()
    return f"not within {within} s: {what} (last answer: {answer!r})"
