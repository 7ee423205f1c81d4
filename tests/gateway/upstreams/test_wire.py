"""What a server receives: the request as it was given, and nothing that httpx would add."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gateway_project.upstreams import Outgoing, Pool, PoolError
from tests.gateway.upstreams.asking import GET, POST, ask
from tests.gateway.upstreams.servers import Server, reply, saying
from tiercache.http.fields import Fields

Serve = Callable[..., Awaitable[Server]]
MakePool = Callable[..., Pool]


async def sent(serve: Serve, make_pool: MakePool, outgoing: Outgoing, **options) -> list[str]:
    """Return the lines of the request; the authority is written as HOST."""
    server = await serve()
    await ask(make_pool(server, **options), outgoing)
    return server.requests[0].decode("latin-1").replace(server.name, "HOST").split("\r\n")


async def test_host_is_all_that_is_added(serve: Serve, make_pool: MakePool):
    assert await sent(serve, make_pool, GET) == [
        "GET /symbols?limit=5 HTTP/1.1",
        "Host: HOST",
        "accept: application/json",
        "",
        "",
    ]


async def test_a_body_has_its_length(serve: Serve, make_pool: MakePool):
    assert await sent(serve, make_pool, POST) == [
        "POST /orders HTTP/1.1",
        "Host: HOST",
        "content-type: text/plain",
        "Content-Length: 3",
        "",
        "buy",
    ]


@pytest.mark.parametrize("line", ["host: evil", "content-length: 7", "transfer-encoding: chunked"])
async def test_the_callers_host_and_framing_are_replaced(
    serve: Serve, make_pool: MakePool, line: str
):
    name, _, value = line.partition(": ")
    outgoing = Outgoing("GET", "/", Fields([(name, value), ("x-kept", "1")]))

    assert await sent(serve, make_pool, outgoing) == [
        "GET / HTTP/1.1",
        "Host: HOST",
        "x-kept: 1",
        "",
        "",
    ]


async def test_the_host_can_be_a_fixed_name(serve: Serve, make_pool: MakePool):
    lines = await sent(serve, make_pool, GET, host="api.example.com")

    assert lines[1] == "host: api.example.com"
    assert "Host: HOST" not in lines


@pytest.mark.parametrize("target", ["/a%2Fb/../c//d", "/?q=%zz&q=a+b", "/'(x)'|{y}"])
async def test_the_target_is_sent_as_it_is(serve: Serve, make_pool: MakePool, target: str):
    assert (await sent(serve, make_pool, Outgoing("GET", target)))[0] == f"GET {target} HTTP/1.1"


async def test_cookies_are_not_kept(serve: Serve, make_pool: MakePool):
    server = await serve(saying(reply(200, b"", "Set-Cookie: a=1")))
    pool = make_pool(server)

    await ask(pool)
    await ask(pool)

    assert server.requests[0] == server.requests[1]


async def test_redirects_are_not_followed(serve: Serve, make_pool: MakePool):
    server = await serve(saying(reply(302, b"", "Location: /elsewhere")))

    assert (await ask(make_pool(server))).status == 302
    assert len(server.requests) == 1


async def test_the_environments_proxies_are_not_used(
    serve: Serve, make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert (await ask(make_pool(await serve()))).status == 200


async def test_a_request_that_http_does_not_allow_is_no_fault_of_the_server(
    serve: Serve, make_pool: MakePool
):
    pool = make_pool(await serve(), failures=1)

    with pytest.raises(PoolError, match="could not be sent the request"):
        await ask(pool, Outgoing("GET", "/", Fields([("x-name", "two\r\nlines")])))

    assert pool.snapshot().servers[0].state == "healthy"
