"""A server that speaks TLS in front of one that does not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"


@contextlib.contextmanager
def in_front_of(port: int, directory: Path) -> Iterator[tuple[int, Path]]:
    """Forward to a port for the block's time; yield the port for TLS and the authority's file."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    trusted = directory / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tls", daemon=True)
    thread.start()
    pairs: set[asyncio.Task[None]] = set()
    serving = _serve(port, context, pairs)
    server = asyncio.run_coroutine_threadsafe(serving, loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1], trusted
    finally:
        asyncio.run_coroutine_threadsafe(_close(server, pairs), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(
    port: int, context: ssl.SSLContext, pairs: set[asyncio.Task[None]]
) -> asyncio.Server:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pairs.add(task)
        there, back = await asyncio.open_connection(HOST, port)
        try:
            await asyncio.gather(_forward(reader, back), _forward(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, back):
                end.transport.abort()

    return await asyncio.start_server(accept, HOST, 0, ssl=context)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError


async def _close(server: asyncio.Server, pairs: set[asyncio.Task[None]]) -> None:
    server.close()
    for task in pairs:
        task.cancel()
    await asyncio.gather(*pairs, return_exceptions=True)
    await asyncio.sleep(0)  # in which what was aborted is closed
