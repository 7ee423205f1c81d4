"""Connections none of whose operations outlasts a deadline."""

from __future__ import annotations

import _socket
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final, cast

from redis.connection import AbstractConnection

from .line import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_WAIT = 0.001
"""Seconds that a socket operation gets at the least: to wait for 0 s means not to wait at all."""

LONGEST_WAIT: Final = 1e6
"""Seconds that a socket is told at the most; none can be told of infinity."""

PART_WAITED: Final = 3 / 4
"""Which part of what is left the kernel waits at a time: its timers for sockets may be late by an
eighth (Linux, kernel/time/timer.c), so that the rest is waited for in ever smaller parts."""

IN_KERNEL: Final = (1 / 2, 7 / 8)
ELSEWHERE: Final = (1 - 1 / 64, 1 + 1 / 64)
"""Between which parts of what is left a time-out may stay as it was set: to set it takes a system
call, and most calls have the same budget as the one before."""

NOTHING_LEFT: Final = (float("inf"), 0.0)
"""From how much to how much is left, where there is nothing in between."""


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
    """A socket whose every wait ends by its connection's deadline.

    Where it waits in the kernel, the kernel bounds that: Python's own time-outs take a system call
    more for each operation. TLS, and sockets that wait in an event loop of theirs (gevent), have
    only Python's.
    """

    __slots__ = ("_from", "_in_kernel", "_owner", "_sock", "_to")

    def __init__(self, sock: Any, owner: Deadline) -> None:
        self._sock = sock
        self._owner = owner
        self._in_kernel = type(sock).recv_into is _socket.socket.recv_into
        # For how much time left the time-out may stay as it was set.
        self._from, self._to = NOTHING_LEFT

    def sendall(self, data: bytes | memoryview) -> None:
        while True:
            self._limit()
            try:
                sent = self._sock.send(data)
            except BlockingIOError as exc:
                self._has_waited(exc)
                continue
            if sent == len(data):
                return
            data = memoryview(data)[sent:]

    def recv_into(self, *args: Any) -> int:
        return cast("int", self._received(self._sock.recv_into, args))

    def recv(self, *args: Any) -> bytes:
        return cast("bytes", self._received(self._sock.recv, args))

    def _received(self, receive: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        while True:
            self._limit()
            try:
                return receive(*args)
            except BlockingIOError as exc:
                self._has_waited(exc)

    def settimeout(self, seconds: float | None) -> None:
        self._from, self._to = NOTHING_LEFT
        self._sock.settimeout(seconds)

    def _has_waited(self, exc: BlockingIOError) -> None:
        """The kernel has waited for a part of what was left: go on, if there was a deadline."""
        if self._owner.deadline is None:
            raise TimeoutError("timed out") from exc

    def _limit(self) -> None:
        """Let the next operation wait no longer than until the deadline."""
        deadline = self._owner.deadline
        if deadline is None:
            return
        left = deadline - time.monotonic()
        if not self._from <= left <= self._to:
            self._bound(cast("float", self._owner.left(None)))

    def _bound(self, left: float) -> None:
        """Set the time-out of each operation, for so much time left."""
        if self._in_kernel:
            seconds = min(left * PART_WAITED, LONGEST_WAIT)
            _let_the_kernel_end(self._sock, seconds)
            least, most = IN_KERNEL
        else:
            seconds = min(left, LONGEST_WAIT)
            self._sock.settimeout(seconds)
            least, most = ELSEWHERE
        self._from = seconds / most
        self._to = seconds / least if seconds < LONGEST_WAIT else float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _let_the_kernel_end(sock: Any, seconds: float) -> None:
    """Have each operation of a socket ended after so long."""
    sock.settimeout(None)
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
