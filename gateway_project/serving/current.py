"""The process's gateway: made of the table that is in force, anew when that is read anew."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.cache import caches

from gateway_project.problems import ProblemError
from gateway_project.routing import current
from gateway_project.routing.table import PoolEntry, Table
from gateway_project.serving.engine import Gateway
from gateway_project.upstreams import Pool, PoolOptions

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

LAST_ANSWERS: Final = 60.0
"""Seconds that answers of a pool may take which is in the table no more."""

_lock = threading.Lock()
_closing: set[asyncio.Task[None]] = set()
"""Tasks need somebody who holds them until they are done."""
_pools: dict[PoolEntry, Pool] = {}
_gateway: Gateway | None = None


def gateway() -> Gateway:
    """Return the gateway of the table in force.

    A pool whose entry is the same in a new table is the same pool, with what it knows of its
    servers; connections of those that are gone are closed.
    """
    table = current.table()
    made = _gateway
    return made if made is not None and made.table is table else _remade(table)


def reset() -> None:
    """Forget gateway and pools, so that the next use begins with the settings as they are then."""
    global _gateway  # noqa: PLW0603 - one for a process
    with _lock:
        _gateway = None
        _retire(list(_pools))


def pools() -> tuple[Pool, ...]:
    """Return the pools of the table in force."""
    with _lock:
        return tuple(_pools.values())


def _remade(table: Table) -> Gateway:
    global _gateway  # noqa: PLW0603 - one for a process
    with _lock:
        if _gateway is None or _gateway.table is not table:
            made = {
                entry: _pools.get(entry) or _made(entry)
                for entry in table.pools.values()
                if entry.servers
            }
            _retire([entry for entry in _pools if entry not in made])
            _pools.update(made)
            # An instance of its own: Django's belongs to a thread or a task.
            cache = cast("TieredCache", caches.create_connection("default"))
            pools = {entry.name: pool for entry, pool in made.items()}
            _gateway = Gateway(table, lambda name: pools.get(name) or _none(table, name), cache)
        return _gateway


def _made(entry: PoolEntry) -> Pool:
    options: dict[str, Any] = dict(entry.options)
    return Pool(entry.name, PoolOptions(servers=entry.servers, **options))


def _none(table: Table, name: str) -> Pool:
    raise ProblemError(
        HTTPStatus.BAD_GATEWAY,
        f"No upstream server is configured for the pool {name!r}: "
        f"set {table.pools[name].variable or 'its servers'}.",
    )


def _retire(entries: list[PoolEntry]) -> None:
    """Forget pools; close what they have in this event loop once their last answers are over."""
    retired = [_pools.pop(entry) for entry in entries]
    with suppress(RuntimeError):  # no event loop runs here, so none of its connections is open
        loop = asyncio.get_running_loop()
        for pool in retired:
            loop.call_later(LAST_ANSWERS, _close, pool)


def _close(pool: Pool) -> None:
    task = asyncio.get_running_loop().create_task(pool.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
