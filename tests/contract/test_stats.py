"""What `cache.stats()` counts, exactly, also under threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

if TYPE_CHECKING:
    from tests.support.caches import Face

THREADS, ROUNDS = 8, 250


def counted(cache: Any) -> dict[str, int]:
    stats = cache.stats()
    names = ("memory_hits", "redis_hits", "misses", "sets", "deletes", "undecodable")
    return {name: getattr(stats, name) for name in names if getattr(stats, name)}


def test_a_fresh_cache_has_counted_nothing(cache: Any, tiers: str) -> None:
    """Everything begins at nought."""
    stats = cache.stats()
    assert counted(cache) == {}
    assert (stats.entries, stats.bytes, stats.timeouts) == (0, 0, 0)
    assert not any(stats.evictions.values())
    assert not any(stats.errors.values())
    assert stats.state == ("alone" if tiers == "memory" else "up")


def test_each_call_is_counted_once(face: Face, tiers: str) -> None:
    """Hits by tier, misses, values written and keys deleted."""
    face.set("key", 1)
    face.get("key")
    face.get("key")
    face.get("missing")
    face.get_many(["key", "missing"])
    face.set_many({"a": 1, "b": 2})
    face.delete("a")
    face.delete_many(["b", "key"])
    assert counted(face.cache) == {"memory_hits": 3, "misses": 2, "sets": 3, "deletes": 3}


def test_a_value_from_redis_is_counted_there(make_cache: Any, make_face: Any, valkey: Any) -> None:
    """The first read comes from Redis, the second from memory."""
    face = make_face(make_cache())
    valkey.client.set(face.cache.make_key("key"), 5)
    assert face.get("key") == face.get("key") == 5
    assert counted(face.cache) == {"memory_hits": 1, "redis_hits": 1}


def test_the_snapshot_is_immutable(cache: Any) -> None:
    """A snapshot neither changes by itself nor lets itself be changed."""
    before = cache.stats()
    cache.set("key", 1)
    cache.get("missing")
    assert before.sets == 0
    assert cache.stats().sets == 1
    with pytest.raises((FrozenInstanceError, AttributeError)):
        before.sets = 5
    for mapping in (before.evictions, before.errors):
        with pytest.raises(TypeError):
            mapping["new"] = 1


def test_entries_and_bytes_follow_what_memory_holds(cache: Any) -> None:
    """Both grow with what is written and fall with what is deleted."""
    cache.set("key", "x" * 1000)
    full = cache.stats()
    assert full.entries == 1
    assert full.bytes >= 1000
    cache.delete("key")
    empty = cache.stats()
    assert (empty.entries, empty.bytes) == (0, 0)


def test_evictions_are_counted(make_cache: Any, tiers: str) -> None:
    """What leaves because memory is full is counted, and the bound holds."""
    cache = make_cache(tiers, OPTIONS={"MAX_ENTRIES": 200})
    for number in range(500):
        cache.set(f"key{number}", number)
    stats = cache.stats()
    assert stats.entries <= 200
    assert sum(stats.evictions.values()) == 500 - stats.entries


def test_eight_threads_lose_no_count(make_cache: Any, tiers: str) -> None:
    """Each thread with a face of its own, all counters come out exactly."""
    cache = make_cache(tiers)
    cache.set("shared", 1)
    start = threading.Barrier(THREADS)

    def work(name: int) -> None:
        mine = caches["default"]
        start.wait()
        for number in range(ROUNDS):
            key = f"{name}-{number}"
            mine.get("shared")
            mine.get(key)
            mine.set(key, number)
            mine.get(key)
            mine.delete(key)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    times = THREADS * ROUNDS
    stats = cache.stats()
    # A write may void another key's ticket (they share stripes), so a hit may come from Redis.
    assert stats.memory_hits + stats.redis_hits == 2 * times
    assert stats.redis_hits == 0 or tiers == "tiered"
    assert (stats.misses, stats.sets, stats.deletes) == (times, times + 1, times)
