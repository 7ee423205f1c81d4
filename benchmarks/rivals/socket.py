"""A bare socket and hiredis: what one round trip to the server costs, without a client library."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from .rival import SYNC, Rival

_MOST = 65_536


class Socket:
    """One connection, on which every call sends a command and waits for its reply."""

    def __init__(self, host: str, port: int, database: str) -> None:
        import hiredis

        self._pack: Any = hiredis.pack_command
        self._reader = hiredis.Reader()
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ask("SELECT", database)

    def get(self, key: str) -> Any:
        """Return a value's bytes."""
        return self._ask("GET", key)

    def set(self, key: str, value: str) -> Any:
        """Write a value."""
        return self._ask("SET", key, value)

    def delete(self, key: str) -> Any:
        """Delete a key."""
        return self._ask("DEL", key)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _ask(self, *command: str) -> Any:
        self._socket.sendall(self._pack(command))
        reader = self._reader
        while (reply := reader.gets()) is False:
            if not (received := self._socket.recv(_MOST)):
                raise ConnectionError("the server has closed the connection")
            reader.feed(received)
        if isinstance(reply, Exception):
            raise reply
        return reply


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Connect."""
    place = urlsplit(url)
    made = Socket(str(place.hostname), int(place.port or 0), place.path.strip("/") or "0")
    try:
        yield made
    finally:
        made.close()


RIVAL = Rival(
    name="bare socket",
    about="a socket and hiredis, without a client library: the limit of one round trip",
    can=SYNC | {"redis", "limit"},
    opened=opened,
    package="hiredis",
)
