"""Upstream servers for the tests: the sample upstream, served by uvicorn on a port of its own."""

from __future__ import annotations

import functools
import socket
import threading
from typing import Any

import uvicorn

from gateway_project.upstream import prices
from gateway_project.upstream.app import SampleUpstream
from gateway_project.upstream.faults import Faults
from tests.support.waiting import eventually

HOST = "127.0.0.1"
market = functools.cache(prices.load)


class Served:
    """An ASGI application on a port of its own, in a thread."""

    def __init__(self, application: Any, **options: Any) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.name = f"{HOST}:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            application,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            timeout_graceful_shutdown=0,
            **options,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._thread.start()
        eventually(lambda: self._server.started, why="the server starts")

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self._listener.close()


class Upstream(Served):
    """One upstream server; `asked` lists the targets it was asked for."""

    def __init__(self, **faults: float) -> None:
        self.app = SampleUpstream(market(), Faults(**faults))
        self.asked: list[str] = []
        super().__init__(self._serve)

    def misbehave(self, **faults: float) -> None:
        self.app.faults = Faults(**faults)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        query = scope["query_string"].decode()
        self.asked.append(scope["path"] + (f"?{query}" if query else ""))
        await self.app(scope, receive, send)
