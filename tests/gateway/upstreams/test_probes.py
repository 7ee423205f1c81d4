"""Active probes: they heal without a caller, and end with the loop and without a word."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable

import pytest

from gateway_project.upstreams import Pool, PoolDown, PoolError, PoolOptions
from gateway_project.upstreams.health import Health, Turn
from gateway_project.upstreams.probes import Probes
from tests.gateway.support import Upstream
from tests.gateway.upstreams.asking import ask
from tests.gateway.upstreams.servers import SILENT, WELL, Server, failing
from tests.support.waiting import aeventually, eventually

Serve = Callable[..., Awaitable[Server]]
MakePool = Callable[..., Pool]

PROBED = {"probe": "/healthz", "probe_every": 0.05, "failures": 1, "back_off": 30.0}


def probes(server: Server) -> int:
    return sum(request.startswith(b"GET /healthz ") for request in server.requests)


async def test_a_probe_heals_without_a_caller(serve: Serve, make_pool: MakePool):
    server = await serve(failing())
    pool = make_pool(server, **PROBED)
    with pytest.raises(PoolError):
        await ask(pool)
    server.answer = WELL

    await aeventually(lambda: pool.snapshot().servers[0].state == "healthy")

    assert (await ask(pool)).status == 200


@pytest.mark.parametrize("answer", [failing(404), failing(503), SILENT])
async def test_a_probe_that_is_not_answered_with_2xx_heals_nobody(
    serve: Serve, make_pool: MakePool, answer
):
    server = await serve(failing())
    pool = make_pool(server, **PROBED, timeout=0.05)
    with pytest.raises(PoolError):
        await ask(pool)
    server.answer = answer

    await aeventually(lambda: probes(server) >= 3)

    with pytest.raises(PoolDown):
        await ask(pool)


async def test_callers_are_no_trials_where_there_are_probes(serve: Serve, make_pool: MakePool):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, **{**PROBED, "probe_every": 60.0, "back_off": 0.05})
    await ask(pool)
    await aeventually(lambda: pool.snapshot().servers[0].next_try == 0.0)

    assert (await ask(pool)).server == second.name


async def test_servers_that_are_well_are_not_probed(serve: Serve, make_pool: MakePool):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, **PROBED)
    await ask(pool)

    await aeventually(lambda: probes(first) >= 3)

    assert probes(second) == 0


async def test_all_servers_are_probed_if_that_is_wanted(serve: Serve, make_pool: MakePool):
    first, second = await serve(), await serve()
    pool = make_pool(first, second, **PROBED, probe_all=True)
    await ask(pool)
    second.answer = failing()

    await aeventually(lambda: pool.snapshot().servers[1].state == "sick")

    assert probes(first)


async def test_a_closed_pool_probes_no_more(serve: Serve, make_pool: MakePool):
    closed, control = await serve(failing()), await serve(failing())
    pool, other = make_pool(closed, **PROBED), make_pool(control, **PROBED)
    for one in (pool, other):
        with pytest.raises(PoolError):
            await ask(one)
    await aeventually(lambda: probes(closed))

    await pool.aclose()
    before, at = probes(closed), probes(control)
    await aeventually(lambda: probes(control) >= at + 4)

    assert probes(closed) == before


async def test_closing_waits_for_the_probe_that_is_under_way():
    ended = asyncio.Event()

    async def probe(_turn: Turn) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    options = PoolOptions(servers=("http://a",), probe_all=True)
    running = Probes(Health(("a",), options), probe, every=0.01)
    running.start()
    await aeventually(lambda: len(asyncio.all_tasks()) > 2)

    await running.aclose()

    assert ended.is_set()


def test_a_probe_under_way_keeps_no_loop_from_ending(
    make_upstream: Callable[..., Upstream], caplog: pytest.LogCaptureFixture
):
    upstream = make_upstream(failure_rate=1.0)
    pool = Pool("prices", PoolOptions(servers=(upstream.url,), **PROBED, timeout=20.0))

    async def main() -> None:
        with pytest.raises(PoolError):
            await ask(pool)
        upstream.misbehave(delay_ms=20_000)
        await aeventually(lambda: "/healthz" in upstream.asked)

    asyncio.run(main())
    gc.collect()

    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_a_loop_that_lives_for_one_request_probes_nothing(
    make_upstream: Callable[..., Upstream],
):
    upstream = make_upstream(failure_rate=1.0)
    pool = Pool("prices", PoolOptions(servers=(upstream.url,), **PROBED))

    async def main() -> None:
        with pytest.raises(PoolError):
            await ask(pool)

    asyncio.run(main())
    asyncio.run(asyncio.sleep(0.2))

    eventually(lambda: upstream.asked == ["/symbols?limit=5"])


async def test_pauses_and_back_offs_leave_the_sites_random_numbers_alone():
    """They are drawn beside callers, who may have seeded `random` for a test or a simulation."""
    before = random.getstate()
    health = Health(("a",), PoolOptions(servers=("http://a",), failures=1))
    health.failed(Turn("a"), "answered 503")
    running = Probes(health, lambda _: asyncio.sleep(0), every=60)
    running.start()
    await running.aclose()
    assert random.getstate() == before
