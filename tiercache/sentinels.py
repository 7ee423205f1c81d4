"""Sentinel: it knows which server the primary is, and says so when that changes.

redis-py asks as well, but each Sentinel that is not there costs its client's ten retries, and one
that is frozen all of the time there is. Here no question outlasts the call that needs its answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

from .deadline import bounded
from .listener import Listener
from .trouble import FAILURES

Address: TypeAlias = tuple[str, int]

SWITCH = "+switch-master"
"""The channel on which a Sentinel tells that a primary has another address."""


class Sentinels:
    """The Sentinels of one service, asked one after the other. Thread-safe.

    Args:
        pool: django-redis's pool for the service's primary.

    Attributes:
        question: the command that asks for the address.
    """

    def __init__(self, pool: SentinelConnectionPool) -> None:
        self._service = pool.service_name
        self._pools = [client.connection_pool for client in pool.sentinel_manager.sentinels]
        self._to_listen_to = itertools.cycle(tuple(self._pools))
        self.question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)

    @classmethod
    def of(cls, pool: Any) -> Sentinels | None:
        """Return those that a pool has its primary from, None if it needs none."""
        return cls(pool) if isinstance(pool, SentinelConnectionPool) and pool.is_master else None

    def turns(self, deadline: float) -> Iterator[tuple[Any, float]]:
        """Yield each one's pool, and until when it may answer: some time is left for the rest."""
        pools = tuple(self._pools)
        for number, pool in enumerate(pools):
            now = time.monotonic()
            yield pool, now + (deadline - now) / (len(pools) - number + 1)

    def answered(self, pool: Any, reply: Any) -> Address:
        """Return the address in a Sentinel's reply; this one is asked first from now on.

        Raises:
            MasterNotFoundError: it does not know the service.
        """
        if not reply:
            raise self.nobody_knows()
        self._pools = [pool, *(other for other in self._pools if other is not pool)]
        host, port = reply
        return (host.decode() if isinstance(host, bytes) else host), int(port)

    def nobody_knows(self) -> MasterNotFoundError:
        """Return the error that says so."""
        return MasterNotFoundError(f"no Sentinel names a primary of {self._service!r}")

    def ask(self, deadline: float) -> Address:
        """Return the primary's address by the deadline.

        Raises:
            MasterNotFoundError: no Sentinel has told.
        """
        for pool, until in self.turns(deadline):
            connection = _connection(pool)
            connection.deadline = until
            with suppress(*FAILURES):
                try:
                    connection.connect()
                    connection.send_command(*self.question, check_health=False)
                    return self.answered(pool, connection.read_response())
                finally:
                    connection.disconnect()
        raise self.nobody_knows()

    def watch(self, changed: Callable[[], object]) -> Listener:
        """Return a listener that calls `changed` when there may be another primary."""
        return Listener(
            lambda: _connection(next(self._to_listen_to), protocol=3),
            lambda: [("SUBSCRIBE", SWITCH)],
            _Audience(changed),
        )


class _Audience:
    """Takes everything that a Sentinel says, and each new subscription, for a change."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed

    def joined(self) -> None:
        self._changed()

    def lost(self) -> None:
        pass

    def heard(self, *_: object) -> None:
        self._changed()


def _connection(pool: Any, **options: Any) -> Any:
    """Make a connection to one Sentinel, like its client's but without the retries."""
    connection: Any = bounded(pool.connection_class)(**{**pool.connection_kwargs, **options})
    connection.retry = Retry(NoBackoff(), 0)
    return connection
