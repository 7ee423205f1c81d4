"""Two caches on one server under the same keys: ours, and the one of django-redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from django_redis.pool import ConnectionFactory

from tests.support.caches import DJANGO_REDIS, settings_for, unique_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey


class Pair(NamedTuple):
    """The same cache, twice."""

    ours: Any
    theirs: Any


@pytest.fixture
def make_pair(valkey: Valkey, make_caches: Callable[..., dict[str, Any]]) -> Callable[..., Pair]:
    """Make both caches with the same settings."""

    def make(**overrides: Any) -> Pair:
        settings = settings_for("tiered", valkey.url, **{"KEY_PREFIX": unique_prefix()} | overrides)
        made = make_caches(default=settings, theirs={**settings, "BACKEND": DJANGO_REDIS})
        return Pair(made["default"], made["theirs"])

    return make


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    return make_pair()


@pytest.fixture(autouse=True)
def _django_redis_closes_its_connections() -> Iterator[None]:
    """django-redis keeps its pools for the life of the process, and the test ends before that."""
    yield
    for pool in ConnectionFactory._pools.values():
        pool.disconnect()
    ConnectionFactory._pools.clear()
