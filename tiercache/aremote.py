"""The asynchronous sender of commands: what `remote` is, for one event loop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import redis.asyncio as aio
import redis.connection as sync
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from .line import Command
from .primary import Primary
from .remote import MOST_CONNECTIONS
from .role import ROLE
from .sentinels import Address, Sentinels
from .steps import Step
from .trouble import FAILURES, away
from .wire import Wire, answer, unknown_scripts

# What redis-py keeps for itself among a pool's arguments, or what is not the same for asyncio.
_NOT_TAKEN = frozenset(
    {
        "connection_pool",
        "event_dispatcher",
        "himport_registry",
        "maint_notifications_config",
        "maint_notifications_pool_handler",
        "orig_host_address",
        "orig_socket_connect_timeout",
        "orig_socket_timeout",
        "parser_class",
        "retry",
        "socket_timeout",
    }
)


class AsyncRemote:
    """Carries out steps on one server from one event loop.

    Made inside the loop. Its connections are closed when the loop shuts its asynchronous
    generators down, as `asyncio.run` does.

    Args:
        pool: the synchronous pool; where and how it connects holds here as well.
        wire: makes the commands.
    """

    def __init__(self, pool: sync.ConnectionPool, wire: Wire) -> None:
        self._pool = _asyncio_pool(pool)
        self._primary = Primary.of(pool)
        self._wire = wire
        self._free = asyncio.Semaphore(min(pool.max_connections, MOST_CONNECTIONS))
        self._idle: deque[Any] = deque()
        self._lifeline: AsyncGenerator[None] | None = None

    async def perform(self, step: Step, deadline: float) -> Any:
        """Carry out a step by the deadline (`time.monotonic()`) and return its answer.

        Raises:
            RedisAway: Redis did not serve it; it may have been carried out all the same.
            redis.exceptions.ResponseError: the command does not fit what is under the key.
        """
        connection, connected, broken = None, False, True
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)), self._free:
                try:
                    connection = self._take()
                    await self._connect(connection, deadline)
                    connected = True
                    reply = await self._carry_out(step, connection)
                    broken = False
                except ResponseError:
                    broken = False
                    raise
                finally:
                    if connection is not None:
                        await self._give_back(connection, broken=broken)
        except FAILURES as exc:
            trouble = away(exc, connected=connected)
            if trouble is None:
                raise
            self._primary.doubt(trouble, connected=connected)
            raise trouble from exc
        return reply

    async def _carry_out(self, step: Step, connection: Any) -> Any:
        sent = self._wire.commands(step)
        replies = await _exchange(connection, sent)
        unknown = unknown_scripts(sent, replies)
        if unknown:
            again = await _exchange(connection, [command for _, command in unknown])
            for (position, _), reply in zip(unknown, again, strict=True):
                replies[position] = reply
        return answer(step, replies)

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            # One place decides what a failure means, and that is not a retry with its pauses.
            connection.retry = Retry(NoBackoff(), 0)
            return connection

    async def _connect(self, connection: Any, deadline: float) -> None:
        if connection.is_connected:
            if connection.turn == self._primary.turn and not await connection.can_read():
                return
            # Of a server in doubt, closed by it, or with an answer left that nobody waited for.
            await connection.disconnect(nowait=True)
        if self._lifeline is None:
            self._lifeline = self._until_the_loop_ends()
            await anext(self._lifeline)
        sentinels = self._primary.sentinels
        if sentinels is not None:
            connection.host, connection.port = address = await _ask(sentinels, deadline)
            self._primary.found(address)
        connection.turn = self._primary.turn
        await connection.connect()
        if sentinels is not None:
            (reply,) = await _exchange(connection, [ROLE])
            self._primary.verify(reply)

    async def _give_back(self, connection: Any, *, broken: bool) -> None:
        if broken:
            await connection.disconnect(nowait=True)
            self._idle.appendleft(connection)
        else:
            self._idle.append(connection)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            for connection in tuple(self._idle):
                await connection.disconnect()


async def _exchange(connection: Any, commands: list[Command]) -> list[Any]:
    """Send commands at once and read one reply for each; a refusal is a reply as well."""
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    replies = []
    for _ in commands:
        try:
            replies.append(await connection.read_response(disconnect_on_error=False))
        except ResponseError as exc:
            replies.append(exc)
    return replies


async def _ask(sentinels: Sentinels, deadline: float) -> Address:
    """Return the primary's address; `Sentinels.ask` for an event loop."""
    for pool, until in sentinels.turns(deadline):
        connection = _asyncio_pool(pool).make_connection()  # type: ignore[no-untyped-call]
        connection.retry = Retry(NoBackoff(), 0)
        with suppress(*FAILURES):
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await connection.connect()
                    (reply,) = await _exchange(connection, [sentinels.question])
                return sentinels.answered(pool, reply)
            finally:
                await connection.disconnect(nowait=True)
    raise sentinels.nobody_knows()


def _asyncio_pool(pool: sync.ConnectionPool) -> aio.ConnectionPool:
    """Return the asyncio pool that connects where and how the synchronous one does."""
    target: type[Any]
    if issubclass(pool.connection_class, sync.UnixDomainSocketConnection):
        target = aio.UnixDomainSocketConnection
    elif issubclass(pool.connection_class, sync.SSLConnection):
        target = aio.SSLConnection
    else:
        target = aio.Connection
    return aio.ConnectionPool(target, **_taken(pool.connection_kwargs, target))


def _taken(kwargs: dict[str, Any], target: type[Any]) -> dict[str, Any]:
    """Choose the arguments that the asyncio connection has too; the deadline bounds its reads."""
    known = {
        name
        for base in target.__mro__
        for name in inspect.signature(base).parameters
        if base is not object
    }
    taken = {name: value for name, value in kwargs.items() if name in known - _NOT_TAKEN}
    return {**taken, "socket_timeout": None}
