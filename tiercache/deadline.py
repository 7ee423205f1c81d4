"""Connections none of whose operations outlasts a deadline."""

from __future__ import annotations

import select
import time
from typing import Any, cast

from redis.connection import AbstractConnection

SHORTEST_WAIT = 0.001
"""Seconds that a socket operation gets at the least: to wait for 0 s means not to wait at all."""


class Deadline:
    """What a connection class is given so that nothing it does outlasts its deadline.

    redis-py's time-outs hold for each socket operation: a handshake has five, a trickling reply
    has any number. With a deadline set, each gets what is left of it.
    """

    deadline: float | None = None
    _poll: Any = None

    def _connect(self) -> Any:
        sock = super()._connect()  # type: ignore[misc]
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        return _Socket(sock, self)

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

    __slots__ = ("_owner", "_sock")

    def __init__(self, sock: Any, owner: Deadline) -> None:
        self._sock = sock
        self._owner = owner

    def sendall(self, data: bytes) -> None:
        if self._owner.deadline is not None:
            self._sock.settimeout(self._owner.left(None))
        self._sock.sendall(data)

    def recv_into(self, *args: Any) -> int:
        if self._owner.deadline is not None:
            self._sock.settimeout(self._owner.left(None))
        return cast("int", self._sock.recv_into(*args))

    def recv(self, *args: Any) -> bytes:
        if self._owner.deadline is not None:
            self._sock.settimeout(self._owner.left(None))
        return cast("bytes", self._sock.recv(*args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


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
