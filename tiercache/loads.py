"""Loading and tags: what is not there is computed once, and evicted by what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT

from .entry import MISSING
from .face import Face
from .flows import Plan
from .loading import as_names, is_async
from .steps import Flow


class Loads(Face):
    """The calls that compute what is not there, and those about tags."""

    def get_or_set(
        self,
        key: Any,
        default: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        early: float | None = None,
        budget: float | None = None,
        lease: bool = True,
        background: float | Callable[[Any], float] | None = None,
    ) -> Any:
        """Return the value; where there is none, compute it once for all who ask, and store it.

        Callers in all threads and event loops of a node share one load, and one node in the
        cluster loads at a time. A change to the key or an eviction of one of its tags during the
        load wins: what was computed is returned to those who wait, and not stored. Where nothing
        is at hand and the load raises, everyone who waits gets its error, nothing is stored, and
        the next call tries again.

        Args:
            default: the value, or a function that returns it, called with a `LoadContext` if it
                cannot be called without an argument.
            timeout: seconds that the value is fresh; the context may change it.
            grace: seconds after that for which it is served stale, at once, while one node loads
                it anew in the background, and while that fails; None: `OPTIONS["GRACE"]`.
            tags: names by which `evict_tags` evicts it.
            early: how eagerly it is loaded in the background before its timeout, by a probability
                that rises towards it (XFetch's beta; 1 is the paper's choice); None: not at all.
            budget: seconds to wait for the load, which then runs in a thread of its own and goes
                on beyond them; None: until it is done.
            lease: whether one node in the cluster loads at a time.
            background: for how much of the grace, in seconds, the stale value is served at once,
                or a function that returns that for the stale value; after it callers wait for the
                load, and get the stale value if it fails, or is not over within the budget. None:
                for all of it.

        Raises:
            LoadTimeout: it was not loaded within the budget.
            TypeError: `default` is an async function: `aget_or_set` takes those.
        """
        if early is None:
            value = self._held(key, version)
            if value is not MISSING:
                return value
        _refuse_async(default, "get_or_set")
        plan = self._plan(
            timeout, version, grace, tags, early, budget, lease=lease, background=background
        )
        full = self.make_and_validate_key(key, version)
        return self._run(self._flows.load(full, default, plan))

    async def aget_or_set(
        self,
        key: Any,
        default: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        early: float | None = None,
        budget: float | None = None,
        lease: bool = True,
        background: float | Callable[[Any], float] | None = None,
    ) -> Any:
        """Do as `get_or_set`; `default` may be an async function as well.

        One that is not runs in a thread. A caller that is cancelled does not cancel the load.
        """
        if early is None:
            value = self._held(key, version)
            if value is not MISSING:
                return value
        plan = self._plan(
            timeout, version, grace, tags, early, budget, lease=lease, background=background
        )
        full = self.make_and_validate_key(key, version)
        return await self._arun(self._flows.load(full, default, plan))

    def refresh(
        self,
        key: Any,
        default: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        budget: float | None = None,
        lease: bool = True,
    ) -> Any:
        """Compute the value in any case, store it, and return it; otherwise as `get_or_set`.

        The load begins after the call does: it joins none that is under way. Until it is done
        others are answered with what there is.
        """
        _refuse_async(default, "refresh")
        plan = self._plan(timeout, version, grace, tags, None, budget, lease=lease)
        full = self.make_and_validate_key(key, version)
        return self._run(self._flows.load(full, default, plan, force=True))

    async def arefresh(
        self,
        key: Any,
        default: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        budget: float | None = None,
        lease: bool = True,
    ) -> Any:
        """Do as `refresh`; `default` may be an async function as well."""
        plan = self._plan(timeout, version, grace, tags, None, budget, lease=lease)
        full = self.make_and_validate_key(key, version)
        return await self._arun(self._flows.load(full, default, plan, force=True))

    def get_or_set_many(
        self,
        keys: Iterable[Any],
        loader: Callable[[list[Any]], Mapping[Any, Any]],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        lease: bool = True,
    ) -> dict[Any, Any]:
        """Return the values by key; compute those that are missing in one call, and store them.

        Redis is asked once for all keys, and written to once. What the loader does not find is
        not in the result, and not stored. Keys that somebody else loads at that moment are not
        loaded again but waited for.

        Args:
            loader: called with the missing keys; returns their values by key.
            timeout, grace, tags, lease: as in `get_or_set`, for each of the keys.

        Raises:
            TypeError: the loader is async, or returns no mapping.
        """
        _refuse_async(loader, "get_or_set_many")
        values, missing = self._held_of(keys, version)
        if missing:
            plan = self._plan(timeout, version, grace, tags, None, None, lease=lease)
            found = self._run(self._flows.load_many(missing, loader, plan))
            values.update((missing[full], value) for full, value in found.items())
        return values

    async def aget_or_set_many(
        self,
        keys: Iterable[Any],
        loader: Callable[[list[Any]], Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        grace: float | None = None,
        tags: Iterable[str] = (),
        lease: bool = True,
    ) -> dict[Any, Any]:
        """Do as `get_or_set_many`; the loader may be an async function as well."""
        values, missing = self._held_of(keys, version)
        if missing:
            plan = self._plan(timeout, version, grace, tags, None, None, lease=lease)
            found = await self._arun(self._flows.load_many(missing, loader, plan))
            values.update((missing[full], value) for full, value in found.items())
        return values

    def evict_tags(self, *tags: str, version: int | None = None, soft: bool = False) -> int:
        """Evict every entry that bears one of these tags, on every node, in constant time.

        Args:
            soft: what has a grace goes stale instead of being gone: `get_or_set` serves it while it
                is loaded anew. While Redis is away, and once it is back, it is gone all the same.

        Returns:
            How many of the tags were known; those that nothing bears are not.
        """
        return self._run(self._evict(tags, version, soft=soft))

    async def aevict_tags(self, *tags: str, version: int | None = None, soft: bool = False) -> int:
        """Do as `evict_tags`."""
        return await self._arun(self._evict(tags, version, soft=soft))

    # What they share

    def _evict(self, tags: tuple[str, ...], version: int | None, *, soft: bool) -> Flow[int]:
        full = tuple(self._tag(name, version) for name in as_names(tags))
        return self._flows.evict(full, soft=soft)

    def _plan(
        self,
        timeout: float | None,
        version: int | None,
        grace: float | None,
        tags: Iterable[str],
        early: float | None,
        budget: float | None,
        *,
        lease: bool,
        background: float | Callable[[Any], float] | None = None,
    ) -> Plan:
        terms = _Terms(self, version)
        # What cannot be is refused before anything is computed.
        terms.life(timeout)
        grace = self._binding.options.grace if grace is None else grace
        terms.grace(grace)
        return Plan(
            terms=terms,
            timeout=timeout,
            grace=grace,
            tags=as_names(tags),
            early=_positive("early", early) or 0.0,
            budget=_positive("budget", budget),
            lease=lease,
            background=background if callable(background) else _positive("background", background),
        )


class _Terms:
    """What callers' words mean to one face."""

    __slots__ = ("_face", "_version")

    def __init__(self, face: Face, version: int | None) -> None:
        self._face = face
        self._version = version

    def life(self, timeout: Any) -> int | None:
        return self._face._life(timeout)

    def grace(self, seconds: Any) -> int:
        return self._face._grace(seconds)

    def tag(self, name: str) -> str:
        return self._face._tag(name, self._version)


def _refuse_async(default: Any, name: str) -> None:
    if is_async(default):
        raise TypeError(
            f"{name}() got the async function {default!r}; allowed: a value or a function "
            f"(await a{name}() takes async ones as well)"
        )


def _positive(name: str, number: Any) -> float | None:
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e9:
        raise TypeError(f"{name} is {number!r}; allowed: a number, 0 or more, or None")
    return float(number)
