"""Many callers at once, and sources that a test holds and lets go."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS = 20.0
"""After which a test that waits for another thread fails."""


class Source:
    """Something to load from: counts its loads, and holds them until it is let go.

    Attributes:
        loads: how often it was called.
        begun: set while a load is under way.
        value: what it returns, or raises.
    """

    def __init__(self, value: Any = "value", *, held: bool = False) -> None:
        self.value = value
        self.loads = 0
        self.begun = threading.Event()
        self._go = threading.Event()
        if not held:
            self._go.set()

    def hold(self) -> None:
        """Hold loads from now on."""
        self._go.clear()
        self.begun.clear()

    def let_go(self) -> None:
        """Let all loads go on."""
        self._go.set()

    def __call__(self) -> Any:
        self.loads += 1
        value = self.value
        self.begun.set()
        assert self._go.wait(SECONDS), "the test never let the source go"
        if isinstance(value, BaseException):
            raise value
        return value

    async def asynchronously(self) -> Any:
        return await asyncio.to_thread(self)


class Caller(threading.Thread):
    """A call in a thread of its own, begun at once; `outcome` waits for what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as exc:  # noqa: BLE001 - the test looks at it
            self._outcome = exc

    @property
    def outcome(self) -> Any:
        """What it returned, or raised."""
        self.join(SECONDS)
        assert not self.is_alive(), "the call never ended"
        return self._outcome


def at_once(
    threads: int,
    tasks: int,
    call: Callable[[], Any],
    acall: Callable[[], Awaitable[Any]],
) -> list[Caller]:
    """Begin a call in many threads and in many tasks of one loop; a caller for each thread, and
    one for all tasks, whose outcome is a list."""

    async def all_tasks() -> list[Any]:
        return await asyncio.gather(*(acall() for _ in range(tasks)), return_exceptions=True)

    return [
        *(Caller(call) for _ in range(threads)),
        Caller(lambda: asyncio.run(all_tasks())),
    ]


def outcomes(callers: list[Caller]) -> list[Any]:
    """Return what all of them got."""
    *threads, tasks = [caller.outcome for caller in callers]
    return [*threads, *tasks]
