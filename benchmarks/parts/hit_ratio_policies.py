"""Who plays the traces, each with one rule: every access is a get, and a miss is followed by a set.

Each player takes the keys and how many entries may be held, and returns how many gets were hits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

Player = Callable[[Sequence[int], int], int]

OURS: Final = "tiercache"
LRU: Final = "LRU"
OPTIMUM: Final = "optimum"
THEINE: Final = "theine"


def optimum(keys: Sequence[int], room: int) -> int:
    """Count the hits of Belady's MIN: out goes what is asked for again last of all.

    No policy without bypass has more (Belady, "A study of replacement algorithms for a
    virtual-storage computer", 1966).
    """
    upcoming = _next_uses(keys)
    held: set[int] = set()
    latest: list[int] = []  # the negated next uses; those of held keys are all still to come
    hits = 0
    for key, following in zip(keys, upcoming, strict=True):
        if key in held:
            hits += 1
        else:
            if len(held) == room:
                # What is over lies at the other end of the heap, so this is a held key's.
                last = -heapq.heappop(latest)
                held.remove(keys[last] if last < len(keys) else last - len(keys))
            held.add(key)
        heapq.heappush(latest, -following)
    return hits


def _next_uses(keys: Sequence[int]) -> list[int]:
    """Return when each access's key is asked for next: after the end, each at its own time."""
    end = len(keys)
    after: dict[int, int] = {}
    uses = [0] * end
    for at in range(end - 1, -1, -1):
        key = keys[at]
        uses[at] = after.get(key, end + key)
        after[key] = at
    return uses


def lru(keys: Sequence[int], room: int) -> int:
    """Count the hits of an exact LRU."""
    held: dict[int, None] = {}
    hits = 0
    for key in keys:
        if key in held:
            hits += 1
            del held[key]
        elif len(held) == room:
            del held[next(iter(held))]
        held[key] = None
    return hits


def memory_tier(keys: Sequence[int], room: int, *, policy: str) -> int:
    """Count the hits of tiercache's memory itself, whose only bound is the number of entries."""
    from tiercache.entry import PLAIN, Copy
    from tiercache.memory import MemoryTier

    # The clock stands still, as nothing here expires; `float` is one that costs next to nothing.
    tier = MemoryTier(
        policy=policy, max_entries=room, max_bytes=2**50, max_entry_bytes=2**20, clock=float
    )
    names = {key: f":1:{key}" for key in set(keys)}
    copy, for_ever = Copy(1, PLAIN, 32), math.inf
    fresh, put = tier.fresh, tier.put
    hits = 0
    for key in keys:
        name = names[key]
        if fresh(name) is not None:
            hits += 1
        else:
            put(name, copy, for_ever)
    return hits


def locmem(keys: Sequence[int], room: int) -> int:
    """Count the hits of Django's LocMemCache itself."""
    from django.core.cache.backends import locmem

    name = "hit ratio"
    cache = locmem.LocMemCache(name, {"TIMEOUT": None, "OPTIONS": {"MAX_ENTRIES": room}})
    cache.clear()
    get, put = cache.get, cache.set
    hits = 0
    for key in keys:
        if get(key) is not None:
            hits += 1
        else:
            put(key, 1)
    return hits


def theine(keys: Sequence[int], room: int) -> int:
    """Count the hits of theine's adaptive W-TinyLFU."""
    from theine import Cache

    cache: Cache[int, int] = Cache(room)
    hits = 0
    for key in keys:
        if cache.get(key)[1]:
            hits += 1
        else:
            cache.set(key, 1)
    cache.close()
    return hits


PLAYERS: Final[Mapping[str, Player]] = MappingProxyType(
    {
        OURS: partial(memory_tier, policy="s3fifo"),
        LRU: lru,
        "LocMemCache": locmem,
        THEINE: theine,
        "tiercache, lru": partial(memory_tier, policy="lru"),
        "tiercache, fifo": partial(memory_tier, policy="fifo"),
        OPTIMUM: optimum,
    }
)
"""Who takes part, by name."""
