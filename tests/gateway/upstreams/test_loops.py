"""Event loops: each has connections of its own, which end with it; health is everybody's."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable

import psutil
import pytest
from asgiref.sync import async_to_sync

from gateway_project.upstreams import Outgoing, Pool, PoolDown, PoolError, PoolOptions
from gateway_project.upstreams.loops import PerLoop
from tests.gateway.support import Upstream
from tests.gateway.upstreams.asking import ask
from tests.support.waiting import eventually

SYMBOLS = Outgoing("GET", "/symbols")


def connections(server: str) -> int:
    """Return how many of this process's sockets lead to a server."""
    port = int(server.rpartition(":")[2])
    return sum(
        bool(one.raddr) and one.raddr.port == port
        for one in psutil.Process().net_connections("tcp")
        if one.status != psutil.CONN_TIME_WAIT
    )


@pytest.fixture
def server(make_upstream: Callable[..., Upstream]) -> Upstream:
    return make_upstream()


def made(*servers: str, **options) -> Pool:
    return Pool("prices", PoolOptions(servers=servers, **options))


def test_one_pool_serves_one_loop_after_the_other(server: Upstream):
    pool = made(server.url)

    assert [asyncio.run(ask(pool, SYMBOLS)).status for _ in range(3)] == [200] * 3


def test_nothing_is_left_of_a_loop_that_has_ended(server: Upstream):
    pool, loops = made(server.url, probe="/healthz"), []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await ask(pool, SYMBOLS)
        assert connections(server.url) >= 1

    for _ in range(3):
        asyncio.run(main())
    gc.collect()

    assert connections(server.url) == 0
    assert [loop() for loop in loops] == [None] * 3
    assert len(pool._loops) == 0


def test_nothing_is_left_of_an_async_view_under_wsgi(server: Upstream):
    pool = made(server.url, probe="/healthz")

    statuses = [async_to_sync(ask)(pool, SYMBOLS).status for _ in range(3)]
    gc.collect()

    assert statuses == [200] * 3
    assert (connections(server.url), len(pool._loops)) == (0, 0)


def test_a_body_that_nobody_receives_is_let_go_of_when_the_loop_ends(server: Upstream):
    pool = made(server.url)

    async def main() -> None:
        incoming = await pool.send(SYMBOLS, budget=5.0, retry=True)
        async for _ in incoming.chunks():
            break

    asyncio.run(main())
    gc.collect()

    assert connections(server.url) == 0


def test_loops_at_the_same_time_have_connections_of_their_own(server: Upstream):
    pool, together = made(server.url), threading.Barrier(4, timeout=10)
    statuses: list[int] = []

    async def main() -> None:
        for _ in range(3):
            statuses.append((await ask(pool, SYMBOLS)).status)
            await asyncio.to_thread(together.wait)

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert statuses == [200] * 12
    assert connections(server.url) == 0


def test_all_loops_share_what_is_known_of_a_server(make_upstream: Callable[..., Upstream]):
    failing = make_upstream(failure_rate=1.0)
    pool = made(failing.url, failures=1, back_off=30.0)

    with pytest.raises(PoolError):
        asyncio.run(ask(pool, SYMBOLS))
    with pytest.raises(PoolDown):
        asyncio.run(ask(pool, SYMBOLS))

    assert failing.asked == ["/symbols"]


async def test_a_closed_pool_can_be_used_again(server: Upstream):
    pool = made(server.url)
    await ask(pool, SYMBOLS)
    await pool.aclose()
    eventually(lambda: connections(server.url) == 0)

    assert (await ask(pool, SYMBOLS)).status == 200
    await pool.aclose()


class Thing:
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_a_loop_has_one_value():
    things = PerLoop(Thing)

    assert await things.get() is await things.get()
    await things.aclose()


async def test_a_closed_value_is_followed_by_another():
    things = PerLoop(Thing)
    first = await things.get()
    await things.aclose()

    assert first.closed
    assert await things.get() is not first
    await things.aclose()


def test_a_loop_that_closes_nothing_is_forgotten_when_the_next_one_comes():
    things = PerLoop(Thing)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(things.get())
    loop.close()
    assert len(things) == 1

    async def main() -> None:
        await things.get()
        assert len(things) == 1

    asyncio.run(main())
    assert len(things) == 0
