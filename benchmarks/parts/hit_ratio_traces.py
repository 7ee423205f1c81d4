"""What is asked for, access by access: traces of real systems, and four made from a fixed seed."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Final

VARIABLE: Final = "TIERCACHE_TRACES"
"""The environment variable that names a folder of traces."""

SUFFIX: Final = ".txt.gz"

SHARED: Final = ("web07", "web12", "orm-busy")
"""The traces over which the average of the goal is taken.

From cache2k-benchmark by headissue GmbH, Jens Wilke, as carried by the Caffeine simulator;
CC BY 4.0.
"""

KEYS: Final = 20_000
"""Distinct keys of each trace that is made here, about."""

PER_KEY: Final = 15
"""Accesses of such a trace for each of its keys, about."""

SEED: Final = 7

LOOP: Final = 1.1
"""A loop is so many times as large as the memory that is to be too small for it."""


def folder() -> Path | None:
    """Return the folder of traces that the environment names, None if it names none.

    Raises:
        NotADirectoryError: it names something else.
    """
    told = os.environ.get(VARIABLE)
    if not told:
        return None
    if not (found := Path(told)).is_dir():
        raise NotADirectoryError(f"{VARIABLE} is {told!r}; allowed: a folder of *{SUFFIX} files")
    return found


def recorded() -> list[str]:
    """Return the names of the traces in that folder, those of the goal's average first."""
    place = folder()
    names = {file.name.removesuffix(SUFFIX) for file in place.glob(f"*{SUFFIX}")} if place else ()
    return sorted(names, key=lambda name: (name not in SHARED, name))


@lru_cache(maxsize=2)
def trace(name: str) -> Sequence[int]:
    """Return the keys of a trace, recorded or made, in the order of its accesses."""
    make = MADE.get(name)
    return _read(name) if make is None else make(KEYS)


def _read(name: str) -> list[int]:
    place = folder()
    if place is None:
        raise FileNotFoundError(f"trace {name!r} has to be in a folder that {VARIABLE} names")
    with gzip.open(place / f"{name}{SUFFIX}") as file:
        return [int(line) for line in file]


def zipf_and_scans(size: int) -> list[int]:
    """Make accesses of Zipf's law, and in between scans of keys that never come again."""
    popular, scan = size // 2, size // 20
    drawn = _zipf(random.Random(SEED), popular)
    keys: list[int] = []
    for first in range(popular, popular + 10 * scan, scan):
        keys += (next(drawn) for _ in range(size * PER_KEY // 10 - scan))
        keys += range(first, first + scan)
    return keys


def loops(size: int) -> list[int]:
    """Make loops that are a little larger than 1 % and 10 % of all keys, one after the other."""
    small, large = int(size * 0.01 * LOOP), int(size * 0.1 * LOOP)
    keys: list[int] = []
    for length in (small, large):
        keys += list(range(length)) * (size * PER_KEY // 2 // length)
    return keys + list(range(large, size))


def fading(size: int) -> list[int]:
    """Make accesses of Zipf's law over age: each key is popular when it is new, and fades."""
    return [(shift - rank) % size for shift, rank in _shifts(size)]


def rising(size: int) -> list[int]:
    """Make accesses that are the hardest for whoever counts hits: keys rise, and end at the top."""
    return [(shift + rank) % size for shift, rank in _shifts(size)]


def _shifts(size: int) -> Iterator[tuple[int, int]]:
    """Yield how many keys were the first until now, and the rank of what is asked for."""
    drawn = _zipf(random.Random(SEED), size)
    return ((number // PER_KEY, next(drawn)) for number in range(size * PER_KEY))


def _zipf(chance: random.Random, keys: int) -> Iterator[int]:
    weights = list(accumulate(1 / rank**0.9 for rank in range(1, keys + 1)))
    while True:
        yield from chance.choices(range(keys), cum_weights=weights, k=10_000)


MADE: Final[Mapping[str, Callable[[int], list[int]]]] = MappingProxyType(
    {
        "Zipf with scans": zipf_and_scans,
        "loops": loops,
        "popularity that fades": fading,
        "popularity that ends at its height": rising,
    }
)
"""What makes traces of about so many keys, by name."""
