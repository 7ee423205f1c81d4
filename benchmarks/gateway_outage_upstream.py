"""An upstream server that fails as it is told to by `benchmarks.gateway_outage`."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Final, Literal, get_args

Mode = Literal["well", "503", "refuses", "silent", "slow", "breaks off"]
"""What it does: answers, answers 503, refuses connections, takes requests and says nothing, answers
after `SLOW` seconds, closes in the middle of the body."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
FAILURES: Final = MODES[1:]

HOST: Final = "127.0.0.1"
SLOW: Final = 0.7
"""Seconds; less than the gateway waits for one server."""

_PADDING: Final = "x" * 450


class Upstream:
    """One server, on a port that it keeps.

    Attributes:
        mode: what it does at the moment.
        asked: how many requests it has read.
    """

    def __init__(self) -> None:
        self.mode: Mode = "well"
        self.asked = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connected: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._changed = asyncio.Event()

    @property
    def address(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._port}"

    async def become(self, mode: Mode) -> None:
        """Do something else from now on; who waits for an answer sees the connection close."""
        self.mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "refuses":
            self._close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def end(self) -> None:
        """Close for good; return when nobody is served any more."""
        await self.become("refuses")
        tasks = [task for task in self._connected.values() if task]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._connected:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connected[writer] = asyncio.current_task()
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answered(await reader.readuntil(b"\r\n\r\n"), writer):
                    pass
        finally:
            del self._connected[writer]
            writer.close()

    async def _answered(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Do with one request what the mode says; tell whether the connection goes on."""
        self.asked += 1
        mode, changed = self.mode, self._changed
        if mode == "silent":
            await changed.wait()
            return False
        if mode == "slow":
            await asyncio.sleep(SLOW)
        body = _body(head)
        status = "503 Service Unavailable" if mode == "503" else "200 OK"
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        sent = body[: len(body) // 2] if mode == "breaks off" else body
        writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + sent)
        await writer.drain()
        return mode != "breaks off"


def _body(head: bytes) -> bytes:
    target = head.split(b" ", 2)[1].decode()
    return json.dumps({"target": target, "made": time.monotonic(), "padding": _PADDING}).encode()
