"""Bodies: received in parts, bounded, timed, broken off, let go of."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from gateway_project.upstreams import BrokenBody, Outgoing, Pool
from tests.gateway.upstreams.asking import GET, ask
from tests.gateway.upstreams.servers import (
    WELL,
    Server,
    breaking_off,
    reply,
    saying,
    stalling,
)
from tests.support.waiting import aeventually
from tiercache.http.fields import Fields

Serve = Callable[..., Awaitable[Server]]
MakePool = Callable[..., Pool]

MIB = 2**20
HALF = reply(body=b"half", length=8)


async def send(pool: Pool, budget: float = 5.0):
    return await pool.send(GET, budget=budget, retry=True)


async def test_the_response_is_as_it_was_received(serve: Serve, make_pool: MakePool):
    packed = gzip.compress(b"well")
    lines = ("Content-Encoding: gzip", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Name: caf\xe9")
    head = "\r\n".join(("HTTP/1.1 203 Reason", f"Content-Length: {len(packed)}", *lines, "", ""))
    server = await serve(saying(head.encode("latin-1") + packed))

    async with await send(make_pool(server)) as incoming:
        body = await incoming.read(100)

    assert (incoming.status, incoming.server, incoming.http_version) == (
        203,
        server.name,
        "HTTP/1.1",
    )
    assert incoming.fields == Fields(
        [
            ("content-length", str(len(packed))),
            ("content-encoding", "gzip"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-name", "caf\xe9"),
        ]
    )
    assert body == packed


@pytest.mark.parametrize("limit", [4, 5])
async def test_a_body_within_the_limit_is_read_whole(serve: Serve, make_pool: MakePool, limit: int):
    async with await send(make_pool(await serve())) as incoming:
        assert await incoming.read(limit) == b"well"


async def test_an_empty_body_is_read_as_empty(serve: Serve, make_pool: MakePool):
    async with await send(make_pool(await serve(saying(reply(body=b""))))) as incoming:
        assert await incoming.read(0) == b""


async def test_what_was_read_of_a_longer_body_is_not_lost(serve: Serve, make_pool: MakePool):
    body = bytes(range(256)) * 4096
    server = await serve(saying(reply(body=body)))

    async with await send(make_pool(server)) as incoming:
        assert await incoming.read(1000) is None
        assert await incoming.read(2000) is None
        assert b"".join([part async for part in incoming.chunks()]) == body


async def test_what_was_read_whole_can_be_streamed_too(serve: Serve, make_pool: MakePool):
    async with await send(make_pool(await serve())) as incoming:
        await incoming.read(100)

        assert [part async for part in incoming.chunks()] == [b"well"]


async def test_a_huge_body_is_streamed_in_little_memory(serve: Serve, make_pool: MakePool):
    size, part = 200 * MIB, bytes(MIB)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(body=b"", length=size))
        for _ in range(size // MIB):
            writer.write(part)
            await writer.drain()

    async with await send(make_pool(await serve(answer), timeout=10.0)) as incoming:
        tracemalloc.start()
        try:
            received = 0
            async for chunk in incoming.chunks():
                received += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert received == size
    assert peak < 8 * MIB


@pytest.mark.parametrize("whole", [True, False])
async def test_a_body_that_breaks_off_is_told(serve: Serve, make_pool: MakePool, whole: bool):
    server = await serve(breaking_off(HALF))
    pool = make_pool(server)

    async with await send(pool) as incoming:
        with pytest.raises(BrokenBody, match="broke off in the body") as caught:
            await (incoming.read(100) if whole else _drain(incoming))

    assert caught.value.server == server.name
    assert pool.snapshot().servers[0].failures == 1


async def test_a_broken_body_stays_broken(serve: Serve, make_pool: MakePool):
    async with await send(make_pool(await serve(breaking_off(HALF)))) as incoming:
        for _ in range(2):
            with pytest.raises(BrokenBody, match="broke off in the body"):
                await incoming.read(100)


async def test_a_body_whose_receiving_was_cancelled_is_not_taken_for_the_whole(
    serve: Serve, make_pool: MakePool
):
    async with await send(make_pool(await serve(stalling(HALF)), timeout=30.0)) as incoming:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(incoming.read(100), 0.05)

        with pytest.raises(BrokenBody, match="was given up in the body"):
            await incoming.read(100)


async def test_a_body_that_was_let_go_of_cannot_be_read(serve: Serve, make_pool: MakePool):
    async with await send(make_pool(await serve())) as incoming:
        pass

    with pytest.raises(BrokenBody, match="was given up in the body"):
        await incoming.read(100)


async def test_servers_whose_bodies_break_off_become_sick(serve: Serve, make_pool: MakePool):
    pool = make_pool(await serve(breaking_off(HALF)), failures=3, back_off=20.0)

    for _ in range(3):
        with pytest.raises(BrokenBody):
            await ask(pool)

    assert pool.snapshot().servers[0].state == "sick"


async def test_a_body_that_stops_coming_is_broken(serve: Serve, make_pool: MakePool):
    server = await serve(stalling(HALF))
    pool = make_pool(server, timeout=0.2)

    async with await send(pool) as incoming:
        with pytest.raises(BrokenBody, match=r"sent nothing of the body for 0\.2 s"):
            await incoming.read(100)

    await aeventually(lambda: server.open == 0)
    assert pool.snapshot().servers[0].failures == 1


async def test_a_body_may_take_longer_than_the_budget_and_the_time_out(
    serve: Serve, make_pool: MakePool
):
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(body=b"", length=6))
        for _ in range(6):
            await asyncio.sleep(0.2)
            writer.write(b".")

    async with await send(make_pool(await serve(answer), timeout=1.0), budget=0.1) as incoming:
        assert await incoming.read(100) == b"......"


async def test_a_response_that_is_let_go_of_closes_its_connection(
    serve: Serve, make_pool: MakePool
):
    server = await serve(stalling(HALF))
    pool = make_pool(server, timeout=30.0)

    async with await send(pool) as incoming:
        assert server.open == 1
        assert incoming.status == 200

    await aeventually(lambda: server.open == 0)
    assert pool.snapshot().servers[0].failures == 0


async def test_a_caller_that_is_cancelled_in_the_body_closes_its_connection(
    serve: Serve, make_pool: MakePool
):
    server = await serve(stalling(HALF))
    reading = asyncio.create_task(ask(make_pool(server, timeout=30.0)))
    await aeventually(lambda: server.requests)

    reading.cancel()

    await aeventually(lambda: server.open == 0)
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_body_that_was_read_whole_leaves_the_connection_for_the_next(
    serve: Serve, make_pool: MakePool
):
    server = await serve(WELL)
    pool = make_pool(server)
    async with await send(pool) as incoming:
        await incoming.read(100)

        await ask(pool)

    assert server.opened == 1


@pytest.mark.parametrize(
    ("method", "target", "told"),
    [
        ("G T", "/", "method must be a token"),
        ("", "/", "method must be a token"),
        ("GET", "", "target must begin with '/'"),
        ("GET", "symbols", "target must begin with '/'"),
        ("GET", "/a b", "visible ASCII"),
        ("GET", "/a\r\nX-Evil: 1", "visible ASCII"),
        ("GET", "/caf\xe9", "visible ASCII"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(method: str, target: str, told: str):
    with pytest.raises(ValueError, match=told):
        Outgoing(method, target)


async def _drain(incoming) -> None:
    async for _ in incoming.chunks():
        pass
