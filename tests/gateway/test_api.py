"""``/api/v1/`` through all of the gateway, with both tiers and a real upstream server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from gateway_project import settings as project
from gateway_project.serving import current
from gateway_project.serving.asked import Asked
from gateway_project.serving.engine import Gateway
from gateway_project.views.pages import EXAMPLES
from tests.coherence.nodes import pair_settings, settled
from tests.gateway.support import HOST, Upstream
from tests.support.servers import dead_port
from tests.support.waiting import aeventually
from tiercache.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.support.servers import Valkey

PROBLEM = "application/problem+json"
SUMMARY = "/api/v1/symbols/IBM/summary?from=2008-01-01&to=2008-12-31"
SYMBOLS = "/api/v1/symbols"


def told(response: httpx.Response) -> str:
    """Return what Cache-Status says, without the ttl."""
    cache, *parts = response.headers["Cache-Status"].split("; ")
    assert cache == "tiercache"
    return "; ".join(part for part in parts if not part.startswith("ttl="))


@pytest.mark.parametrize("path", EXAMPLES.values(), ids=EXAMPLES)
async def test_each_route_is_loaded_once_and_then_answered_from_memory(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    loaded = await gateway.get(path)
    again = await gateway.get(path)

    assert (loaded.status_code, loaded.headers["Content-Type"]) == (200, "application/json")
    assert told(loaded) == "fwd=uri-miss; stored"
    assert again.content == loaded.content
    assert told(again) == "hit; detail=memory"
    assert upstream.asked == [path.removeprefix("/api/v1")]


async def test_what_another_process_has_loaded_is_answered_from_redis(
    gateway: httpx.AsyncClient,
    upstream: Upstream,
    make_caches: Callable[..., Any],
    valkey: Valkey,
):
    made = make_caches(**pair_settings(valkey.url))
    settled(*made.values())
    here = current.gateway()
    there = Gateway(here.table, here._pools, made["other"])
    asked = Asked("GET", SYMBOLS.encode(), fields=Fields([("host", "testserver")]))
    await there.answer(asked, no_body)

    assert told(await gateway.get(SYMBOLS)) == "hit; detail=redis"

    async def is_held() -> bool:
        # What was told of the store may come after the first answer.
        return told(await gateway.get(SYMBOLS)) == "hit; detail=memory"

    await aeventually(is_held)
    assert len(upstream.asked) == 1


async def no_body(_limit: int) -> bytes:
    return b""


async def test_nothing_tells_callers_of_the_servers_inside(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    upstream.misbehave(failure_rate=1.0)
    refused = await gateway.get(SYMBOLS)
    upstream.misbehave()
    loaded = await gateway.get(SUMMARY)
    counted = await gateway.get("/api/v1/stats")

    for response in (refused, loaded, counted):
        assert upstream.name not in f"{response.headers}{response.text}"
    assert not {"x-upstream", "x-cache", "server-timing", "via"} & set(loaded.headers)


async def test_spellings_of_one_request_share_one_answer(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    await gateway.get("/api/v1/symbols/AAPL/series?from=2013-01-02&to=2013-01-03")
    again = await gateway.get("/api/v1/symbols/aapl/series?to=2013-01-03&from=2013-01-02")

    assert told(again) == "hit; detail=memory"
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_head_is_answered_like_get(gateway: httpx.AsyncClient, path: str):
    get = await gateway.get(path)
    head = await gateway.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert told(head) == "hit; detail=memory"
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
        ("/api/v1/symbols/%2e%2e/summary", 400, "the path has a dot segment"),
        ("/api/v1/symbols/IBM%2fsummary", 400, "The request is refused"),
        ("/api/v1/simbols", 404, "did you mean /api/v1/symbols?"),
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
        assert told(response) == "fwd=miss; detail=status"

    assert len(upstream.asked) == 2


async def test_without_an_upstream_it_is_a_bad_gateway(
    gateway: httpx.AsyncClient, configure: Callable[..., None]
):
    with dead_port() as port:
        configure(f"http://{HOST}:{port}")
        response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.headers["Content-Type"]) == (502, PROBLEM)
    assert response.json()["detail"] == "No upstream server answered: one failed."
    assert response.json()["attempts"] == [{"reason": "failed"}]
    assert told(response) == "fwd=miss"
    assert response.headers["Cache-Control"] == "no-store"


async def test_with_debug_the_servers_are_named(
    gateway: httpx.AsyncClient, upstream: Upstream, settings: Any
):
    settings.DEBUG = True
    upstream.misbehave(failure_rate=1.0)

    response = await gateway.get(SYMBOLS)

    assert response.json()["attempts"] == [{"upstream": upstream.name, "reason": "answered 503"}]


async def test_with_slow_upstreams_only_it_is_a_gateway_timeout(
    gateway: httpx.AsyncClient,
    upstream: Upstream,
    use_routes: Callable[[str], None],
    configure: Callable[..., None],
):
    text = project.GATEWAY_ROUTES.read_text()
    use_routes(text.replace("timeout = 2.0", "timeout = 0.2", 1))
    configure(upstream.url)
    upstream.misbehave(delay_ms=5_000)

    response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.headers["Content-Type"]) == (504, PROBLEM)
    assert response.json()["attempts"] == [{"reason": "did not answer in time"}]


@pytest.mark.parametrize("path", [SYMBOLS, SUMMARY])
async def test_what_is_kept_is_answered_while_the_upstream_fails(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    await gateway.get(path)
    upstream.misbehave(failure_rate=1.0)

    response = await gateway.get(path)

    assert (response.status_code, told(response)) == (200, "hit; detail=memory")


async def test_what_is_stale_is_answered_while_the_upstream_fails(
    gateway: httpx.AsyncClient, upstream: Upstream, site: Any
):
    loaded = await gateway.get(SYMBOLS)
    upstream.misbehave(failure_rate=1.0)
    await site.aevict_tags("route:symbols", soft=True)

    response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.content) == (200, loaded.content)
    assert "stale" in told(response)


async def test_an_outage_is_not_kept(gateway: httpx.AsyncClient, upstream: Upstream):
    upstream.misbehave(failure_rate=1.0)
    during = await gateway.get(SUMMARY)
    upstream.misbehave()
    after = await gateway.get(SUMMARY)

    assert (during.status_code, after.status_code) == (502, 200)


async def test_another_server_answers_for_one_that_is_down(
    gateway: httpx.AsyncClient, upstream: Upstream, configure: Callable[..., None]
):
    with dead_port() as port:
        configure(f"http://{HOST}:{port}", upstream.url)
        response = await gateway.get(SYMBOLS)
        pools = (await gateway.get("/api/v1/stats")).json()["pools"]

    assert (response.status_code, upstream.asked) == (200, ["/symbols"])
    assert [(one["number"], one["failures"]) for one in pools["prices"]] == [(1, 1), (2, 0)]


async def test_a_known_answer_is_not_sent_again(gateway: httpx.AsyncClient):
    date = (await gateway.get(SYMBOLS)).headers["Date"]

    response = await gateway.get(SYMBOLS, headers={"If-Modified-Since": date})

    assert (response.status_code, response.content) == (304, b"")
    assert told(response) == "hit; detail=memory"


async def test_statistics_count_what_was_asked(gateway: httpx.AsyncClient):
    before = (await gateway.get("/api/v1/stats")).json()
    for _ in range(3):
        await gateway.get(SYMBOLS)
    after = (await gateway.get("/api/v1/stats")).json()

    grown = {name: after[name] - before[name] for name in ("memory_hits", "loads", "loaded")}
    assert grown == {"memory_hits": 2, "loads": 1, "loaded": 1}
    assert after["pid"] == os.getpid()


async def test_a_mistake_in_the_gateway_is_a_problem_document_too(
    gateway: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(caches["default"]), "aget_or_set", broken)
    response = await gateway.get(SYMBOLS)

    assert (response.status_code, response.headers["Content-Type"]) == (500, PROBLEM)
    assert "ZeroDivision" not in response.text


async def test_a_foreign_host_is_refused(gateway: httpx.AsyncClient):
    response = await gateway.get(SYMBOLS, headers={"Host": "elsewhere.example"})

    assert (response.status_code, response.headers["Content-Type"]) == (400, PROBLEM)
