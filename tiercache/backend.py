"""`TieredCache`: the face that Django sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.exceptions import SynchronousOnlyOperation

from . import sources
from .commands import Commands
from .entry import MISSING
from .flows import Extras
from .keys import matcher, namespace
from .loads import Loads
from .steps import Flow


class TieredCache(Loads, Commands):
    """A Django cache whose reads come from process memory and whose truth is in Redis or Valkey.

    Django makes an instance for each thread and asynchronous context; all of them share what
    the process holds. Beyond `BaseCache` it answers django-redis's calls by the same names.
    Settings are described in `docs/settings.md`.
    """

    # One key

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value, `default` if there is none; `None` is a value."""
        # Stands here and in `aget`: to call it would cost as much as the hit itself.
        if version is None and type(key) is str and not sources.watching:
            entry = self._shelf.names.get(key)
            if entry is not None and monotonic() < entry.deadline:
                entry.used = True
                if not entry.form:
                    self._calls.memory_hits += 1
                    return entry.held
                value = self._open(entry)
                if value is not MISSING:
                    return value
        value = self._held(key, version)
        if value is MISSING:
            full = self.make_and_validate_key(key, version)
            value = self._run(self._flows.get(full))
        return default if value is MISSING else value

    async def aget(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value, `default` if there is none; `None` is a value."""
        if version is None and type(key) is str and not sources.watching:
            entry = self._shelf.names.get(key)
            if entry is not None and monotonic() < entry.deadline:
                entry.used = True
                if not entry.form:
                    self._calls.memory_hits += 1
                    return entry.held
                value = self._open(entry)
                if value is not MISSING:
                    return value
        value = self._held(key, version)
        if value is MISSING:
            full = self.make_and_validate_key(key, version)
            value = await self._arun(self._flows.get(full))
        return default if value is MISSING else value

    def set(  # type: ignore[override]
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        nx: bool = False,
        xx: bool = False,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> bool:
        """Write a value; with `nx` only where there is none, with `xx` only where there is one.

        Args:
            timeout: seconds that it lives, fractions included; 0 or less: it is gone at once;
                None: for ever.
            grace: seconds after that for which `get_or_set` may serve it stale; None: none.
            tags: names by which `evict_tags` evicts it.

        Returns:
            Whether it was written.

        Raises:
            TypeError, ValueError: the timeout is not a number, or the serializer cannot carry the
                value; nothing has been changed then.
        """
        extras = self._extras(grace, tags, version)
        return self._run(self._set(key, value, timeout, version, _when(nx=nx, xx=xx), extras))

    async def aset(  # type: ignore[override]
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        nx: bool = False,
        xx: bool = False,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> bool:
        """Do as `set`."""
        extras = self._extras(grace, tags, version)
        when = _when(nx=nx, xx=xx)
        try:
            return await self._arun(self._set(key, value, timeout, version, when, extras))
        except SynchronousOnlyOperation:
            # Serializing the value asks the database: a queryset that was not evaluated.
            more: dict[str, Any] = {"nx": nx, "xx": xx, "grace": grace, "tags": tags}
            return await sync_to_async(self.set)(key, value, timeout, version, **more)

    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> bool:
        """Write a value only where there is none; return whether it was written."""
        return self.set(key, value, timeout, version, nx=True, grace=grace, tags=tags)

    async def aadd(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> bool:
        """Do as `add`."""
        return await self.aset(key, value, timeout, version, nx=True, grace=grace, tags=tags)

    def touch(
        self,
        key: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Give an entry another timeout; return False if there is none."""
        return self._run(self._touch(key, timeout, version))

    async def atouch(
        self,
        key: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Do as `touch`."""
        return await self._arun(self._touch(key, timeout, version))

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Delete a key; return whether it was there."""
        return bool(self._run(self._delete((key,), version)))

    async def adelete(self, key: Any, version: int | None = None) -> bool:
        """Do as `delete`."""
        return bool(await self._arun(self._delete((key,), version)))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        """Tell whether there is anything under the key."""
        full = self._full_key(key, version)
        return self._is_held(full) or self._run(self._flows.has(self._checked(full)))

    async def ahas_key(self, key: Any, version: int | None = None) -> bool:
        """Do as `has_key`."""
        full = self._full_key(key, version)
        return self._is_held(full) or await self._arun(self._flows.has(self._checked(full)))

    def incr(
        self,
        key: Any,
        delta: Any = 1,
        version: int | None = None,
        *,
        ignore_key_check: bool = False,
    ) -> Any:
        """Add to a value and return the sum.

        Args:
            ignore_key_check: begin with 0 where there is none (django-redis).

        Raises:
            ValueError: there is none.
            TypeError: it is of a type that cannot be added to.
        """
        full = self.make_and_validate_key(key, version)
        total = self._run(self._flows.increment(full, delta, create=ignore_key_check))
        if total is MISSING:
            raise _not_found(key)
        return total

    async def aincr(
        self,
        key: Any,
        delta: Any = 1,
        version: int | None = None,
        *,
        ignore_key_check: bool = False,
    ) -> Any:
        """Do as `incr`."""
        full = self.make_and_validate_key(key, version)
        total = await self._arun(self._flows.increment(full, delta, create=ignore_key_check))
        if total is MISSING:
            raise _not_found(key)
        return total

    def decr(self, key: Any, delta: Any = 1, version: int | None = None) -> Any:
        """Subtract from a value and return the difference; raise as `incr`."""
        return self.incr(key, -delta, version)

    async def adecr(self, key: Any, delta: Any = 1, version: int | None = None) -> Any:
        """Do as `decr`."""
        return await self.aincr(key, -delta, version)

    def incr_version(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Give an entry another version and return that; its timeout stays.

        Raises:
            ValueError: there is no such entry.
        """
        old, new, target = self._versions(key, delta, version)
        if not self._run(self._flows.rename(old, new)):
            raise _not_found(key)
        return target

    async def aincr_version(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Do as `incr_version`."""
        old, new, target = self._versions(key, delta, version)
        if not await self._arun(self._flows.rename(old, new)):
            raise _not_found(key)
        return target

    # Many keys

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        """Return the values that are there, by key; Redis is asked once, if at all."""
        values, missing = self._held_of(keys, version)
        if missing:
            found = self._run(self._flows.get_many(tuple(missing)))
            values.update((missing[full], value) for full, value in found.items())
        return values

    async def aget_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        """Do as `get_many`."""
        values, missing = self._held_of(keys, version)
        if missing:
            found = await self._arun(self._flows.get_many(tuple(missing)))
            values.update((missing[full], value) for full, value in found.items())
        return values

    def set_many(
        self,
        data: Mapping[Any, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> list[Any]:
        """Write values, all in one round trip; return the keys that failed, which are none."""
        extras = self._extras(grace, tags, version)
        self._run(self._set_many(data, timeout, version, extras))
        return []

    async def aset_many(
        self,
        data: Mapping[Any, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
    ) -> list[Any]:
        """Do as `set_many`."""
        extras = self._extras(grace, tags, version)
        try:
            await self._arun(self._set_many(data, timeout, version, extras))
        except SynchronousOnlyOperation:
            more: dict[str, Any] = {"grace": grace, "tags": tags}
            await sync_to_async(self.set_many)(data, timeout, version, **more)
        return []

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        """Delete keys, all in one round trip."""
        keys = tuple(keys)
        if keys:
            self._run(self._delete(keys, version))

    async def adelete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        """Do as `delete_many`."""
        keys = tuple(keys)
        if keys:
            await self._arun(self._delete(keys, version))

    # The whole cache

    def clear(self) -> None:
        """Remove this cache's keys, those of its prefix in all versions, and nobody else's.

        Works through Redis in batches; the time budget holds for each batch.

        Raises:
            CannotEnumerate: the `KEY_FUNCTION` leaves no pattern to tell its keys by.
        """
        pattern = namespace(self.key_func, self.key_prefix)
        self._run(self._flows.remove_pattern(pattern, matcher(pattern)))

    async def aclear(self) -> None:
        """Do as `clear`."""
        pattern = namespace(self.key_func, self.key_prefix)
        await self._arun(self._flows.remove_pattern(pattern, matcher(pattern)))

    def close(self, **_: Any) -> None:
        """Keep the connections: they are the process's, and Django closes after each request."""

    async def aclose(self, **_: Any) -> None:
        """Do as `close`."""

    # What both kinds of each call share

    def _set(
        self,
        key: Any,
        value: Any,
        timeout: float | None,
        version: int | None,
        when: str,
        extras: Extras,
    ) -> Flow[bool]:
        full = self.make_and_validate_key(key, version)
        return self._flows.set(full, value, self._life(timeout), when, extras)

    def _set_many(
        self, data: Mapping[Any, Any], timeout: float | None, version: int | None, extras: Extras
    ) -> Flow[None]:
        values = {self.make_and_validate_key(key, version): value for key, value in data.items()}
        return self._flows.set_many(values, self._life(timeout), extras)

    def _touch(self, key: Any, timeout: float | None, version: int | None) -> Flow[bool]:
        life = self._life(timeout)
        return self._flows.expire(self.make_and_validate_key(key, version), "TOUCH", life, life)

    def _delete(self, keys: tuple[Any, ...], version: int | None) -> Flow[int]:
        count = len(keys)
        self._calls.deletes += count
        return self._flows.delete(tuple(self.make_and_validate_key(key, version) for key in keys))


def _when(*, nx: bool, xx: bool) -> str:
    if nx and xx:
        raise ValueError("set() with nx=True and xx=True: a key cannot be both new and there")
    return "NX" if nx else "XX" if xx else ""


def _not_found(key: Any) -> ValueError:
    return ValueError(f"Key {key!r} not found")
