"""``/api/v1/`` through Django's ASGI handler, with both tiers and a real upstream server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from gateway_project.views.pages import EXAMPLES
from tests.gateway.support import HOST, Upstream
from tests.support.caches import wait_until_joined
from tests.support.servers import dead_port

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

PROBLEM = "application/problem+json"
SUMMARY = "/api/v1/symbols/IBM/summary?from=2008-01-01&to=2008-12-31"
SYMBOLS = "/api/v1/symbols"


@pytest.mark.parametrize("path", EXAMPLES.values(), ids=EXAMPLES)
async def test_each_route_is_loaded_once_and_then_answered_from_memory(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    loaded = await gateway.get(path)
    again = await gateway.get(path)

    assert (loaded.status_code, loaded.headers["Content-Type"]) == (200, "application/json")
    assert loaded.headers["X-Cache"] == "upstream"
    assert loaded.headers["X-Upstream"] == upstream.name
    assert loaded.headers["Cache-Status"] == "tiercache; fwd=miss; stored"
    assert again.content == loaded.content
    assert again.headers["X-Cache"] == "memory"
    assert "X-Upstream" not in again.headers
    assert again.headers["Cache-Status"] == "tiercache; hit; detail=memory"
    assert upstream.asked == [path.removeprefix("/api/v1")]


async def test_what_another_process_put_into_redis_is_answered_from_there(
    gateway: httpx.AsyncClient,
    upstream: Upstream,
    make_caches: Callable[..., Any],
    valkey: Any,
):
    other = make_caches(
        other={
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"{valkey.url}/0",
            "KEY_PREFIX": "gateway",
        }
    )["other"]
    other.set("api:v1:/symbols", b'{"symbols":[]}')
    wait_until_joined(caches["default"])

    tiers = [(await gateway.get(SYMBOLS)).headers["X-Cache"] for _ in range(2)]

    assert tiers == ["redis", "memory"]
    assert upstream.asked == []
    other.client.get_client().connection_pool.disconnect()


async def test_the_time_that_an_answer_took_and_the_worker_are_told(gateway: httpx.AsyncClient):
    timing = (await gateway.get(SYMBOLS)).headers["Server-Timing"]

    assert timing.startswith('cache;desc="upstream";dur=')
    assert timing.endswith(f'worker;desc="{os.getpid()}"')


async def test_spellings_of_one_request_share_one_answer(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    await gateway.get("/api/v1/symbols/AAPL/series?from=2013-01-02&to=2013-01-03")
    again = await gateway.get("/api/v1/symbols/aapl/series?to=2013-01-03&from=2013-01-02")

    assert again.headers["X-Cache"] == "memory"
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_head_is_answered_like_get(gateway: httpx.AsyncClient, path: str):
    get = await gateway.get(path)
    head = await gateway.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["X-Cache"] == "memory"
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY, "/api/v1/stats"])
async def test_other_methods_are_refused(gateway: httpx.AsyncClient, path: str, method: str):
    response = await gateway.request(method, path)

    assert (response.status_code, response.headers["Content-Type"]) == (405, PROBLEM)
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.json()["detail"] == f"{method} is not allowed here; allowed are GET, HEAD."


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/symbols?limit=5", 400, "Unknown query parameter 'limit'"),
        ("/api/v1/symbols/IBM/summary?form=2008-01-01", 400, "allowed are from, to"),
        ("/api/v1/symbols/IBM/prices", 404, "Nothing is at '/api/v1/symbols/IBM/prices'"),
        ("/api/v1/symbols/%2e%2e/summary", 404, "Nothing is at"),
        ("/api/v2/symbols", 404, "Nothing is at"),
    ],
)
async def test_what_the_gateway_refuses_never_reaches_the_upstream(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str, status: int, said: str
):
    response = await gateway.get(path)

    assert (response.status_code, response.headers["Content-Type"]) == (status, PROBLEM)
    assert said in response.json()["detail"]
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/symbols/XYZ/series", 404, "Unknown symbol 'XYZ'"),
        ("/api/v1/symbols/XYZ/summary", 404, "Unknown symbol 'XYZ'"),
        ("/api/v1/symbols/FB/days/2012-02-30", 400, "day must be a date as YYYY-MM-DD"),
        ("/api/v1/movers/2008-10-12", 404, "nearest trading days are 2008-10-10 and 2008-10-13"),
        ("/api/v1/symbols/FB/series?from=2013-02-01&to=2013-01-01", 400, "is after to"),
    ],
)
async def test_an_error_of_the_upstream_is_passed_on_and_not_kept(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str, status: int, said: str
):
    for _ in range(2):
        response = await gateway.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (status, PROBLEM)
        assert said in response.json()["detail"]
        assert response.headers["X-Cache"] == "upstream"
        assert response.headers["Cache-Status"] == "tiercache; fwd=miss"

    assert len(upstream.asked) == 2


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_without_an_upstream_it_is_a_bad_gateway(gateway: httpx.AsyncClient, path: str):
    with dead_port() as port, override_settings(GATEWAY_UPSTREAMS=(f"http://{HOST}:{port}",)):
        response = await gateway.get(path)

    assert (response.status_code, response.headers["Content-Type"]) == (502, PROBLEM)
    assert response.json()["attempts"] == [
        {"upstream": f"{HOST}:{port}", "reason": "could not be connected to"}
    ]
    assert response.headers["Cache-Status"] == "tiercache; fwd=miss"
    assert response.headers["Cache-Control"] == "no-store"
    assert "X-Cache" not in response.headers


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_with_slow_upstreams_only_it_is_a_gateway_timeout(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    upstream.misbehave(delay_ms=5_000)
    with override_settings(GATEWAY_UPSTREAM_TIMEOUT=0.2):
        response = await gateway.get(path)

    assert (response.status_code, response.headers["Content-Type"]) == (504, PROBLEM)
    assert "did not answer within 0.2 s" in response.json()["detail"]


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_what_is_kept_is_answered_while_the_upstream_fails(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    await gateway.get(path)
    upstream.misbehave(failure_rate=1.0)

    response = await gateway.get(path)

    assert (response.status_code, response.headers["X-Cache"]) == (200, "memory")


async def test_an_outage_is_not_kept(gateway: httpx.AsyncClient, upstream: Upstream):
    upstream.misbehave(failure_rate=1.0)
    during = await gateway.get(SUMMARY)
    upstream.misbehave()
    after = await gateway.get(SUMMARY)

    assert (during.status_code, after.status_code) == (502, 200)


async def test_another_server_answers_for_one_that_is_down(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    with dead_port() as port:
        servers = (f"http://{HOST}:{port}", upstream.url)
        with override_settings(GATEWAY_UPSTREAMS=servers):
            response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.headers["X-Upstream"]) == (200, upstream.name)


async def test_statistics_count_what_was_asked(gateway: httpx.AsyncClient):
    before = (await gateway.get("/api/v1/stats")).json()
    for _ in range(3):
        await gateway.get(SYMBOLS)
    after = (await gateway.get("/api/v1/stats")).json()

    grown = {name: after[name] - before[name] for name in ("memory_hits", "misses", "sets")}
    assert grown == {"memory_hits": 2, "misses": 1, "sets": 1}
    assert after["pid"] == os.getpid()


async def test_a_mistake_in_the_gateway_is_a_problem_document_too(
    gateway: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(caches["default"]), "aget", broken)
    response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.headers["Content-Type"]) == (500, PROBLEM)
    assert "ZeroDivision" not in response.text


async def test_a_foreign_host_is_refused(gateway: httpx.AsyncClient):
    response = await gateway.get(SYMBOLS, headers={"Host": "elsewhere.example"})

    assert (response.status_code, response.headers["Content-Type"]) == (400, PROBLEM)
