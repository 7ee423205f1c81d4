"""The calls whose time is measured one by one: how each is prepared, and what it should reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import rivals
from benchmarks.measuring import Call
from benchmarks.part import Goal

from .calls import ITEMS, TEXT, keys, page, small, store_all

Prepare = Callable[[Any, rivals.Rival], Call]
"""Prepares one rival's cache for a case, and returns what is timed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a call, and who can make it.

    Attributes:
        what: what the page calls it.
        needs: what a rival has to be able to do.
        prepare: makes the call for one rival.
        goal: what tiercache should reach.
    """

    what: str
    needs: tuple[str, ...]
    prepare: Prepare
    goal: Goal | tuple[Goal, ...] | None = None


def hit(value: Callable[[], object]) -> Prepare:
    """Time `get` of a value that is there, from memory where the rival has one."""

    def prepare(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
        cache.set("key", value())
        cache.get("key")
        return Call("cache.get('key')", {"cache": cache})

    return prepare


def proxied(cache: Any, rival: rivals.Rival) -> Call:
    """Time the same through `django.core.cache.cache`, which finds the thread's cache each time."""
    from django.core.cache import caches
    from django.utils.connection import ConnectionProxy

    cache.set("key", TEXT)
    return Call("cache.get('key')", {"cache": ConnectionProxy(caches, rival.name)})


def many(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `get_many` of ten values that are there."""
    ten = keys("ten", 10)
    store_all(cache, ten)
    cache.get_many(ten)
    return Call("cache.get_many(ten)", {"cache": cache, "ten": ten})


def or_set(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `get_or_set` of a value that is there."""
    cache.set("key", TEXT)
    return Call("cache.get_or_set('key', None)", {"cache": cache})


def filling(cache: Any, rival: rivals.Rival) -> Call:
    """Time `get` of values that Redis has and memory has not; each is asked for once."""
    items = keys("cold", ITEMS)
    store_all(cache, items)
    forget = rival.forget
    before = None if forget is None else lambda _: forget(cache)
    return Call("cache.get(item)", {"cache": cache}, items=items, before=before)


def missing(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `get` of a key that nobody has."""
    return Call("cache.get('nothing-there')", {"cache": cache})


def half(cache: Any, rival: rivals.Rival) -> Call:
    """Time `get_many` of ten values, half of which memory has; each ten is asked for once."""
    items = keys("half", ITEMS)
    store_all(cache, items)
    tens = [items[start : start + 10] for start in range(0, ITEMS, 10)]
    forget = rival.forget

    def before(chosen: Sequence[list[str]]) -> None:
        if forget is not None:
            forget(cache)
            for ten in chosen:
                cache.get_many(ten[::2])

    return Call("cache.get_many(item)", {"cache": cache}, items=tens, before=before)


def stored(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `set`."""
    return Call("cache.set('key', text)", {"cache": cache, "text": TEXT})


def counted(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `incr`."""
    cache.set("count", 0)
    return Call("cache.incr('count')", {"cache": cache})


def touched(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `touch`."""
    cache.set("key", TEXT)
    return Call("cache.touch('key', 3600)", {"cache": cache})


def deleted(cache: Any, rival: rivals.Rival) -> Call:  # noqa: ARG001 - the same for all
    """Time `delete` of keys that are there."""
    items = keys("deleted", ITEMS)
    before = lambda chosen: store_all(cache, chosen)  # noqa: E731 - as short as its name
    return Call("cache.delete(item)", {"cache": cache}, items=items, before=before)


LOCMEM: Final = rivals.LOCMEM
DJANGO_REDIS: Final = rivals.DJANGO_REDIS

HITS: Final = (
    Case(
        "`get`, text of 100 characters",
        ("get",),
        hit(lambda: TEXT),
        Goal(LOCMEM, most=0.10, aim=0.05),
    ),
    Case("the same through `django.core.cache.cache`", ("django",), proxied),
    Case("`get`, small dict", ("get", "objects"), hit(small), Goal(LOCMEM, most=0.45)),
    Case("`get`, response of 5 KB", ("get", "objects"), hit(page), Goal(LOCMEM, most=0.6)),
    Case("`get_many` of 10", ("get_many",), many, Goal(LOCMEM, most=0.15)),
    Case("`get_or_set`", ("get_or_set",), or_set),
)
ASKED: Final = (
    Case("`get` that fills memory", ("get", "redis"), filling, Goal(DJANGO_REDIS, 1.0, aim=0.7)),
    Case("`get`, nothing there", ("get", "redis"), missing),
    Case("`get_many` of 10, half in memory", ("get_many", "redis"), half),
)
WRITES: Final = (
    Case("`set`", ("set",), stored, Goal(DJANGO_REDIS, most=1.1, aim=0.85)),
    Case("`incr`", ("incr",), counted),
    Case("`touch`", ("touch",), touched),
    Case("`delete`", ("delete",), deleted),
)
