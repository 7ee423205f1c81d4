"""Connections none of whose waits outlasts their deadline, whatever they wait in."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis.connection import Connection, SSLConnection

from tests.support import tls
from tests.support.stopwatch import Stopwatch
from tiercache.deadline import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.servers import Valkey

HOST = "127.0.0.1"


class WaitsElsewhere(socket.socket):
    """A socket that waits in something of its own, as gevent's do: only Python's time-outs hold."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        return super().recv_into(*args, **kwargs)


class ElsewhereConnection(Connection):
    def _connect(self) -> Any:
        sock = super()._connect()
        seconds = sock.gettimeout()
        other = WaitsElsewhere(fileno=sock.detach())
        other.settimeout(seconds)
        return other


@pytest.fixture(params=["the kernel", "TLS", "an event loop"])
def connection(
    request: pytest.FixtureRequest, own_valkey: Callable[..., Valkey], tmp_path: Path
) -> Iterator[Any]:
    """A connection to a server that takes nothing in and answers nothing any more."""
    server = own_valkey()
    with tls.in_front_of(server.port, tmp_path) as (port, trusted):
        if request.param == "TLS":
            kind: Any = bounded(SSLConnection)
            made = kind(host=HOST, port=port, ssl_ca_certs=str(trusted))
        else:
            kind = Connection if request.param == "the kernel" else ElsewhereConnection
            made = bounded(kind)(host=HOST, port=server.port)
        made.connect()
        assert made.line.exchange([("PING",)]) == [b"PONG"]
        server.freeze()
        yield made
        made.disconnect()


@pytest.mark.parametrize("seconds", [0.05, 0.4, 2.1])
def test_a_reply_is_not_waited_for_beyond_it(connection: Any, seconds: float) -> None:
    connection.deadline = time.monotonic() + 5  # that of a call before
    connection.line._sock._limit()
    connection.deadline = time.monotonic() + seconds
    started = time.monotonic()
    with Stopwatch() as watch, pytest.raises(TimeoutError):
        connection.line.exchange([("PING",)])
    assert time.monotonic() - started >= seconds * 0.95
    assert watch.seconds < seconds + 0.05


def test_what_is_sent_is_not_waited_for_beyond_it(connection: Any) -> None:
    # More than all buffers on the way hold, and soon copied.
    command = ("SET", "key", b"x" * 40_000_000)
    connection.deadline = time.monotonic() + 0.3
    with Stopwatch() as watch, pytest.raises(TimeoutError):
        connection.line.exchange([command])
    assert watch.seconds < 1.3


def test_nothing_is_begun_after_it(connection: Any) -> None:
    connection.deadline = time.monotonic() - 1
    with pytest.raises(TimeoutError, match="used up"):
        connection.line.exchange([("PING",)])
