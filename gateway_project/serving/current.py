"""The process's gateway: made of the table that is in force, anew when that is read anew."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from django.core.cache import caches

from gateway_project.problems import ProblemError
from gateway_project.routing import current
from gateway_project.routing.table import PoolEntry, Table
from gateway_project.serving.engine import Gateway
from gateway_project.upstreams import Pool, PoolOptions

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

_lock = threading.Lock()
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
    """Return the pools that were asked so far."""
    with _lock:
        return tuple(_pools.values())


def _remade(table: Table) -> Gateway:
    global _gateway  # noqa: PLW0603 - one for a process
    with _lock:
        if _gateway is None or _gateway.table is not table:
            _retire([entry for entry in _pools if entry not in table.pools.values()])
            # An instance of its own: Django's belongs to a thread or a task.
            cache = cast("TieredCache", caches.create_connection("default"))
            _gateway = Gateway(table, lambda name: _pool(table.pools[name]), cache)
        return _gateway


def _pool(entry: PoolEntry) -> Pool:
    pool = _pools.get(entry)
    if pool is not None:
        return pool
    if not entry.servers:
        raise ProblemError(
            HTTPStatus.BAD_GATEWAY,
            f"No upstream server is configured for the pool {entry.name!r}: "
            f"set {entry.variable or 'its servers'}.",
        )
    with _lock:
        options = PoolOptions(servers=entry.servers, **dict(entry.options))  # type: ignore[arg-type]
        return _pools.setdefault(entry, Pool(entry.name, options))


def _retire(entries: list[PoolEntry]) -> None:
    retired = [_pools.pop(entry) for entry in entries]
    with suppress(RuntimeError):  # no event loop runs here, so none of its connections is open
        loop = asyncio.get_running_loop()
        for pool in retired:
            task = loop.create_task(pool.aclose())
            _closing.add(task)
            task.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
"""Tasks need somebody who holds them until they are done."""
