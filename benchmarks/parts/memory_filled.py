"""One process that is filled with entries, and says what it has grown by.

    python -m benchmarks.parts.memory_filled RIVAL ENTRIES

writes an object of JSON: the fields of `benchmarks.parts.memory.Grown`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil

from benchmarks import rivals

GRAIN: Final = 16
"""Bytes to a multiple of which the allocator rounds."""

BEFORE: Final = 100
"""Entries of the cache that is made, filled and asked before the first look, so that what a process
has once for all caches is not counted."""

LEAST: Final = 100_000
"""Entries that a process holds at least, in several caches if need be: Python takes memory from the
system a mebibyte at a time."""

Numbers = Callable[[Iterable[int]], None]


@dataclass(frozen=True, slots=True)
class Filled:
    """One cache in memory alone.

    Attributes:
        write: writes the entries of these numbers.
        ask: asks for these entries.
        held: says how many it holds.
        accounted: says for how many bytes it accounts; None: it does not say.
    """

    write: Numbers
    ask: Numbers
    held: Callable[[], int]
    accounted: Callable[[], int | None] = lambda: None


def key(number: int) -> str:
    """Return the key of a number."""
    return f"customer:{number:011d}"


def value(number: int) -> str:
    """Return its value."""
    return f"{number:0100d}"


def tiercache(sizes: Sequence[int]) -> Iterator[Filled]:
    """Make a cache of each size, one after the other."""
    for cache in _in_django("tiercache.backend.TieredCache", "memory://", sizes, MAX_BYTES="64GiB"):
        yield _of_django(cache, lambda one: one.stats().entries, lambda one: one.stats().bytes)


def locmem(sizes: Sequence[int]) -> Iterator[Filled]:
    """Make the same of `LocMemCache`."""
    for cache in _in_django("django.core.cache.backends.locmem.LocMemCache", "", sizes):
        yield _of_django(cache, lambda one: len(one._cache))


def cashews(sizes: Sequence[int]) -> Iterator[Filled]:
    """Make the same of cashews' memory, without the wrapper that chooses between backends."""
    from cashews.backends.memory import Memory

    return (_of_cashews(Memory(size=size, check_interval=0)) for size in sizes)


def _of_cashews(memory: Any) -> Filled:
    async def write(numbers: Iterable[int]) -> None:
        for number in numbers:
            await memory.set(key(number), value(number), None)

    async def ask(numbers: Iterable[int]) -> None:
        for number in numbers:
            await memory.get(key(number))

    return Filled(
        lambda numbers: asyncio.run(write(numbers)),
        lambda numbers: asyncio.run(ask(numbers)),
        lambda: len(memory.store),
    )


MAKERS: Final = {rivals.OURS: tiercache, rivals.LOCMEM: locmem, rivals.CASHEWS: cashews}


def _in_django(backend: str, scheme: str, sizes: Sequence[int], **options: Any) -> Iterator[Any]:
    """Set Django up with a cache of each size; make them one after the other."""
    import django
    from django.conf import settings

    made = {
        str(number): {
            "BACKEND": backend,
            "LOCATION": f"{scheme}{number}",
            "TIMEOUT": None,
            "OPTIONS": {"MAX_ENTRIES": size, **options},
        }
        for number, size in enumerate(sizes)
    }
    settings.configure(CACHES=made)
    django.setup()
    from django.core.cache import caches

    return (caches[alias] for alias in made)


def _of_django(
    cache: Any, held: Callable[[Any], int], told: Callable[[Any], int | None] = lambda _: None
) -> Filled:
    def write(numbers: Iterable[int]) -> None:
        for number in numbers:
            cache.set(key(number), value(number))

    def ask(numbers: Iterable[int]) -> None:
        for number in numbers:
            cache.get(key(number))

    return Filled(write, ask, lambda: held(cache), lambda: told(cache))


def grown(name: str, entries: int) -> dict[str, float | None]:
    """Fill this process, churn, ask for all, and return what it has grown by."""
    made = MAKERS[name]((BEFORE, *[entries] * max(1, LEAST // entries)))
    first = next(made)
    first.write(range(BEFORE))
    first.ask(range(BEFORE))
    start = _size()

    def each() -> float:
        return (_size() - start) / sum(cache.held() for cache in caches)

    caches = []
    for cache in made:
        cache.write(range(entries))
        caches.append(cache)
    filled, said = each(), caches[0].accounted()
    for cache in caches:
        cache.write(range(entries, 3 * entries))
    churned = each()
    for cache in caches:
        cache.ask(range(3 * entries))
    return {
        "filled": filled,
        "churned": churned,
        "asked": each(),
        "own": _rounded(sys.getsizeof(key(0))) + _rounded(sys.getsizeof(value(0))),
        "accounted": None if said is None else said / entries,
    }


def _size() -> int:
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)


def _rounded(size: int) -> int:
    return -(-size // GRAIN) * GRAIN


if __name__ == "__main__":
    print(json.dumps(grown(sys.argv[1], int(sys.argv[2]))))
