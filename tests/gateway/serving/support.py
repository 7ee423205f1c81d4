"""What tests of the engine share: requests by hand, and servers that take their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from gateway_project.fast import Kinds
from gateway_project.serving.asked import Asked
from gateway_project.serving.replies import Reply
from tests.gateway.origin import Request
from tests.gateway.support import HOST
from tiercache.http.fields import Fields

from .conftest import Client

FRESH = "max-age=60"
STALE = "max-age=10, stale-while-revalidate=60"


def language_of(asked: Request) -> bytes:
    return (asked.fields.get("accept-language") or "none").encode()


async def raw(client: Client, target: str = "/a", **headers: str) -> Reply:
    """Return the reply as it is, its body not read."""

    async def read(_limit: int) -> bytes:
        return b""

    lines = [("host", "gateway.test"), *((n.replace("_", "-"), t) for n, t in headers.items())]
    return await client.gateway.answer(Asked("GET", target.encode(), fields=Fields(lines)), read)


def scope(path: str = "/a", *lines: tuple[str, str], host: str = "testserver") -> dict[str, Any]:
    """Return what ASGI says of a GET."""
    headers = [("host", host), *lines]
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("192.0.2.1", 1),
    }


def from_memory(kinds: Kinds, *lines: tuple[str, str], path: str = "/a") -> bytes | None:
    """Return the body of the fast path's answer; None where the request is Django's."""
    kind = kinds.of(scope(path, *lines))
    answer = kind.answer() if kind is not None else None
    return None if answer is None else answer[1]


@asynccontextmanager
async def trickling(head: bytes, parts: int, pause: float) -> AsyncIterator[str]:
    """Serve an answer whose body comes in parts of one byte; gives the server's address."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            for _ in range(parts):
                await asyncio.sleep(pause)
                writer.write(b"x")
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
