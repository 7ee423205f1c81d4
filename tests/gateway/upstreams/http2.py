"""A server that speaks HTTP/2, with TLS (and HTTP/1.1 by ALPN) or without."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, RequestReceived, StreamEnded

from tests.gateway.upstreams.servers import WELL, Server, listening

AUTHORITY: Final = trustme.CA()
"""What signs the server's certificate; made anew for each process of tests."""


class Http2Server(Server):
    """Answers each request with 200; `fields` are those received.

    While `silent` it answers nothing, while `stalling` a header without a body; and while
    `pinging` it shows every 50 milliseconds that the connection is alive.
    """

    def __init__(self, *, secure: bool) -> None:
        super().__init__(WELL)
        self.secure = secure
        self.silent = self.stalling = self.pinging = False
        self.fields: list[list[tuple[bytes, bytes]]] = []

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.name}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            await super().talk(reader, writer)
            return
        self.opened += 1
        self.open += 1
        try:
            await self._talk(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        pings = asyncio.create_task(self._ping(connection, writer))
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    self._answer(connection, event)
                writer.write(connection.data_to_send())
        finally:
            pings.cancel()

    async def _ping(self, connection: H2Connection, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self.pinging:
                connection.ping(b"pingping")
                writer.write(connection.data_to_send())

    def _answer(self, connection: H2Connection, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.fields.append(list(event.headers))
        if isinstance(event, StreamEnded) and not self.silent:
            connection.send_headers(event.stream_id, [(":status", "200"), ("x-kept", "1")])
            if not self.stalling:
                connection.send_data(event.stream_id, b"well", end_stream=True)


@asynccontextmanager
async def serving_http2(*, secure: bool = True) -> AsyncIterator[Http2Server]:
    """Serve on a free port; end with all connections closed."""
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])
    server = Http2Server(secure=secure)
    async with listening(server, context):
        yield server
