"""What operators' calls need of a cache: its node, its globs, and Redis's replies as they are."""

from __future__ import annotations

from typing import Any

from tiercache.backend import TieredCache
from tiercache.exceptions import CannotEnumerate
from tiercache.flows import Flows
from tiercache.keys import glob, namespace
from tiercache.node import Node
from tiercache.steps import Ask, Flow

EVERYTHING = "*"
"""The glob that every key of a database fits."""


def node_of(cache: TieredCache) -> Node:
    """Return what this process holds of the cache's store."""
    return cache._node


def flows_of(cache: TieredCache) -> Flows:
    """Return the cache's operations, which take effect at once in whatever transaction."""
    return cache._binding.flows


def alias_of(cache: TieredCache) -> str:
    """Return the cache's name in `CACHES`."""
    return cache._binding.alias or ""


def budget_of(cache: TieredCache) -> float:
    """Return the seconds that one call of this cache may spend on Redis."""
    return cache._binding.options.time_budget


def send(cache: TieredCache, *commands: tuple[Any, ...], changes: bool = False) -> list[Any]:
    """Send commands at once and return their replies; those that were refused are errors.

    Args:
        commands: each a command's words.
        changes: whether they may change anything.

    Raises:
        RedisAway: Redis did not serve them, or there is none.
    """

    def flow() -> Flow[list[Any]]:
        replies: list[Any] = yield Ask(commands, changes)
        return replies

    return node_of(cache).run(flow(), budget_of(cache))


def glob_of(cache: TieredCache, pattern: str, version: int | None) -> str:
    """Return the glob of full keys for a glob of keys as the code names them.

    Raises:
        CannotEnumerate: the `KEY_FUNCTION` leaves no pattern.
    """
    chosen = cache.version if version is None else version
    return glob(cache.key_func, pattern, cache.key_prefix, chosen)


def namespace_of(cache: TieredCache) -> str | None:
    """Return the glob of all the cache's full keys, None where its key function leaves none."""
    try:
        return namespace(cache.key_func, cache.key_prefix)
    except CannotEnumerate:
        return None
