"""Servers that answer as a test says, down to the bytes, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

HOST = "127.0.0.1"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reply(
    status: int = 200, body: bytes = b"well", *lines: str, length: int | None = None
) -> bytes:
    head = [
        f"HTTP/1.1 {status} Reason",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body


def saying(message: bytes) -> Answer:
    """Answer with these bytes, and wait for the next request."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message)
        await writer.drain()

    return answer


def stalling(message: bytes = b"") -> Answer:
    """Answer with these bytes, and then with nothing until the connection is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message)
        await writer.drain()
        await reader.read()

    return answer


def breaking_off(message: bytes = b"") -> Answer:
    """Answer with these bytes, and close the connection."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message)
        writer.close()
        await writer.wait_closed()

    return answer


def trickling(message: bytes) -> Answer:
    """Answer with these bytes, one each 50 milliseconds."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for at in range(len(message)):
            writer.write(message[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0.05)

    return answer


WELL = saying(reply())
SILENT = stalling()


def failing(status: int = 503) -> Answer:
    return saying(reply(status, b"out of order"))


class Server:
    """A server; `answer` may be changed at any time.

    `requests` are those received, head and body; `opened` counts connections and `open` those
    that still are.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.opened = self.open = 0
        self.name = ""

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    self.requests.append(await _received(reader))
                    await self.answer(reader, writer)
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(answer: Answer = WELL) -> AsyncIterator[Server]:
    """Serve on a free port; end with all connections closed."""
    server = Server(answer)
    async with listening(server):
        yield server


@asynccontextmanager
async def listening(server: Server, context: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Let a server talk to whoever connects, and give it its name."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await server.talk(reader, writer)

    listener = await asyncio.start_server(talk, HOST, 0, ssl=context)
    server.name = f"{HOST}:{listener.sockets[0].getsockname()[1]}"
    yield
    listener.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


@contextmanager
def unreachable() -> Iterator[str]:
    """An address to which connecting takes for ever: its queue of connections is full."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://{HOST}:{listener.getsockname()[1]}"


async def _received(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return head + await reader.readexactly(int(length[1]) if length else 0)
