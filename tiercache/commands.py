"""What django-redis offers beyond Django's cache interface, by the same names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT

from . import stores
from .exceptions import NeedsRedis
from .face import Face
from .keys import glob, matcher
from .steps import FOREVER
from .structures import Structures


class Commands(Structures, Face):
    """django-redis's calls, as a part of `TieredCache`."""

    @property
    def client(self) -> Any:
        """django-redis's client on this cache's connections.

        What it changes is told to nobody, not even to this process's memory.

        Raises:
            NeedsRedis: this cache has no Redis tier.
        """
        if self._binding.client is None:
            raise NeedsRedis("this cache is the memory tier alone (LOCATION is empty): no client")
        return stores.client_for(self._binding, self)

    def lock(self, key: Any, version: int | None = None, **options: Any) -> Any:
        """Return redis-py's lock on this key; its calls raise when Redis is away.

        Raises:
            NeedsRedis: this cache has no Redis tier.
        """
        return self.client.lock(key, version=version, **options)

    def ttl(self, key: Any, version: int | None = None) -> int | None:
        """Return the seconds left, None for ever, 0 if it is not there."""
        left = self._left(key, version)
        return left if left is None else (left + 500) // 1000

    def pttl(self, key: Any, version: int | None = None) -> int | None:
        """Return the milliseconds left, None for ever, 0 if it is not there."""
        return self._left(key, version)

    def expire(self, key: Any, timeout: Any, version: int | None = None) -> bool:
        """Let an entry live `timeout` seconds (int or timedelta); False if it is not there."""
        seconds = self._whole(timeout, 1)
        return self._expire(key, version, "EXPIRE", seconds, seconds * 1000)

    def pexpire(self, key: Any, timeout: Any, version: int | None = None) -> bool:
        """Let an entry live `timeout` milliseconds (int or timedelta); False if not there."""
        milliseconds = self._whole(timeout, 1000)
        return self._expire(key, version, "PEXPIRE", milliseconds, milliseconds)

    def expire_at(self, key: Any, when: Any, version: int | None = None) -> bool:
        """Let an entry live until `when` (Unix seconds or datetime); False if not there."""
        second = int(when.timestamp()) if isinstance(when, datetime) else int(when)
        return self._expire(key, version, "EXPIREAT", second, int((second - time.time()) * 1000))

    def pexpire_at(self, key: Any, when: Any, version: int | None = None) -> bool:
        """Let an entry live until `when` (Unix milliseconds or datetime); False if not there."""
        moment = int(when.timestamp() * 1000) if isinstance(when, datetime) else int(when)
        return self._expire(key, version, "PEXPIREAT", moment, moment - int(time.time() * 1000))

    def persist(self, key: Any, version: int | None = None) -> bool:
        """Let an entry live for ever; False if it is not there or has no timeout."""
        return self._expire(key, version, "PERSIST", None, None)

    def keys(self, search: str = "*", version: int | None = None) -> list[str]:
        """Return the keys that fit a glob, each once; works through all of Redis's keys."""
        return list(dict.fromkeys(self.iter_keys(search, version=version)))

    def iter_keys(
        self, search: str = "*", itersize: int | None = None, version: int | None = None
    ) -> Iterator[str]:
        """Yield the keys that fit a glob, a batch at a time; one may come twice (SCAN)."""
        pattern = self._glob(search, version)
        match, cursor = matcher(pattern), 0
        while True:
            flow = self._flows.scan(cursor, pattern, match, *_count(itersize))
            cursor, found = self._run(flow)
            yield from map(self._binding.reverse_key, found)
            if not cursor:
                return

    def delete_pattern(
        self,
        pattern: str,
        version: int | None = None,
        prefix: str | None = None,
        itersize: int | None = None,
    ) -> int:
        """Remove all keys that fit a glob, in batches; return how many were there."""
        full = self._glob(pattern, version, prefix)
        return self._run(self._flows.remove_pattern(full, matcher(full), *_count(itersize)))

    # What they share

    def _glob(self, search: str, version: int | None, prefix: str | None = None) -> str:
        return glob(
            self.key_func,
            search,
            self.key_prefix if prefix is None else prefix,
            self.version if version is None else version,
        )

    def _expire(
        self, key: Any, version: int | None, command: str, argument: int | None, life: int | None
    ) -> bool:
        full = self.make_and_validate_key(key, version)
        changed: bool = self._run(self._flows.expire(full, command, argument, life))
        return changed

    def _left(self, key: Any, version: int | None) -> int | None:
        left = self._run(self._flows.left(self.make_and_validate_key(key, version)))
        return None if left == FOREVER else left or 0

    def _whole(self, timeout: Any, scale: int) -> int:
        """Return a whole number of the command's units."""
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        if isinstance(timeout, timedelta):
            return int(timeout.total_seconds() * scale)
        if isinstance(timeout, bool) or not isinstance(timeout, int):
            raise TypeError(f"timeout is {timeout!r}; allowed: a whole number, or a timedelta")
        return timeout


def _count(itersize: int | None) -> tuple[int, ...]:
    return () if itersize is None else (itersize,)
