"""One process that is filled with entries, and says what it has grown by.

    python -m benchmarks.parts.memory_filled RIVAL ENTRIES

writes an object of JSON: the fields of `benchmarks.parts.memory.Grown`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import psutil

from benchmarks import rivals

GRAIN: Final = 16
"""Bytes to a multiple of which the allocator rounds."""

BEFORE: Final = 100
"""Entries that are there before the first look, so that what is made once is not counted."""

Fill = Callable[[Iterable[int]], None]
"""Writes the entries of these numbers."""


def key(number: int) -> str:
    """Return the key of a number."""
    return f"customer:{number:011d}"


def value(number: int) -> str:
    """Return its value."""
    return f"{number:0100d}"


def in_django(backend: str, location: str, entries: int) -> Any:
    """Set Django up with one cache, in memory alone, that has room for so many entries."""
    import django
    from django.conf import settings

    options: dict[str, Any] = {"MAX_ENTRIES": entries}
    if "tiercache" in backend:
        options["MAX_BYTES"] = "64GiB"
    made = {"BACKEND": backend, "LOCATION": location, "TIMEOUT": None, "OPTIONS": options}
    settings.configure(CACHES={"default": made})
    django.setup()
    from django.core.cache import caches

    return caches["default"]


def tiercache(entries: int) -> tuple[Fill, Callable[[], int], Callable[[], float | None]]:
    """Return how to fill it, how many entries it holds, and what it accounts for."""
    cache = in_django("tiercache.backend.TieredCache", "", entries)
    return _setting(cache), lambda: cache.stats().entries, lambda: cache.stats().bytes


def locmem(entries: int) -> tuple[Fill, Callable[[], int], Callable[[], float | None]]:
    """Return the same of `LocMemCache`."""
    cache = in_django("django.core.cache.backends.locmem.LocMemCache", "", entries)
    return _setting(cache), lambda: len(cache._cache), lambda: None


def cashews(entries: int) -> tuple[Fill, Callable[[], int], Callable[[], float | None]]:
    """Return the same of cashews' memory, without the wrapper that chooses between backends."""
    from cashews.backends.memory import Memory

    memory = Memory(size=entries, check_interval=0)

    async def fill(numbers: Iterable[int]) -> None:
        for number in numbers:
            await memory.set(key(number), value(number), None)

    return lambda numbers: asyncio.run(fill(numbers)), lambda: len(memory.store), lambda: None


MAKERS: Final = {rivals.OURS: tiercache, rivals.LOCMEM: locmem, rivals.CASHEWS: cashews}


def _setting(cache: Any) -> Fill:
    def fill(numbers: Iterable[int]) -> None:
        for number in numbers:
            cache.set(key(number), value(number))

    return fill


def grown(name: str, entries: int) -> dict[str, float | None]:
    """Fill this process, churn, and return what it has grown by."""
    fill, held, accounted = MAKERS[name](entries)
    fill(range(BEFORE))
    start = _size()
    fill(range(BEFORE, entries))
    filled = (_size() - start) / (held() - BEFORE)
    said = accounted()
    fill(range(entries, 3 * entries))
    churned = (_size() - start) / (held() - BEFORE)
    own = _rounded(sys.getsizeof(key(0))) + _rounded(sys.getsizeof(value(0)))
    return {
        "filled": filled,
        "churned": churned,
        "own": own,
        "accounted": None if said is None else said / entries,
    }


def _size() -> int:
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)


def _rounded(size: int) -> int:
    return -(-size // GRAIN) * GRAIN


if __name__ == "__main__":
    print(json.dumps(grown(sys.argv[1], int(sys.argv[2]))))
