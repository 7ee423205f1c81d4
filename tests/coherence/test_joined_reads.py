"""Look-ups of one key that are under way together are one read of Redis."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from tests.coherence.nodes import in_memory, settled
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

CALLERS = 30
HELD_BACK = 0.4
"""Seconds for which the server answers nobody, so that all callers are under way at once."""

PATIENT = {"TIME_BUDGET": 5}


@pytest.fixture
def server(own_valkey: Callable[..., Valkey]) -> Valkey:
    return own_valkey()


@pytest.fixture
def cache(server: Valkey, make_caches: Callable[..., dict[str, Any]]) -> Any:
    """A cache that has held a value, and dropped it with its subscription."""
    conf = settings_for("tiered", server.url, OPTIONS=PATIENT)
    cache = make_caches(default=conf)["default"]
    cache.set("hot", ["value"], 60)
    assert in_memory(cache, "hot")
    server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: not in_memory(cache, "hot"))
    settled(cache)
    return cache


def all_at_once(server: Valkey, get: Callable[[], Any]) -> list[Any]:
    """Call it from many threads while the server answers nobody; return what they got."""
    values: list[Any] = []
    threads = [threading.Thread(target=lambda: values.append(get())) for _ in range(CALLERS)]
    server.pause_clients(HELD_BACK)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return values


def test_threads_that_miss_together_read_once(cache: Any, server: Valkey) -> None:
    """After a reconnect Redis sees one read of a hot key; each caller's value is its own."""
    before = server.calls()["mget"]
    values = all_at_once(server, lambda: caches["default"].get("hot"))
    assert values == [["value"]] * CALLERS
    assert len({id(value) for value in values}) == CALLERS
    assert server.calls()["mget"] == before + 1
    assert cache.stats().redis_hits == CALLERS


def test_so_do_tasks_and_threads(cache: Any, server: Valkey) -> None:
    """Whoever came first leads, on an event loop or in a thread."""

    async def tasks() -> list[Any]:
        return await asyncio.gather(*[caches["default"].aget("hot") for _ in range(CALLERS)])

    before = server.calls()["mget"]
    found: list[Any] = []
    loop = threading.Thread(target=lambda: found.extend(asyncio.run(tasks())))
    loop.start()
    values = all_at_once(server, lambda: caches["default"].get("hot"))
    loop.join()
    assert values + found == [["value"]] * CALLERS * 2
    # The loop may have been done before the server was held back.
    assert server.calls()["mget"] - before <= 2


def test_nobody_joins_while_memory_is_not_trusted(
    cache: Any, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a subscription each caller gets an answer that was asked for after it called."""
    monkeypatch.setattr(listener, "FIRST_PAUSE", 5.0)
    server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: cache.stats().backplane == "lost")
    before = server.calls()["mget"]
    assert all_at_once(server, lambda: caches["default"].get("hot")) == [["value"]] * CALLERS
    assert server.calls()["mget"] == before + CALLERS


def test_a_call_on_the_loops_thread_does_not_wait_for_its_task(cache: Any, server: Valkey) -> None:
    """The task could not go on meanwhile; so the call asks for itself."""

    async def both() -> list[Any]:
        task = asyncio.create_task(caches["default"].aget("hot"))
        # One turn after the other, to be there while it is under way.
        while not cache._node.traffic.reads:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return [cache.get("hot"), await task]

    assert asyncio.run(both()) == [["value"]] * 2
