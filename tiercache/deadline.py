"""Connections none of whose operations outlasts a deadline."""

from __future__ import annotations

import _socket
import select
import socket
import struct
import time
from typing import Any, Final, cast

from redis.connection import AbstractConnection

from .line import Line, line_of

SHORTEST_WAIT = 0.001
"""Seconds that a socket operation gets at the least: to wait for 0 s means not to wait at all."""

LONGEST_WAIT: Final = 1e6
"""Seconds that the kernel is told at the most; it cannot be told of infinity."""

TOLERANCE: Final = 1 / 64
"""By which share of what is left a wait may end early or late: to set a socket's time-out takes a
system call, and most calls have the same budget as the one before."""


class Deadline:
    """What a connection class is given so that nothing it does outlasts its deadline.

    redis-py's time-outs hold for each socket operation: a handshake has five, a trickling reply
    has any number. With a deadline set, each gets what is left of it.
    """

    deadline: float | None = None
    _poll: Any = None
    _line: Line | None = None

    def _connect(self) -> Any:
        sock = super()._connect()  # type: ignore[misc]
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        return _Socket(sock, self)

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        """Disconnect, as redis-py does."""
        self._line = None
        super().disconnect(*args, **kwargs)  # type: ignore[misc]

    @property
    def line(self) -> Line:
        """How commands and replies go over the connection, which is connected."""
        if self._line is None:
            self._line = line_of(self)
        return self._line

    def is_stale(self) -> bool:
        """Tell whether an idle connection was closed by the server, or holds unread data."""
        return self._sock is None or bool(self._poll.poll(0))  # type: ignore[attr-defined]

    def left(self, otherwise: float | None) -> float | None:
        """Seconds that the next socket operation may take."""
        if self.deadline is None:
            return otherwise
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time budget is used up")
        return max(left, SHORTEST_WAIT)

    @property
    def socket_timeout(self) -> float | None:
        """Seconds for one answer, as redis-py asks for them."""
        return self.left(self._socket_timeout)

    @socket_timeout.setter
    def socket_timeout(self, seconds: float | None) -> None:
        self._socket_timeout = seconds

    @property
    def socket_connect_timeout(self) -> float | None:
        """Seconds to connect, as redis-py asks for them."""
        return self.left(self._socket_connect_timeout)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, seconds: float | None) -> None:
        self._socket_connect_timeout = seconds


class _Socket:
    """A socket whose every wait ends by its connection's deadline."""

    __slots__ = ("_owner", "_seconds", "_sock")

    def __init__(self, sock: Any, owner: Deadline) -> None:
        self._sock = sock
        self._owner = owner
        # What waits were last bounded by; not a number before the first.
        self._seconds = float("nan")

    def sendall(self, data: bytes) -> None:
        self._limit()
        try:
            sent = self._sock.send(data)
            while sent < len(data):
                self._limit()
                sent += self._sock.send(memoryview(data)[sent:])
        except BlockingIOError as exc:
            raise TimeoutError("timed out") from exc

    def recv_into(self, *args: Any) -> int:
        self._limit()
        try:
            return cast("int", self._sock.recv_into(*args))
        except BlockingIOError as exc:
            raise TimeoutError("timed out") from exc

    def recv(self, *args: Any) -> bytes:
        self._limit()
        try:
            return cast("bytes", self._sock.recv(*args))
        except BlockingIOError as exc:
            raise TimeoutError("timed out") from exc

    def settimeout(self, seconds: float | None) -> None:
        self._seconds = float("nan")
        self._sock.settimeout(seconds)

    def _limit(self) -> None:
        """Let the next operation wait no longer than until the deadline."""
        deadline = self._owner.deadline
        if deadline is None:
            return
        left = deadline - time.monotonic()
        if not abs(left - self._seconds) <= left * TOLERANCE:
            seconds = cast("float", self._owner.left(None))
            _bound(self._sock, seconds)
            self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _bound(sock: Any, seconds: float) -> None:
    """Let each operation of a socket wait so long at the most.

    Where it waits in the kernel, the kernel bounds that: Python's own time-outs take a system call
    more for each operation. TLS, and sockets that wait in an event loop of theirs (gevent), do not.
    """
    if type(sock).recv_into is not _socket.socket.recv_into:
        sock.settimeout(seconds)
        return
    sock.settimeout(None)
    seconds = min(seconds, LONGEST_WAIT)
    whole = int(seconds)
    life = struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, life)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, life)


_classes: dict[type[AbstractConnection], type[AbstractConnection]] = {}


def bounded(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return the connection class with a deadline."""
    if issubclass(connection_class, Deadline):
        return connection_class
    if connection_class not in _classes:
        _classes[connection_class] = type(
            f"Bounded{connection_class.__name__}", (Deadline, connection_class), {}
        )
    return _classes[connection_class]
