"""What a function that computes a value may ask and say of the load it is a part of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from .entry import MISSING


class _NotModified:
    """The type of `NOT_MODIFIED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_MODIFIED"


NOT_MODIFIED: Final = _NotModified()
"""What a loader returns to say that the stale value is still right: it lives on, as it is."""

DEFAULT: Final = object()
"""A timeout or a grace that the loader has left as it was."""


class LoadContext:
    """One load, as the function that computes the value sees it.

    Attributes:
        key: the full key.
        timeout: seconds that the value is to live, None for ever; set it to change what the
            caller asked for.
        grace: seconds for which it may be served stale after that; likewise.
        tags: names of the tags that it is to bear, beyond those that the caller gave.
        stored: whether it is to be stored; `decline` says no.
    """

    __slots__ = ("_stale", "grace", "key", "stored", "tags", "timeout")

    def __init__(self, key: str, stale: Any = MISSING) -> None:
        self.key = key
        self.timeout: Any = DEFAULT
        self.grace: Any = DEFAULT
        self.tags: set[str] = set()
        self.stored = True
        self._stale = stale

    @property
    def has_stale(self) -> bool:
        """Whether there is an older value."""
        return self._stale is not MISSING

    @property
    def stale(self) -> Any:
        """The older value, None where there is none (or where it is None: see `has_stale`)."""
        return None if self._stale is MISSING else self._stale

    def tag(self, *names: str) -> None:
        """Let the value bear these tags as well."""
        self.tags.update(names)

    def decline(self) -> None:
        """Hand the value to those who wait for it, and store it nowhere."""
        self.stored = False

    def not_modified(self) -> Any:
        """Return what a loader returns to let the stale value live on without storing it anew.

        Raises:
            ValueError: there is no stale value.
        """
        if not self.has_stale:
            raise ValueError(f"not_modified() in a load of {self.key!r}, which has no older value")
        return NOT_MODIFIED


_current: ContextVar[LoadContext | None] = ContextVar("tiercache_load", default=None)


def current_load() -> LoadContext | None:
    """Return the load that this code is a part of, None outside of any.

    For functions that are not handed the context: those under `@cached`, and views.
    """
    return _current.get()


@contextmanager
def computing(context: LoadContext) -> Generator[None]:
    """Let `current_load` answer with this load."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def as_names(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags' names, each once.

    Raises:
        TypeError: it is one text, or a name is none.
    """
    if isinstance(tags, str | bytes):
        raise TypeError(f"tags is {tags!r}; allowed: a tuple, list or set of names")
    names = tuple(dict.fromkeys(tags))
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(f"a tag is {name!r}; allowed: a text that is not empty")
    return names


def is_async(source: Any) -> bool:
    """Tell whether what computes a value has to be awaited."""
    return inspect.iscoroutinefunction(source) or inspect.iscoroutinefunction(
        getattr(source, "__call__", None)  # noqa: B004 - an object may have an async one
    )


def compute(source: Any, context: LoadContext) -> Any:
    """Return what a caller gave as a default: a value, or a function that returns it.

    A function that needs an argument gets the context.
    """
    if not callable(source):
        return source
    return source(context) if _needs_one(source) else source()


def _needs_one(function: Callable[..., Any]) -> bool:
    """Tell whether a function cannot be called without an argument."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of C's have none
        return False
    try:
        signature.bind()
    except TypeError:
        return True
    return False
