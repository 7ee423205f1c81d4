"""What looking for a page asks of the cache and of the view, and how both kinds of view are driven.

A way is a generator, written once, that yields steps; a driver takes them for `def` views, another
for `async def` views.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """Call a method of the cache. Answer: what it returns."""

    method: str
    args: tuple[Any, ...]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """Give an entry another key, with all that it bears. Answer: whether it was there."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run the view, to a response that is rendered. Answer: the response."""

    request: HttpRequest


Step: TypeAlias = Ask | Move | Run
Way: TypeAlias = Generator[Step, Any, Any]


def drive(way: Way, perform: Callable[[Step], Any]) -> Any:
    """Go a way in this thread; return what it returns."""
    try:
        step = next(way)
        while True:
            try:
                answer = perform(step)
            except Exception as exc:  # noqa: BLE001 - it is the way's to handle
                step = way.throw(exc)
            else:
                step = way.send(answer)
    except StopIteration as end:
        return end.value


async def adrive(way: Way, perform: Callable[[Step], Awaitable[Any]]) -> Any:
    """Go a way on the running event loop; return what it returns."""
    try:
        step = next(way)
        while True:
            try:
                answer = await perform(step)
            except Exception as exc:  # noqa: BLE001 - it is the way's to handle
                step = way.throw(exc)
            else:
                step = way.send(answer)
    except StopIteration as end:
        return end.value
