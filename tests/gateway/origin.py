"""An upstream server that answers what a test tells it to, on a port of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.gateway.support import Served
from tiercache.http.fields import Fields


class Request(NamedTuple):
    """What the origin was asked."""

    method: str
    target: str
    fields: Fields
    body: bytes


@dataclass
class Answer:
    """What it answers: header lines by name, a list for several lines of one name."""

    status: int = 200
    headers: dict[str, str | list[str]] = field(default_factory=dict)
    body: bytes = b"body"
    parts: int = 1
    """How often the body is sent."""
    pause: float = 0.0
    """Seconds between two parts."""

    def lines(self) -> list[tuple[bytes, bytes]]:
        return [
            (name.lower().encode(), value.encode("latin-1"))
            for name, values in self.headers.items()
            for value in (values if isinstance(values, list) else [values])
        ]


Script = Callable[[Request], Answer]


class Origin(Served):
    """One upstream server; `asked` lists the requests that it got."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.script: Script = lambda _: Answer()
        self.held: threading.Event | None = None
        super().__init__(self._serve, server_header=False, date_header=False)

    @property
    def count(self) -> int:
        return len(self.asked)

    def says(self, status: int = 200, body: bytes = b"body", **headers: str) -> None:
        """Answer everything with this; `cache_control` stands for Cache-Control."""
        named: dict[str, Any] = {name.replace("_", "-"): text for name, text in headers.items()}
        self.script = lambda _: Answer(status, named, body)

    def hold(self) -> threading.Event:
        """Keep answers back until the event that this returns is set."""
        self.held = threading.Event()
        return self.held

    def forget(self) -> None:
        """Be as at the beginning."""
        if self.held is not None:
            self.held.set()
        self.held = None
        self.asked.clear()
        self.script = lambda _: Answer()

    def close(self) -> None:
        self.forget()
        super().close()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        request = Request(scope["method"], target, Fields.decoded(scope["headers"]), body)
        self.asked.append(request)
        if self.held is not None:
            await asyncio.to_thread(self.held.wait)
        answer = self.script(request)
        lines = answer.lines()
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        if scope["method"] != "HEAD" and answer.status not in (204, 304):
            for _ in range(answer.parts):
                part = {"type": "http.response.body", "body": answer.body, "more_body": True}
                await send(part)
                await asyncio.sleep(answer.pause)
        await send({"type": "http.response.body", "body": b""})
