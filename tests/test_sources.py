"""`watch()` tells which tier answered, to its own thread and task alone."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from tiercache import sources
from tiercache.sources import watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.caches import Face


@pytest.fixture(autouse=True)
def _nobody_watches_any_more() -> Iterator[None]:
    yield
    assert sources.watching == 0


def test_each_tier_is_told(make_cache: Any, make_face: Any, valkey: Any) -> None:
    """None before the first look-up, then what the last one found."""
    face: Face = make_face(make_cache())
    valkey.client.set(face.cache.make_key("key"), 5)
    with watch() as seen:
        assert seen.tier is None
        face.get("nothing")
        assert seen.tier == "miss"
        face.get("key")
        assert seen.tier == "redis"
        face.get("key")
        assert seen.tier == "memory"
        face.get("nothing")
        assert seen.tier == "miss"


@pytest.mark.parametrize("value", [1, [1]], ids=["as it is", "serialized"])
def test_memory_alone_is_told(face: Face, value: Any) -> None:
    """With Redis away or none at all, memory or nobody answers."""
    with watch() as seen:
        # In here, since the runner of asynchronous calls keeps the context of its first one.
        face.set("key", value)
        face.get("key")
        assert seen.tier == "memory"
        face.get("nothing")
        assert seen.tier == "miss"


def test_it_stays_as_it_was_after_the_block(cache: Any) -> None:
    """The answer can be read later, and look-ups outside change it no more."""
    cache.set("key", 1)
    with watch() as seen:
        cache.get("key")
    cache.get("nothing")
    assert seen.tier == "memory"


def test_writes_say_nothing(face: Face) -> None:
    """Only look-ups are told."""
    with watch() as seen:
        face.set("key", 1)
        face.delete("key")
    assert seen.tier is None


def test_a_block_inside_another_hears_alone(cache: Any) -> None:
    """The inner one is told what happens in it, the outer one what happens around it."""
    cache.set("key", 1)
    with watch() as outer:
        cache.get("nothing")
        with watch() as inner:
            cache.get("key")
        assert (outer.tier, inner.tier) == ("miss", "memory")
        cache.get("key")
    assert (outer.tier, inner.tier) == ("memory", "memory")


def test_a_block_that_ends_in_an_error_watches_no_more(cache: Any) -> None:
    """The count of watchers comes down again."""
    with pytest.raises(ZeroDivisionError), watch():
        raise ZeroDivisionError
    assert sources.watching == 0
    assert sources._current.get() is None


def test_threads_hear_only_their_own(make_cache: Any) -> None:
    """Eight at once, each with its own answers."""
    cache = make_cache("memory")
    cache.set("key", 1)
    barrier = threading.Barrier(8)

    def work(name: int) -> list[Any]:
        mine, told = caches["default"], []
        barrier.wait(10)
        for number in range(200):
            if name % 4 == 3:
                mine.get("key")
                continue
            with watch() as seen:
                there = (name + number) % 2
                mine.get("key" if there else "nothing")
                told.append(seen.tier == ("memory" if there else "miss"))
        return told

    with ThreadPoolExecutor(8) as threads:
        assert all(all(told) for told in threads.map(work, range(8)))


def test_a_thread_is_not_heard_by_who_started_it(make_cache: Any) -> None:
    """A look-up in a thread of its own belongs to nobody's block, unless the context goes along."""
    cache = make_cache("memory")
    cache.set("key", 1)
    with watch() as seen, ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: caches["default"].get("nothing")).result()
        assert seen.tier is None
        context = contextvars.copy_context()
        threads.submit(context.run, lambda: caches["default"].get("key")).result()
        assert seen.tier == "memory"


async def test_tasks_hear_only_their_own(make_cache: Any) -> None:
    """Fifty at once on one event loop, interleaved at every await."""
    cache = make_cache()
    await cache.aset("key", 1)

    async def work(name: int) -> bool:
        with watch() as seen:
            for _ in range(5):
                await asyncio.sleep(0)
                await cache.aget("key" if name % 2 else f"nothing{name}")
                await asyncio.sleep(0)
                if seen.tier != ("memory" if name % 2 else "miss"):
                    return False
        return True

    assert all(await asyncio.gather(*(asyncio.create_task(work(name)) for name in range(50))))


async def test_a_task_is_heard_by_who_started_it(make_cache: Any) -> None:
    """A task begun inside the block belongs to it, as asyncio copies contexts."""
    cache = make_cache("memory")
    await cache.aset("key", 1)
    with watch() as seen:
        await asyncio.create_task(cache.aget("key"))
    assert seen.tier == "memory"


def test_the_count_of_watchers_is_exact_under_threads() -> None:
    """It is raised and lowered without a lock: a lost step would watch for ever, or never."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    barrier = threading.Barrier(8)

    def work(_: int) -> None:
        barrier.wait(10)
        for _ in range(3000):
            with watch():
                pass

    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
    finally:
        sys.setswitchinterval(before)
    assert sources.watching == 0
