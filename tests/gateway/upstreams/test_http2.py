"""HTTP/2 with TLS and without, and whom to trust."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway_project.upstreams import BrokenBody, Outgoing, Pool, PoolError
from tests.gateway.upstreams.asking import GET, POST, ask
from tests.gateway.upstreams.http2 import AUTHORITY, Http2Server, serving_http2
from tests.support.waiting import aeventually
from tiercache.http.fields import Fields

MakePool = Callable[..., Pool]


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    file = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
async def secure() -> AsyncIterator[Http2Server]:
    async with serving_http2() as server:
        yield server


async def version(pool: Pool) -> str:
    async with await pool.send(GET, budget=5.0, retry=True) as incoming:
        await incoming.read(100)
        return incoming.http_version


async def test_tls_settles_on_http2(secure: Http2Server, make_pool: MakePool, trust: Path):
    assert await version(make_pool(secure, trust=trust, timeout=5.0)) == "HTTP/2"


async def test_http2_can_be_left_out(secure: Http2Server, make_pool: MakePool, trust: Path):
    pool = make_pool(secure, trust=trust, timeout=5.0, http2=False)

    assert await version(pool) == "HTTP/1.1"


async def test_http2_is_spoken_without_tls_if_nothing_else_is(make_pool: MakePool):
    async with serving_http2(secure=False) as server:
        pool = make_pool(server, http1=False)

        assert await version(pool) == "HTTP/2"
        await pool.aclose()


async def test_requests_at_the_same_time_share_a_connection(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust, timeout=5.0)

    answered = await asyncio.gather(*(ask(pool) for _ in range(20)))

    assert [one.body for one in answered] == [b"well"] * 20
    assert secure.opened == 1


async def test_the_request_has_the_fields_that_were_given_and_no_others(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust, timeout=5.0, host="api.example.com")

    await ask(pool, Outgoing("GET", "/a%2Fb?c", Fields([("host", "evil"), ("x-kept", "1")])))
    await ask(pool, POST)

    assert secure.fields[0] == [
        (b":method", b"GET"),
        (b":authority", b"api.example.com"),
        (b":scheme", b"https"),
        (b":path", b"/a%2Fb?c"),
        (b"x-kept", b"1"),
    ]
    assert secure.fields[1][4:] == [(b"content-type", b"text/plain"), (b"content-length", b"3")]


async def test_a_silent_connection_is_given_up(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust, failures=100)
    await ask(pool)
    secure.silent = True
    with pytest.raises(PoolError, match=r"did not answer within 0\.3 s"):
        await ask(pool)
    secure.silent = False

    assert (await ask(pool)).status == 200
    assert secure.opened == 2


async def test_a_connection_that_lives_does_not_excuse_a_missing_answer(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust)
    secure.silent = secure.pinging = True

    with pytest.raises(PoolError, match="did not answer"):
        await ask(pool)


async def test_a_connection_that_lives_does_not_excuse_a_missing_body(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust)
    secure.stalling = secure.pinging = True

    with pytest.raises(BrokenBody, match="sent nothing of the body"):
        await asyncio.wait_for(ask(pool), 5.0)


async def test_a_cancelled_request_leaves_the_others_alone(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    pool = make_pool(secure, trust=trust, timeout=5.0)
    await ask(pool)
    secure.silent = True
    asking = asyncio.create_task(ask(pool))
    await aeventually(lambda: len(secure.fields) == 2)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    secure.silent = False

    assert (await ask(pool)).body == b"well"
    assert secure.opened == 1


async def test_a_certificate_that_nobody_trusts_is_refused(
    secure: Http2Server, make_pool: MakePool, trust: Path
):
    with pytest.raises(PoolError, match=r"could not be connected to \(.*certificate verify failed"):
        await ask(make_pool(secure, timeout=5.0, connect_timeout=5.0))

    assert secure.fields == []
