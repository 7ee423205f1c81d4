"""The rivals, a module each, and what is common to their set-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from .cashews import RIVAL as _CASHEWS
from .dict import RIVAL as _DICT
from .diskcache import RIVAL as _DISKCACHE
from .django_cachex import RIVAL as _DJANGO_CACHEX
from .django_redis import RIVAL as _DJANGO_REDIS
from .locmem import RIVAL as _LOCMEM
from .redis_cache import RIVAL as _REDIS_CACHE
from .redis_py_client_side import RIVAL as _REDIS_PY
from .rival import Rival as Rival
from .site import configure
from .socket import RIVAL as _SOCKET
from .tiercache import RIVAL as _TIERCACHE

OURS: Final = _TIERCACHE.name
LOCMEM: Final = _LOCMEM.name
DISKCACHE: Final = _DISKCACHE.name
CASHEWS: Final = _CASHEWS.name
DJANGO_REDIS: Final = _DJANGO_REDIS.name
REDIS_CACHE: Final = _REDIS_CACHE.name
DJANGO_CACHEX: Final = _DJANGO_CACHEX.name

RIVALS: Final = {
    rival.name: rival
    for rival in (
        _TIERCACHE,
        _LOCMEM,
        _DISKCACHE,
        _CASHEWS,
        _DJANGO_REDIS,
        _REDIS_CACHE,
        _DJANGO_CACHEX,
        _REDIS_PY,
        _SOCKET,
        _DICT,
    )
}
"""All of them, in the order of columns: ours, then memory and files, Redis, and the limits."""

DATABASE: Final = 0
"""The server's database that the rivals share; a part that sets up its own takes another."""


def place(url: str) -> str:
    """Return the address of the rivals' database on the run's server."""
    return f"{url}/{DATABASE}"


def missing(*names: str) -> dict[str, str]:
    """Return which of these rivals, or of all, are not there, and why."""
    found = [RIVALS[name] for name in names] or RIVALS.values()
    return {rival.name: reason for rival in found if (reason := rival.missing)}


def able(*traits: str) -> tuple[str, ...]:
    """Return the names of those that have all of these traits, whether they are there or not."""
    return tuple(rival.name for rival in RIVALS.values() if rival.can.issuperset(traits))


@contextmanager
def opened(url: str, *names: str) -> Iterator[dict[str, Any]]:
    """Make what is called, of each of these rivals that is there; by name.

    Args:
        url: the run's server; Django is set up with a cache on it for each rival of Django's.
        names: of rivals.
    """
    configure([rival for rival in RIVALS.values() if rival.missing is None], place(url), OURS)
    chosen = [RIVALS[name] for name in names]
    with ExitStack() as stack:
        yield {
            rival.name: stack.enter_context(rival.opened(place(url)))
            for rival in chosen
            if rival.missing is None
        }
