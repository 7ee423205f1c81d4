"""Requests' bodies are bounded before Django writes them to a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Bounded:
    """Receives what a caller sends, up to so many bytes of a body.

    To the application it looks beyond them as though the caller had left: it reads no further,
    and answers nothing.

    Attributes:
        most: how many.
        exceeded: whether there were more.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self.most = most
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
