"""redis-py's own client-side cache: RESP3, and the server tells the connection what changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .rival import SYNC, Rival


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Connect; the server's name is accepted as it is, since redis-py refuses Valkey's by name."""
    import redis
    from redis.cache import CacheConfig
    from redis.connection import CacheProxyConnection

    CacheProxyConnection.DEFAULT_SERVER_NAME = _name(url)
    with redis.Redis.from_url(
        url, protocol=3, cache_config=CacheConfig(), decode_responses=True
    ) as client:
        yield client


def _name(url: str) -> str:
    import redis

    with redis.Redis.from_url(url) as client:
        return str(client.info("server").get("server_name", "redis"))


def forget(client: Any) -> None:
    """Drop what the client holds."""
    client.get_cache().flush()


RIVAL = Rival(
    name="redis-py's cache",
    about="redis-py's client-side cache (`CacheConfig`, RESP3); it has text alone",
    can=SYNC | {"memory", "redis"},
    opened=opened,
    package="redis",
    forget=forget,
)
