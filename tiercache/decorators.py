"""`cached` for functions and `cached_view` for views: one load for everybody who asks.

@cached(timeout=60, tags=("symbol:{symbol}",))
def price(symbol: str) -> Decimal: ...

price("EUR")            computed once in the cluster, then answered from memory
price.evict("EUR")      the next call computes it anew
price.refresh("EUR")    computed now, in any case
price.key_for("EUR")    the key that it has in the cache
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    cast,
    overload,
)

from django.core.cache import DEFAULT_CACHE_ALIAS
from django.core.cache.backends.base import DEFAULT_TIMEOUT

from .aliases import tiered
from .backend import TieredCache
from .key_templates import Key, Tags, key_namer, tag_namer
from .loading import is_async
from .naming import Call
from .pages import cached_view

__all__ = ["AsyncCached", "Cached", "cached", "cached_view"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Decorator(Protocol):
    """What `cached` returns: it takes both kinds of function, and keeps their types."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # the first that fits is meant
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncCached[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


def cached(
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    key: Key = None,
    alias: str = DEFAULT_CACHE_ALIAS,
    grace: float | None = None,
    tags: Tags = (),
    early: float | None = None,
    budget: float | None = None,
    lease: bool = True,
    version: int | None = None,
    ignore: tuple[str, ...] = (),
) -> Decorator:
    """Compute a function's result once for the same arguments, for everybody who asks.

    For `def` and `async def`, functions and methods. `None` is a result. The cache is looked up
    by its alias at each call. Inside, `tiercache.loading.current_load()` is the load.

    Args:
        timeout: seconds that a result is fresh; None: for ever; if not given, the cache's.
        key: a text that may name arguments (`"price:{symbol}"`), or a function of the same
            arguments that returns one; None: module, qualified name and all arguments.
        alias: which of `CACHES`.
        grace, early, budget, lease: as for `TieredCache.get_or_set`.
        tags: names by which `evict_tags` evicts results, which may name arguments
            (`"symbol:{symbol}"`), or a function of the same arguments that returns names.
        version: of the keys; None: the cache's.
        ignore: names of arguments that are left out of the key, as `("self",)`.

    Raises:
        TypeError, ValueError: an option cannot be, or the function is a generator, or cannot be
            told by its name; when it is called: an argument cannot be told apart by its text.
        ImproperlyConfigured: when it is called: the cache is no `TieredCache`.
    """

    def decorate(function: Any) -> Any:
        inner = getattr(function, "__func__", function)
        _check(inner)
        call = Call(inner)
        recipe = _Recipe(
            function=inner,
            name=call.name,
            alias=alias,
            key=key_namer(inner, call, key, ignore),
            tags=tag_namer(call, tags),
            terms={"timeout": timeout, "version": version},
            options={"grace": grace, "budget": budget, "lease": lease},
            early=early,
        )
        return (AsyncCached if is_async(inner) else Cached)(function, recipe)

    return decorate


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How one function's results are named and kept."""

    function: Callable[..., Any]
    name: str
    alias: str
    key: Callable[[tuple[Any, ...], Mapping[str, Any]], str]
    tags: Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[str, ...]]
    terms: dict[str, Any]
    options: dict[str, Any]
    early: float | None

    def cache(self) -> TieredCache:
        return tiered(self.alias, f"@cached {self.name}()")

    def plan(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `get_or_set` and `refresh` are told beside key and source."""

        def names() -> Iterator[str]:
            # Filled in only when asked for: a hit has no need of them.
            yield from self.tags(args, kwargs)

        return {**self.terms, **self.options, "tags": names()}


class _Wrapper(Generic[P]):
    """What a function under `cached` becomes; on an instance or a class, as a method of it."""

    _recipe: _Recipe
    _before: tuple[Any, ...] = ()
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Any, recipe: _Recipe) -> None:
        inner = recipe.function
        update_wrapper(cast("Any", self), inner)
        self._recipe = recipe
        self._binds = type(function) if isinstance(function, staticmethod | classmethod) else None
        # By these `inspect` knows what is like a function, and whether it has to be awaited.
        for name in _FUNCTION_LIKE:
            setattr(self, name, getattr(inner, name, None))

    def __repr__(self) -> str:
        return f"<cached {self._recipe.name}>"

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of the result for these arguments, as for `cache.get`."""
        return self._recipe.key((*self._before, *args), kwargs)

    def _bound(self, instance: Any, owner: type | None) -> Any:
        if self._binds is staticmethod or (instance is None and self._binds is None):
            return self
        first = owner if self._binds is classmethod else instance
        bound = object.__new__(type(self))
        wrapped = self.__wrapped__.__get__(first)
        bound.__dict__.update(self.__dict__, _before=(first,), __wrapped__=wrapped)
        return bound


_FUNCTION_LIKE: Final = ("__code__", "__defaults__", "__kwdefaults__")


class Cached(_Wrapper[P], Generic[P, R_co]):
    """A function under `cached`: called as before, with three more calls beside it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the result: the one that is cached, or a new one."""
        recipe, given = self._recipe, (*self._before, *args)
        key, source = recipe.key(given, kwargs), self._source(given, kwargs)
        plan = recipe.plan(given, kwargs)
        value: R_co = recipe.cache().get_or_set(key, source, early=recipe.early, **plan)
        return value

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Compute the result anew in any case, cache it, and return it."""
        recipe, given = self._recipe, (*self._before, *args)
        key, source = recipe.key(given, kwargs), self._source(given, kwargs)
        value: R_co = recipe.cache().refresh(key, source, **recipe.plan(given, kwargs))
        return value

    def evict(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Evict the result for these arguments; return whether there was one."""
        recipe, key = self._recipe, self._recipe.key((*self._before, *args), kwargs)
        return recipe.cache().delete(key, recipe.terms["version"])

    def _source(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[], Any]:
        recipe = self._recipe

        def compute() -> Any:
            value = recipe.function(*args, **kwargs)
            if inspect.isawaitable(value):
                raise _not_awaited(recipe.name, value)
            return value

        return compute

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...

    @overload
    def __get__(
        self: Cached[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Cached[Q, R]: ...

    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Return the method of an instance or class."""
        return self._bound(instance, owner)


class AsyncCached(_Wrapper[P], Generic[P, R_co]):
    """A coroutine function under `cached`; all but `key_for` are awaited."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the result: the one that is cached, or a new one."""
        recipe, given = self._recipe, (*self._before, *args)
        key, source = recipe.key(given, kwargs), self._source(given, kwargs)
        plan = recipe.plan(given, kwargs)
        value: R_co = await recipe.cache().aget_or_set(key, source, early=recipe.early, **plan)
        return value

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Compute the result anew in any case, cache it, and return it."""
        recipe, given = self._recipe, (*self._before, *args)
        key, source = recipe.key(given, kwargs), self._source(given, kwargs)
        value: R_co = await recipe.cache().arefresh(key, source, **recipe.plan(given, kwargs))
        return value

    async def evict(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Evict the result for these arguments; return whether there was one."""
        recipe, key = self._recipe, self._recipe.key((*self._before, *args), kwargs)
        return await recipe.cache().adelete(key, recipe.terms["version"])

    def _source(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Callable[[], Awaitable[Any]]:
        function = self._recipe.function

        async def compute() -> Any:
            return await function(*args, **kwargs)

        return compute

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...

    @overload
    def __get__(
        self: AsyncCached[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> AsyncCached[Q, R]: ...

    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Return the method of an instance or class."""
        return self._bound(instance, owner)


# What is refused


def _check(function: Any) -> None:
    """Refuse what cannot be cached by its arguments.

    Raises:
        TypeError: it is none of a function, a coroutine function or a method.
    """
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"@cached got {function!r}; allowed: a function, def or async def")
    inner = inspect.unwrap(function)
    if not hasattr(inner, "__qualname__"):
        raise TypeError(
            f"@cached got {function!r}, which has no name of its own; allowed: a function, "
            f"def or async def (give it one: def name(...): return the_other(...))"
        )
    for candidate in (function, inner):
        if inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise TypeError(
                f"@cached {inner.__module__}.{inner.__qualname__}() is a generator, whose values "
                f"can be taken once; allowed: a function that returns a tuple or list of them"
            )


def _not_awaited(name: str, value: Any) -> TypeError:
    if inspect.iscoroutine(value):
        value.close()
    return TypeError(
        f"@cached {name}() returned {type(value).__name__} {value!r}, which would have to be "
        f"awaited, but is no coroutine function; allowed: @cached directly on the async def, "
        f"below what wraps it"
    )
