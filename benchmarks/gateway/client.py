"""A small HTTP/1.1 client over asyncio's transports, so that measuring costs little itself."""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """A response: its status, its head as it came in, its body."""

    status: int
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One connection that is kept, for one GET at a time; responses must say their length."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the next GET opens a new connection."""
        return self._transport is None

    async def get(self, path: str) -> Answer:
        """Ask, over a new connection if there is none.

        Raises:
            OSError: The server refuses, or closes before its response is whole.
        """
        loop = asyncio.get_running_loop()
        if self.is_closed:
            await loop.create_connection(lambda: self, *self._place)
        assert self._transport is not None
        self._buffer = b""
        self._answer = loop.create_future()
        host, port = self._place
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        return await self._answer

    def close(self) -> None:
        """Close it; a GET that is under way fails."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember what to write to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect a response; hand it over when it is whole."""
        self._buffer += data
        head, end, body = self._buffer.partition(_END)
        if not end or self._answer is None or self._answer.done():
            return
        if (length := _LENGTH.search(head)) is None:
            self._answer.set_exception(ConnectionError(f"no Content-Length: {head!r}"))
        elif len(body) >= int(length[1]):
            if _CLOSES.search(head):
                self.close()  # known to be lost before whoever waits can ask again
            self._answer.set_result(Answer(int(head[9:12]), head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed before the response's end"))
