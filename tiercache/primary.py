"""Which server the store's connections are to be with, and what ends their being so.

A primary that was demoted goes on answering: reads with what it has, subscribers with silence.
So no connection is used because it is open, but because nothing has put its server in doubt since.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .exceptions import RedisAway
from .role import ROLE, is_replica
from .sentinels import Address, Sentinels
from .trouble import FAILURES

IN_DOUBT = frozenset({"refused", "timeout", "closed", "readonly", "down"})
"""What may mean that the primary is another server now; see `RedisAway.KINDS`."""

TO_ASK = 1.0
"""Seconds for the Sentinels to answer where no call waits for it."""


class Primary:
    """What all connections of one store in one process know of their server. Thread-safe.

    Args:
        pool: redis-py's pool for it.

    Attributes:
        turn: grows when connections made before have to be made anew before they are used.
        sentinels: who knows its address, None where the settings do.
    """

    def __init__(self, pool: Any) -> None:
        self.turn = 0
        self._pool = pool
        self.sentinels = Sentinels.of(pool)
        self._address: Address | None = None
        self._moved: list[Callable[[], None]] = []

    @property
    def address(self) -> Address | None:
        """Where a Sentinel has told that it is; None if none was asked yet, or there are none."""
        return self._address

    @classmethod
    def of(cls, pool: Any) -> Primary:
        """Return the one that belongs to a pool."""
        primary: Primary = vars(pool).setdefault("_tiercache_primary", cls(pool))
        return primary

    def connect(self, connection: Any) -> None:
        """Connect one of the pool's connections to the primary, by its deadline if it has one."""
        if self.sentinels is None:
            connection.turn = self.turn
            connection.connect()
            return
        deadline = connection.deadline or time.monotonic() + TO_ASK
        address = self.sentinels.ask(deadline)
        self.found(address)
        connection.turn = self.turn
        connection.connect_to(address)
        connection.send_command(*ROLE, check_health=False)
        self.verify(connection.read_response())

    def found(self, address: Address) -> None:
        """Take in what a Sentinel has told; everybody moves if that is news."""
        before, self._address = self._address, address
        if before not in (None, address):
            self._move()

    def verify(self, reply: Any) -> None:
        """Refuse a server that Sentinel calls the primary while it is a replica itself.

        Raises:
            MasterNotFoundError: it said so.
        """
        if self.sentinels is not None and is_replica(reply):
            raise self.sentinels.nobody_knows()

    def doubt(self, away: RedisAway, *, connected: bool) -> None:
        """Note that a step was not served: look for the server anew if it may be another."""
        if away.kind not in IN_DOUBT:
            return
        if away.kind == "readonly" or (away.kind == "down" and connected):
            # It is a replica, so what is said elsewhere may not be heard on it either.
            self._move()
        else:
            self.renew()

    def renew(self) -> None:
        """Have every connection made anew before it is used again."""
        self.turn += 1
        # Those that redis-py keeps for itself, for `lock` and whoever asks for its client.
        self._pool.disconnect(inuse_connections=False)

    def look(self) -> None:
        """Ask the Sentinels; what is not found out now will be by whoever connects."""
        if self.sentinels is not None:
            with suppress(*FAILURES):
                self.found(self.sentinels.ask(time.monotonic() + TO_ASK))

    def tell(self, moved: Callable[[], None]) -> None:
        """Call this when it is time to leave the server, until `tell_no_more`."""
        self._moved.append(moved)

    def tell_no_more(self, moved: Callable[[], None]) -> None:
        """Call this no more."""
        with suppress(ValueError):
            self._moved.remove(moved)

    def reset_after_fork(self) -> None:
        """Forget the parent's listeners, whose sockets are still theirs."""
        self._moved = []

    def _move(self) -> None:
        self.renew()
        for moved in tuple(self._moved):
            moved()
