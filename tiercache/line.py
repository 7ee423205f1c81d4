"""The ways over a connection: commands packed and sent at once, replies taken as they come.

redis-py packs and reads one command at a time, through layers that make half of what a call costs
beyond the socket's own time. So where a connection is plain redis-py's with hiredis, bytes are made
and parsed here. A connection that has its own ways (a subclass that sends or reads otherwise, a
packer, the Python parser) is left to them.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

from redis.connection import AbstractConnection, DefaultParser
from redis.exceptions import ConnectionError, InvalidResponse, ResponseError  # noqa: A004

try:
    import hiredis
except ImportError:
    hiredis = None  # type: ignore[assignment,unused-ignore]

Command: TypeAlias = tuple[Any, ...]

READ_SIZE: Final = 65_536
"""Bytes that one read from a socket takes at the most: more than TLS decrypts at once (16 KiB), so
that it never holds back what no poll sees."""

_MORE: Final = object()
_ORDINARY: Final = frozenset({bytes, int, type(None)})
_PROBE: Final[Command] = ("GET", "k\xe9y", b"\xff", -1)


class Line(Protocol):
    """One connected connection, as commands and replies go over it."""

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once and read one reply for each; a refusal is a reply as well.

        Whatever is raised, replies may be left unread: the connection is not to be used again.
        """

    def arrived(self, seconds: float) -> list[Any] | None:
        """Wait so long at the most for bytes, and return what is complete with them.

        Replies and pushed messages alike; a refusal is returned as the error that it is. None if
        nothing came.
        """


def line_of(connection: Any) -> Line:
    """Return the line of one of redis-py's connections that has just been connected."""
    kind = type(connection)
    plain = (
        hiredis is not None
        and isinstance(connection._get_parser(), DefaultParser)
        and kind.read_response is AbstractConnection.read_response
        and kind.send_packed_command is AbstractConnection.send_packed_command
        and b"".join(connection.pack_commands([_PROBE])) == packed([_PROBE])
        # What redis-py has read beyond the handshake, only redis-py can go on with.
        and not connection.can_read(0)
    )
    return QuickLine(connection) if plain else PlainLine(connection)


def packed(commands: Sequence[Command]) -> bytes:
    """Return commands as Redis's protocol writes them; needs hiredis.

    Raises:
        TypeError: a word is neither text, bytes, nor a number.
    """
    if len(commands) == 1:
        return bytes(hiredis.pack_command(commands[0]))
    return b"".join(map(hiredis.pack_command, commands))


class PlainLine:
    """The line that goes redis-py's way."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once and read one reply for each."""
        connection = self._connection
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [self._read() for _ in commands]

    def arrived(self, seconds: float) -> list[Any] | None:
        """Wait so long at the most, and return what has come."""
        if not self._connection.can_read(seconds):
            return None
        replies = [self._read(push_request=True)]
        while self._connection.can_read(0):
            replies.append(self._read(push_request=True))
        return replies

    def _read(self, **options: Any) -> Any:
        try:
            return self._connection.read_response(disconnect_on_error=False, **options)
        except ResponseError as exc:
            return exc


class QuickLine:
    """The line that packs with hiredis and has a reader of its own.

    Made when redis-py's reader holds nothing; both may then be used, one after the other.
    """

    __slots__ = ("_buffer", "_feed", "_pack", "_parser", "_poll", "_reader", "_sock")

    def __init__(self, connection: Any) -> None:
        self._parser = connection._get_parser()
        self._pack = connection.pack_commands
        self._sock = connection._get_socket()
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=self._parser.parse_error,
            notEnoughData=_MORE,
        )
        # hiredis's own types know nothing of buffers, which it takes all the same.
        self._feed: Any = self._reader.feed
        self._buffer = bytearray(READ_SIZE)

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once and read one reply for each."""
        try:
            data = packed(commands)
        except TypeError:
            # Bytes of another kind, which redis-py turns into plain ones, or refuses.
            data = b"".join(self._pack(commands))
        self._sock.sendall(data)
        gets, replies = self._reader.gets, []
        for _ in commands:
            reply = gets()
            while reply is _MORE or (type(reply) not in _ORDINARY and self._is_aside(reply)):
                if reply is _MORE:
                    self._receive()
                reply = gets()
            replies.append(reply)
        return replies

    def arrived(self, seconds: float) -> list[Any] | None:
        """Wait so long at the most, and return what has come."""
        if not self._poll.poll(seconds * 1000):
            return None
        self._receive()
        gets, replies = self._reader.gets, []
        while (reply := gets()) is not _MORE:
            replies.append(_unless_ended(reply))
        return replies

    def _receive(self) -> None:
        count = self._sock.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the server has closed the connection")
        self._feed(self._buffer, 0, count)

    def _is_aside(self, reply: Any) -> bool:
        """Hand what was pushed to redis-py; tell whether that is what it was."""
        if isinstance(reply, hiredis.PushNotification):
            self._parser.handle_push_response(reply)
            return True
        _unless_ended(reply)
        return False


def _unless_ended(reply: Any) -> Any:
    """Return a reply, or raise what ends the connection: redis-py takes some refusals for that."""
    first = reply[0] if isinstance(reply, list) and reply else reply
    if isinstance(first, ConnectionError):
        raise first
    return reply
