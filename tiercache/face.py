"""What every face shares: its binding, its keys, what memory answers, and how flows are run."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from time import monotonic
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, default_key_func

from . import sources, stores, transactions
from .entry import FIXED, KEPT, MISSING, SERIALIZED, WARNS, Entry
from .flows import Extras, Flows
from .flows.overlay import Overlay
from .keys import TAG, warns
from .loading import as_names
from .shelf import NO_NAMES, Shelf
from .stats import Stats
from .steps import Flow

LONGEST_LIFE = 2**62
"""Milliseconds that Redis can still add to its clock."""

# Not the site's own random state, which may be seeded, and is every thread's.
_chance = random.SystemRandom()

NO_EXTRAS = Extras()

CAST_ONE_IN_BITS = 4
"""One in 2^4 hits of a serialized copy looks for a mold for those that follow, which costs as much
as some twenty hits."""

CONDITIONAL = WARNS | KEPT
"""Forms of entries that are hits on a condition, or with a warning."""

CASTABLE = SERIALIZED | FIXED
"""The forms by which it is told whether a mold may be looked for: the first without the second."""

_draw = random.Random().getrandbits  # noqa: S311 - no secret

_T = TypeVar("_T")


class KeyPart:
    """An attribute of a face that full keys are made of: with another one, hits are elsewhere.

    A class of the site's own that defines it otherwise is not told apart so: its faces make each
    full key anew.
    """

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, face: Any, _: type | None = None) -> Any:
        if face is None:
            return self
        try:
            return face.__dict__[self._name]
        except KeyError:
            # As where it is no descriptor: so that hasattr() and getattr() can tell.
            raise AttributeError(f"this cache has no {self._name} yet") from None

    def __set__(self, face: Any, value: Any) -> None:
        face.__dict__[self._name] = value
        if "_binding" in face.__dict__:
            face._choose_shelf()


class Face(BaseCache):
    """A thin face over what the process holds once per store; cheap to make.

    Args:
        location: the `LOCATION`.
        params: the rest of the alias's settings.

    Raises:
        ImproperlyConfigured: a setting cannot be; the message names it and what is allowed.
    """

    # What a hit reads; it takes longer from the `__dict__` that faces have besides.
    __slots__ = ("_calls", "_local", "_shelf")

    _own_shelf: Shelf

    key_prefix: Any = KeyPart()
    version: Any = KeyPart()
    key_func: Any = KeyPart()

    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        binding = stores.bind(location, params)
        # A class of the site's own may have given it something before, which stays its own.
        bare = not self.__dict__
        made = binding.made.get(type(self)) if bare else None
        if made is not None:
            # Under ASGI Django makes one for each request that uses the cache.
            self.__dict__.update(made)
            self._calls, self._local = binding.calls, binding.flows.local
            self._shelf = self._own_shelf
            return
        super().__init__(params)
        self._binding = binding
        self._node = binding.node
        self._local = binding.flows.local
        self._database = binding.options.on_commit
        self._calls = binding.calls
        self._budget = binding.options.time_budget
        self._jitter = binding.options.jitter
        self._choose_shelf()
        if bare and super().__init__.__func__ is BaseCache.__init__:  # type: ignore[attr-defined]
            binding.made[type(self)] = dict(self.__dict__)

    def _choose_shelf(self) -> None:
        """Look hits up where they belong whose full keys are made as this face makes them."""
        parts = (getattr(type(self), name) for name in ("key_prefix", "version", "key_func"))
        # What a class of the site's own has instead may be another one at each call (a tenant).
        told = all(isinstance(part, KeyPart) for part in parts)
        own_way = type(self).make_key is not BaseCache.make_key
        plain = told and not own_way and self.key_func is default_key_func
        self._head = f"{self.key_prefix}:{self.version}:" if plain else None
        strict = self._binding.options.raises
        self._shelf = self._own_shelf = self._node.shelves.of(self._head, strict=strict)

    def stats(self) -> Stats:
        """Return a snapshot of what this alias and its store have counted in this process."""
        return self._node.stats(self._binding.alias)

    def peek(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value if this process's memory has it, `default` otherwise.

        Redis is not asked, and what memory may not answer with (stale, evicted, or while it is not
        trusted) is not there. A hit counts as one; otherwise nothing is counted.
        """
        value = self._held(key, version)
        return default if value is MISSING else value

    # Keys

    def make_and_validate_key(self, key: Any, version: int | None = None) -> str:
        """Return the full key; warn as Django does about one that memcached would refuse."""
        return self._checked(self._full_key(key, version))

    def _full_key(self, key: Any, version: int | None) -> str:
        if version is None:
            if self._head is not None:
                return f"{self._head}{key!s}"
        elif self._head is not None:
            return f"{self.key_prefix}:{version}:{key!s}"
        full: str = self.make_key(key, version)
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
        """Return the value of a hit that is not simply held, `MISSING` if it is none after all.

        It is one of the caller's own, or has tags, or a key that Django warns about, or somebody
        wants to know of it, or a transaction may have changed it.
        """
        form = entry.form
        if (form & CONDITIONAL or sources.watching) and not self._may_open(entry):
            return MISSING
        value = self._local.value(entry)
        if value is MISSING:
            return MISSING
        self._calls.memory_hits += 1
        if form & CASTABLE == SERIALIZED and not _draw(CAST_ONE_IN_BITS):
            self._local.cast(entry)
        if sources.watching:
            sources.note("memory", entry.deadline - monotonic())
        return value

    def _may_open(self, entry: Entry) -> bool:
        if sources.watching and self._is_hidden(entry):
            return False
        if entry.form & WARNS:
            self.validate_key(entry.key)
        return self._local.holds(entry)

    def _held(self, key: Any, version: int | None) -> Any:
        """Return what memory has, `MISSING` if nothing; learn by which name it was asked for."""
        shelf, now = self._shelf, monotonic()
        names = shelf.names
        by_name = version is None and type(key) is str
        entry = names.get(key) if by_name else None
        if entry is None or entry.deadline <= now:
            entry = shelf.entries.get(self._full_key(key, version))
            if entry is None or entry.deadline <= now:
                return MISSING
            if by_name:
                shelf.learn(names, key, entry)
        entry.used = True
        if entry.form or sources.watching:
            return self._open(entry)
        self._calls.memory_hits += 1
        return entry.held

    def _is_held(self, full: str) -> bool:
        entry = self._shelf.entries.get(full)
        return (
            entry is not None
            and monotonic() < entry.deadline
            and not entry.form & WARNS
            and self._local.holds(entry)
            and not (sources.watching and self._is_hidden(entry))
        )

    def _is_hidden(self, entry: Entry) -> bool:
        """Tell whether the caller's transaction has changed what this is a copy of."""
        view = transactions.view_of(self._node)
        if view is None:
            return False
        tags = entry.held.meta.tags if entry.form & KEPT else ()
        return view.hides(entry.key, (tag for tag, _ in tags))

    def _held_of(
        self, keys: Iterable[Any], version: int | None
    ) -> tuple[dict[Any, Any], dict[str, Any]]:
        """Return the values that memory has, by key, and the other keys, by full key."""
        by_name = version is None and not sources.watching
        names, now = self._shelf.names if by_name else NO_NAMES, monotonic()
        values: dict[Any, Any] = {}
        missing: dict[str, Any] = {}
        plain = 0
        for key in keys:
            entry = names.get(key) if type(key) is str else None
            if entry is not None and not entry.form and now < entry.deadline:
                entry.used = True
                plain += 1
                values[key] = entry.held
                continue
            value = self._held(key, version)
            if value is MISSING:
                missing[self.make_and_validate_key(key, version)] = key
            else:
                values[key] = value
        self._calls.memory_hits += plain
        return values, missing

    # Flows

    @property
    def _flows(self) -> Flows | Overlay:
        """The operations: the alias's own, or what they are in a transaction that defers."""
        own = self._binding.flows
        if self._database is None and not (sources.watching or transactions.blocks):
            return own
        return transactions.flows_for(own, self._node, self._database, self._run)

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
        if timeout > 0 and self._jitter:
            timeout *= 1 - self._jitter * _chance.random()
        return max(int(timeout * 1000), 0) if timeout > 0 else 0

    def _extras(self, grace: float | None, tags: Iterable[str], version: int | None) -> Extras:
        """Return what an entry is to have beyond its value and its timeout."""
        if grace is None and not tags:
            return NO_EXTRAS
        names = as_names(tags)
        return Extras(self._grace(grace or 0), tuple(self._tag(name, version) for name in names))

    def _grace(self, seconds: Any) -> int:
        """Return a grace in milliseconds."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
            raise TypeError(f"grace is {seconds!r}; allowed: a number of seconds, 0 or more")
        if seconds * 1000 > LONGEST_LIFE:
            raise ValueError(f"grace is {seconds!r}; allowed: at most {LONGEST_LIFE // 1000} s")
        return int(seconds * 1000)

    def _tag(self, name: str, version: int | None) -> str:
        """Return the full key of a tag; tags have versions as keys have."""
        return self._full_key(TAG + name, version)
