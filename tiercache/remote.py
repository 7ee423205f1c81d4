"""The synchronous sender of commands: borrow a connection, send, read, within the time budget.

Connections are redis-py's, made by django-redis's connection factory; what is spared is the
way to them: a pool's bookkeeping on each borrowing, and one send and one read per command.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, cast

from django_redis.exceptions import ConnectionInterrupted
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import MaxConnectionsError, ResponseError
from redis.retry import Retry

from .deadline import bounded
from .exceptions import RedisAway
from .line import Command
from .primary import Primary
from .steps import Call, Step
from .telemetry import Place
from .trouble import FAILURES, away
from .wire import Wire, answer, unknown_scripts

MOST_CONNECTIONS = 64
"""Connections that calls use at once, unless the pool allows fewer; further ones wait."""


class Remote:
    """Carries out steps on one server. Thread-safe.

    Args:
        pool: redis-py's pool, which makes the connections and limits how many there are.
        wire: makes the commands.
    """

    def __init__(self, pool: ConnectionPool, wire: Wire) -> None:
        pool.connection_class = bounded(pool.connection_class)
        self._pool = pool
        self._primary = Primary.of(pool)
        self._wire = wire
        self._most = min(pool.max_connections, MOST_CONNECTIONS)
        self._begin()

    def _begin(self) -> None:
        self._idle: deque[Any] = deque()
        self._given_back = threading.Condition()
        self._made = self._waiting = 0

    def perform(self, step: Step, deadline: float) -> Any:
        """Carry out a step by the deadline (`time.monotonic()`) and return its answer.

        Raises:
            RedisAway: Redis did not serve it; it may have been carried out all the same.
            redis.exceptions.ResponseError: the command does not fit what is under the key.
        """
        connection, broken = None, True
        try:
            connection = self._borrow(deadline)
            reply = self._carry_out(step, connection)
            broken = False
        except FAILURES as exc:
            connected = connection is not None
            trouble = away(exc, connected=connected)
            if trouble is None:
                # A refused command leaves the connection as good as it was.
                broken = not isinstance(exc, ResponseError)
                raise
            broken = trouble.kind not in RedisAway.WRITES_ONLY - {"readonly"}
            self._primary.doubt(trouble, connected=connected)
            raise trouble from exc
        finally:
            if connection is not None:
                self._give_back(connection, broken=broken)
        return reply

    def _carry_out(self, step: Step, connection: Any) -> Any:
        if isinstance(step, Call):
            return _call(step, _Client(connection, self._pool, self._wire.afterwards(step)))
        sent, line = self._wire.commands(step), connection.line
        replies = line.exchange(sent)
        unknown = unknown_scripts(sent, replies)
        if unknown:
            again = line.exchange([command for _, command in unknown])
            for (position, _), reply in zip(unknown, again, strict=True):
                replies[position] = reply
        return answer(step, replies)

    def place(self, store: str) -> Place:
        """Return where the server is; `store` is what logs call it."""
        known = self._pool.connection_kwargs
        database = int(known.get("db") or 0)
        if "path" in known:
            return Place(store, str(known["path"]), None, database)
        told = ("", None) if self._primary.sentinels else (known.get("host", "localhost"), 6379)
        address, port = self._primary.address or (told[0], known.get("port", told[1]))
        return Place(store, str(address), port, database)

    def close(self) -> None:
        """Close the connections that nobody uses now; they open again when they are needed."""
        for connection in tuple(self._idle):
            connection.disconnect()

    def reset_after_fork(self) -> None:
        """Forget the parent's connections without a word to the server, which is still theirs."""
        self._begin()
        self._pool.reset()
        self._primary.reset_after_fork()

    def _borrow(self, deadline: float) -> Any:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._one_more(deadline)
        try:
            connection.deadline = deadline
            if connection.is_stale() or connection.turn != self._primary.turn:
                connection.disconnect()
                self._primary.connect(connection)
        except BaseException:
            self._give_back(connection, broken=True)
            raise
        return connection

    def _one_more(self, deadline: float) -> Any:
        """Return a new connection, or one that is given back if there may be no more."""
        with self._given_back:
            if self._made < self._most:
                connection = cast("Any", self._pool.make_connection())
                self._made += 1
                # One place decides what a failure means, and that is not a retry with its pauses.
                connection.retry = Retry(NoBackoff(), 0)
                return connection
            # First counted, then looked: whoever gives back does it the other way round.
            self._waiting += 1
            try:
                while True:
                    with suppress(IndexError):
                        return self._idle.pop()
                    if not self._given_back.wait(max(deadline - time.monotonic(), 0)):
                        raise MaxConnectionsError("all connections are in use")
            finally:
                self._waiting -= 1

    def _give_back(self, connection: Any, *, broken: bool) -> None:
        connection.deadline = None
        if broken:
            # It can be connected anew, so it stays ours; whoever borrows prefers another.
            connection.disconnect()
            self._idle.appendleft(connection)
        else:
            self._idle.append(connection)
        if self._waiting:
            with self._given_back:
                self._given_back.notify()


def _call(step: Call, client: Redis) -> Any:
    try:
        return step.function(client)
    except ConnectionInterrupted as exc:
        # django-redis wraps what redis-py raised, in some of its calls.
        raise exc.__cause__ or exc from None


class _Client(Redis):
    """A redis-py client on one borrowed connection, for django-redis's data-structure calls.

    Each command and what has to come after it are one transaction.
    """

    def __init__(self, connection: Any, pool: ConnectionPool, afterwards: list[Command]) -> None:
        super().__init__(connection_pool=pool)
        self._borrowed = connection
        self._afterwards = afterwards

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self._afterwards:
            sent = [("MULTI",), args, *self._afterwards, ("EXEC",)]
            replies = self._borrowed.line.exchange(sent)
            refusals = [reply for reply in replies if isinstance(reply, ResponseError)]
            # The first refusal says why; what EXEC says of it is that there was one.
            source = _Reply(refusals[0] if refusals else replies[-1][0])
        else:
            self._borrowed.send_command(*args, check_health=False)
            source = self._borrowed
        return self.parse_response(source, args[0], **options)  # type: ignore[no-untyped-call]


class _Reply:
    """A reply that has been read, for redis-py's `parse_response`."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply

    def read_response(self, **_: Any) -> Any:
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply
