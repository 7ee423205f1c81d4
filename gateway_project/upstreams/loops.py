"""What belongs to one event loop, and ends with it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar


class Closing(Protocol):
    """What has an `aclose`."""

    async def aclose(self) -> None:
        """Let go of everything."""


T = TypeVar("T", bound=Closing)


class PerLoop(Generic[T]):
    """One value for each event loop, made when it is first asked for and closed with the loop.

    `asyncio.run` and `asyncio.Runner` close the asynchronous generators of a loop before the loop
    itself; each value is held by such a generator, which then closes it. A weak dictionary would
    not do: a connection knows its loop, so its loop would never be forgotten.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._held: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}
        self._lock = threading.Lock()

    async def get(self) -> T:
        """Return the running loop's value."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is not None:
            return held[0]
        value = self._make()
        life = self._live(loop, value)
        with self._lock:
            self._forget_closed()
            self._held[loop] = value, life
        # Runs up to its `yield` without waiting, so no other task of this loop comes between.
        await anext(life)
        return value

    async def aclose(self) -> None:
        """Close the running loop's value, if it has one; the next `get` makes another."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()

    def __len__(self) -> int:
        return len(self._held)

    async def _live(self, loop: asyncio.AbstractEventLoop, value: T) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(loop, None)
            await value.aclose()

    def _forget_closed(self) -> None:
        """Drop the values of loops that were closed without closing their generators."""
        for loop in [loop for loop in self._held if loop.is_closed()]:
            del self._held[loop]
