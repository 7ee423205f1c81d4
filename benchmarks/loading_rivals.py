"""The caches whose callers `benchmarks.loading_workers` counts: each loads what it misses."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

TIERCACHE: Final = "tiercache"
CASHEWS: Final = "cashews"

_BACKENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        TIERCACHE: "tiercache.backend.TieredCache",
        "LocMemCache": "django.core.cache.backends.locmem.LocMemCache",
        "django-redis": "django_redis.cache.RedisCache",
    }
)

_PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"django-redis": "django_redis", CASHEWS: "cashews"}
)

Load = Callable[[], Any]
AsyncLoad = Callable[[], Awaitable[Any]]


class Cache(Protocol):
    """What callers ask; cashews has the second alone."""

    def get_or_set(self, key: str, load: Load, timeout: float) -> Any:
        """Return the value, loaded if there is none."""

    async def aget_or_set(self, key: str, load: AsyncLoad, timeout: float) -> Any:
        """Do the same on an event loop."""


def is_installed(rival: str) -> bool:
    """Tell whether it can take part."""
    return rival not in _PACKAGES or importlib.util.find_spec(_PACKAGES[rival]) is not None


def opened(rival: str, url: str, options: Mapping[str, Any], patience: float) -> Cache:
    """Set Django up with a cache, or make cashews; return it when it is ready to be asked.

    Args:
        rival: which.
        url: its server, with the database; "" for one that is in memory.
        options: `OPTIONS` of the cache.
        patience: seconds within which it has to be ready.
    """
    if rival == CASHEWS:
        return Cashews(url)
    import django
    from django.conf import settings

    conf = {
        "BACKEND": _BACKENDS[rival],
        "LOCATION": url,
        "KEY_PREFIX": "loading",
        "OPTIONS": dict(options),
    }
    settings.configure(CACHES={"default": conf})
    django.setup()
    from django.core.cache import cache

    cache.get("nothing")
    if rival != TIERCACHE:
        return ByHand(cache)
    _hear(cache, patience)
    return cast("Cache", cache)


def _hear(cache: Any, patience: float) -> None:
    """Wait until a node hears what the others change, if its server is there."""
    end = time.monotonic() + patience
    while cache.stats().backplane == "lost" and cache.stats().state == "up":
        if time.monotonic() > end:
            raise TimeoutError(f"the server is not heard in {patience:.0f} s")
        time.sleep(0.005)


class ByHand:
    """A cache of Django's, whose `aget_or_set` cannot await what loads: so that is written out."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self.get_or_set = cache.get_or_set

    async def aget_or_set(self, key: str, load: AsyncLoad, timeout: float) -> Any:
        """Get, and load and set what is not there, as an application would."""
        value = await self._cache.aget(key)
        if value is None:
            value = await load()
            await self._cache.aset(key, value, timeout)
        return value


class Cashews:
    """cashews, whose decorator is told to lock."""

    def __init__(self, url: str) -> None:
        from cashews import Cache as Made

        self._made = Made()
        self._made.setup(url or "mem://")
        self._loads: dict[str, AsyncLoad] = {}

    def get_or_set(self, key: str, load: Load, timeout: float) -> Any:
        """Refuse: it has asynchronous calls alone."""
        raise NotImplementedError(f"cashews cannot load {key!r} in a thread")

    async def aget_or_set(self, key: str, load: AsyncLoad, timeout: float) -> Any:
        """Call what loads, decorated once for each key."""
        if key not in self._loads:
            self._loads[key] = self._made(ttl=timeout, key=key, lock=True)(_own(load))
        return await self._loads[key]()


def _own(load: AsyncLoad) -> AsyncLoad:
    """Return a plain function, which is what the decorator takes."""

    async def loaded() -> Any:
        return await load()

    return loaded
