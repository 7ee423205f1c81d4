"""Cache objects for tests: which backend, over which tiers, called in which way."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import Any

from tests.support.waiting import eventually
from tiercache.backend import TieredCache

TIERED = "tiercache.backend.TieredCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"

DEAD = "redis://127.0.0.1:1"
"""Nobody listens on port 1: connects are refused at once."""

TIERS = ("tiered", "memory", "away")
"""Both tiers; the memory tier alone; both configured, but Redis is away from the start."""


def unique_prefix() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


class Face:
    """The operations of one cache, called in one way ("sync" or "async") under their sync names.

    A test written once with it holds for both drivers. All asynchronous calls of one face run on
    one event loop, as in a server process.
    """

    def __init__(self, cache: Any, way: str) -> None:
        self.cache = cache
        self.way = way
        self._runner = asyncio.Runner() if way == "async" else None

    def __getattr__(self, operation: str) -> Any:
        if self._runner is None:
            return getattr(self.cache, operation)
        method = getattr(self.cache, f"a{operation}")

        def call(*args: Any, **kwargs: Any) -> Any:
            async def once() -> Any:
                return await method(*args, **kwargs)

            return self._runner.run(once())

        return call

    def finish(self) -> None:
        if self._runner is not None:
            self._runner.close()


def settings_for(tiers: str, url: str, **overrides: Any) -> dict[str, Any]:
    """Return the CACHES entry for one of `TIERS`, with Redis at `url` where there is one.

    It reports nothing, unless the test says so: commands are counted, and keys are looked at.
    """
    location = {"tiered": f"{url}/0", "memory": "", "away": f"{DEAD}/0"}[tiers]
    options = {"REPORT": None, **overrides.pop("OPTIONS", {})}
    named = {"BACKEND": TIERED, "LOCATION": location, "KEY_PREFIX": unique_prefix()}
    return {**named, "OPTIONS": options, **overrides}


def wait_until_joined(cache: Any) -> None:
    """Make a cache listen, and wait until it hears what others change.

    Until then it keeps nothing in memory, which most tests are about. Where the server is not
    there, nothing is waited for in vain for long.
    """
    if not isinstance(cache, TieredCache) or cache._binding.client is None:
        return
    node = cache._node
    node._get_ready()
    if not node.name.startswith(DEAD):
        with suppress(AssertionError):
            eventually(lambda: cache.stats().backplane != "lost", within=1.0)
