"""Requests' bodies, bounded before anybody holds them or writes them to a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


async def read_body(receive: Receive, most: int) -> bytes | None:
    """Return a request's body, None if it has more than `most` bytes or its caller has left."""
    parts: list[bytes] = []
    received = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body") or b"")
        received += len(parts[-1])
        if received > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def left(receive: Receive) -> None:
    """Wait until the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Bounded:
    """Receives what a caller sends, up to so many bytes of a body.

    To the application it looks beyond them as though the caller had left: it reads no further,
    and answers nothing.

    Attributes:
        exceeded: whether there were more.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self.exceeded = False
        self._receive = receive
        self._left = most

    async def __call__(self) -> Message:
        """Return the next message."""
        message = await self._receive()
        self._left -= len(message.get("body") or b"")
        if self._left < 0:
            self.exceeded = True
            return {"type": "http.disconnect"}
        return message
