"""A TCP proxy between client and server that can be slow, silent, cut or gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from tests.support.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CHUNK = 65536


class Proxy:
    """Forwards to `target_port` from a port of its own, in one thread, until closed.

    Every change of behaviour holds at once, for open connections too. `requests` and `replies`
    count the chunks that came from clients and from the server; `turns` counts how often a client
    spoke after it had been answered (or first spoke): with replies held back for a moment, that is
    its round trips.
    """

    def __init__(self, target_port: int) -> None:
        self.forget()
        self._target_port = target_port
        self._delay = 0.0
        self._pause: float | None = None
        self._listener: socket.socket | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._forwards: dict[str, asyncio.Event] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self._do(self._begin())

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def heal(self) -> None:
        """Accept connections and forward at once, as on the first day."""
        self._delay, self._pause = 0.0, None
        self._do(self._listen())
        self._open("requests", "replies")

    def delay(self, seconds: float) -> None:
        """Hold each chunk of a reply back for so long."""
        self._delay = seconds

    def trickle(self, pause: float = 0.02) -> None:
        """Forward replies one byte at a time, with a pause after each."""
        self._pause = pause

    def blackhole(self, *directions: str) -> None:
        """Keep connections open, accept new ones, forward nothing ("requests", "replies", both)."""
        for direction in directions or ("requests", "replies"):
            self._call(self._forwards[direction].clear)

    def strand(self) -> None:
        """Let the connections that are open now fall silent for good; new ones are well."""

        async def once() -> None:
            for forward in self._forwards.values():
                forward.clear()
            self._forwards = _flowing()

        self._do(once())

    def cut(self) -> None:
        """Break all connections that are open now; new ones are accepted."""
        self._do(self._drop())

    def refuse(self) -> None:
        """Break all connections and refuse new ones."""
        self._do(self._unlisten())
        self._do(self._drop())

    def forget(self) -> None:
        """Set the counters to nought."""
        self.requests = self.replies = self.turns = 0
        self._answered = -1

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def close(self) -> None:
        """End: no connection, no socket and no thread is left."""
        self._do(self._unlisten())
        self._do(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self._loop.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def _call(self, change: Callable[[], object]) -> None:
        async def once() -> None:
            change()

        self._do(once())

    def _open(self, *directions: str) -> None:
        for direction in directions:
            self._call(self._forwards[direction].set)

    async def _begin(self) -> None:
        self._forwards = _flowing()
        await self._listen()

    async def _listen(self) -> None:
        # Not `asyncio.start_server`: it loses connections that are being accepted when it closes.
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port), backlog=512)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._loop.add_reader(self._listener, self._accept)

    async def _unlisten(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _drop(self) -> None:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            pair = self._loop.create_task(self._serve(client))
            self._pairs.add(pair)
            pair.add_done_callback(self._pairs.discard)
            # Here and not in the task, which never begins if it is cancelled at once.
            pair.add_done_callback(lambda _: client.close())

    async def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), socket.socket() as server:
            server.setblocking(False)
            await self._loop.sock_connect(server, (HOST, self._target_port))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            forwards = self._forwards
            await _first_of(
                self._ask(client, server, forwards["requests"]),
                self._answer(server, client, forwards["replies"]),
            )

    async def _ask(
        self, client: socket.socket, server: socket.socket, forward: asyncio.Event
    ) -> None:
        while chunk := await self._loop.sock_recv(client, CHUNK):
            self.requests += 1
            if self.replies != self._answered:
                self.turns += 1
            self._answered = self.replies
            await forward.wait()
            await self._loop.sock_sendall(server, chunk)

    async def _answer(
        self, server: socket.socket, client: socket.socket, forward: asyncio.Event
    ) -> None:
        while chunk := await self._loop.sock_recv(server, CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            self.replies += 1
            while self._pause is not None and chunk:
                await forward.wait()
                await self._loop.sock_sendall(client, chunk[:1])
                chunk = chunk[1:]
                await asyncio.sleep(self._pause)
            await forward.wait()
            await self._loop.sock_sendall(client, chunk)


def _flowing() -> dict[str, asyncio.Event]:
    forwards = {"requests": asyncio.Event(), "replies": asyncio.Event()}
    for forward in forwards.values():
        forward.set()
    return forwards


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run both until one ends, then end the other."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
