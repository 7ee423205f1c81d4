"""What every face shares: its binding, its keys, what memory answers, and how flows are run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, default_key_func

from . import stores
from .entry import MISSING, WARNS, Entry
from .keys import warns
from .stats import Stats
from .steps import Flow

LONGEST_LIFE = 2**62
"""Milliseconds that Redis can still add to its clock."""

_T = TypeVar("_T")


class Face(BaseCache):
    """A thin face over what the process holds once per store; cheap to make.

    Args:
        location: the `LOCATION`.
        params: the rest of the alias's settings.

    Raises:
        ImproperlyConfigured: a setting cannot be; the message names it and what is allowed.
    """

    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        binding = stores.bind(location, params)
        self._binding = binding
        self._node = binding.node
        self._flows = binding.flows
        self._calls = binding.calls
        self._shelf = binding.shelf
        self._budget = binding.options.time_budget

    def stats(self) -> Stats:
        """Return a snapshot of what this alias and its store have counted in this process."""
        return self._node.stats(self._binding.alias)

    # Keys

    def make_and_validate_key(self, key: Any, version: int | None = None) -> str:
        """Return the full key; warn as Django does about one that memcached would refuse."""
        return self._checked(self._full_key(key, version))

    def _full_key(self, key: Any, version: int | None) -> str:
        if version is None:
            version = self.version
        if self.key_func is default_key_func:
            return f"{self.key_prefix}:{version}:{key!s}"
        full: str = self.key_func(key, self.key_prefix, version)
        return full

    def _checked(self, full: str) -> str:
        if warns(full) or type(self).validate_key is not BaseCache.validate_key:
            self.validate_key(full)
        return full

    def _versions(self, key: Any, delta: int, version: int | None) -> tuple[str, str, int]:
        if version is None:
            version = self.version
        target = version + delta
        make = self.make_and_validate_key
        return make(key, version), make(key, target), target

    # Answers from memory

    def _open(self, entry: Entry) -> Any:
        """Return the value of an entry that is not held as it is, or about whose key to warn.

        `MISSING` if it cannot be read.
        """
        if entry.form & WARNS:
            self.validate_key(entry.key)
        return self._flows.local.value(entry)

    def _is_held(self, full: str) -> bool:
        entry = self._shelf.entries.get(full)
        return entry is not None and time.monotonic() < entry.deadline and not entry.form & WARNS

    def _held_of(
        self, keys: Iterable[Any], version: int | None
    ) -> tuple[dict[Any, Any], dict[str, Any]]:
        """Return the values that memory has, by key, and the other keys, by full key."""
        entries, now = self._shelf.entries, time.monotonic()
        values: dict[Any, Any] = {}
        missing: dict[str, Any] = {}
        for key in keys:
            full = self._full_key(key, version)
            entry = entries.get(full)
            if entry is not None and now < entry.deadline:
                entry.used = True
                value = self._open(entry) if entry.form else entry.held
                if value is not MISSING:
                    values[key] = value
            else:
                missing[self._checked(full)] = key
        hits = len(values)
        self._calls.memory_hits += hits
        return values, missing

    # Flows

    def _run(self, flow: Flow[_T]) -> _T:
        return self._node.run(flow, self._budget)

    async def _arun(self, flow: Flow[_T]) -> _T:
        return await self._node.arun(flow, self._budget)

    def _life(self, timeout: Any) -> int | None:
        """Return a timeout in milliseconds, 0 for one that has passed, None for ever."""
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        if timeout is None:
            return None
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(f"timeout is {timeout!r}; allowed: a number of seconds, or None")
        if math.isnan(timeout) or timeout * 1000 > LONGEST_LIFE:
            raise ValueError(
                f"timeout is {timeout!r}; allowed: at most {LONGEST_LIFE // 1000} seconds, or "
                f"None for ever"
            )
        return max(int(timeout * 1000), 0) if timeout > 0 else 0
