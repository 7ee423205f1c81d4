"""The fast path: what Django would answer from memory, without Django."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from gateway_project import recent
from gateway_project.bodies import read_body
from gateway_project.fast import FastPath, completed, in_origin_form
from gateway_project.kinds import MOST_KNOWN
from gateway_project.serving import current
from tests.gateway.origin import Answer, Origin
from tests.gateway.support import Upstream

SYMBOLS = "/api/v1/symbols"
SERIES = "/api/v1/symbols/AAPL/series?from=2012-09-17&to=2012-09-21"


class Forbidden:
    """A Django that must not be asked."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(f"Django was asked for {scope['path']}")


def client_of(app: Any, base: str = "http://testserver") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base)


@pytest.fixture
async def fast(gateway: httpx.AsyncClient):
    """A client of the fast path alone, over a cache that has the two answers above."""
    for path in (SYMBOLS, SERIES):
        await gateway.get(path)
    async with client_of(FastPath(Forbidden())) as client:
        yield client


@pytest.fixture
async def slow(gateway: httpx.AsyncClient):
    """A client of Django alone."""
    async with client_of(ASGIHandler()) as client:
        yield client


def shown(response: httpx.Response) -> tuple[int, dict[str, list[str]], bytes]:
    names = {name.lower() for name in response.headers}
    return (
        response.status_code,
        {name: response.headers.get_list(name) for name in sorted(names)},
        response.content,
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [SYMBOLS, SERIES, "/api/v1/symbols?utm_source=x"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"accept-encoding": "gzip"},
        {"if-none-match": '"x"'},
        {"if-none-match": "*"},
        {"if-modified-since": "Thu, 01 Jan 2099 00:00:00 GMT"},
        {"cookie": "sessionid=" + "a" * 32, "x-anything": "1", "user-agent": "another"},
        {"cache-control": "no-cache"},
        {"x-api-key": "tck_" + "a" * 43},
    ],
    ids=str,
)
async def test_both_paths_answer_alike(
    fast: httpx.AsyncClient,
    slow: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
):
    """Status, every header field, and the body."""
    async with asyncio.timeout(10):
        while True:  # the Age may go up between the two
            one = await fast.request(method, path, headers=headers)
            other = await slow.request(method, path, headers=headers)
            if one.headers.get("age") == other.headers.get("age"):
                break
    assert shown(one) == shown(other)
    assert "hit" in one.headers["cache-status"] or one.status_code == 304
    assert one.headers["x-content-type-options"] == "nosniff"
    assert one.headers["x-frame-options"] == "DENY"


async def test_over_https_the_fields_for_it_are_there(site: Any, gateway: httpx.AsyncClient):
    with override_settings(SECURE_HSTS_SECONDS=3600, SECURE_CONTENT_TYPE_NOSNIFF=False):
        await gateway.get(SYMBOLS)
        async with (
            client_of(FastPath(Forbidden()), "https://testserver") as fast,
            client_of(ASGIHandler(), "https://testserver") as slow,
        ):
            one, other = await fast.get(SYMBOLS), await slow.get(SYMBOLS)
    assert shown(one) == shown(other)
    assert one.headers["strict-transport-security"] == "max-age=3600"


@pytest.mark.parametrize(
    ("path", "headers", "change"),
    [
        (SYMBOLS, {"host": "evil.test"}, {}),
        ("/healthz", {}, {}),
        ("/api/v1/stats", {}, {}),
        (SYMBOLS, {}, {"SECURE_SSL_REDIRECT": True}),
        (SYMBOLS, {"x-forwarded-host": "a"}, {"USE_X_FORWARDED_HOST": True}),
    ],
    ids=str,
)
async def test_pages_and_what_django_would_not_let_through_are_djangos(
    fast: httpx.AsyncClient, path: str, headers: dict[str, str], change: dict[str, Any]
):
    with override_settings(**change), pytest.raises(AssertionError, match="Django was asked"):
        async with client_of(FastPath(Forbidden())) as client:
            await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (SYMBOLS, {"range": "bytes=0-1"}),
        (SYMBOLS, {"range": "bytes=100000-"}),
        (SYMBOLS, {"authorization": "Basic x"}),
        (SYMBOLS, {"if-match": "*"}),
        (SYMBOLS, {"x_y": "1"}),
        (SYMBOLS, {"transfer-encoding": "gzip"}),
        (SYMBOLS + "?unknown=1", {}),
        ("/api/v1/symbols/XYZ/series", {}),
        ("/nothing", {}),
    ],
    ids=str,
)
async def test_what_is_no_hit_is_answered_alike_too(
    fast: httpx.AsyncClient, slow: httpx.AsyncClient, path: str, headers: dict[str, str]
):
    """By the engine in both cases; what Django adds, and a Date, is added here as well."""
    one, other = await fast.get(path, headers=headers), await slow.get(path, headers=headers)
    (status, shown_here, body), (slow_status, shown_there, slow_body) = shown(one), shown(other)
    assert (status, body) == (slow_status, slow_body)
    for fields in (shown_here, shown_there):
        fields.pop("date", None)
        fields.pop("age", None)
    assert shown_here == shown_there


async def test_what_is_evicted_is_gone_at_once(
    fast: httpx.AsyncClient, gateway: httpx.AsyncClient, site: Any, upstream: Upstream
):
    assert (await fast.get(SYMBOLS)).status_code == 200
    await site.aevict_tags("route:symbols")
    assert "stored" in (await fast.get(SYMBOLS)).headers["cache-status"]
    assert "hit" in (await fast.get(SYMBOLS)).headers["cache-status"]
    assert len(upstream.asked) == 3


async def test_its_memory_of_requests_is_bounded(fast: httpx.AsyncClient):
    app = FastPath(Forbidden())
    async with client_of(app) as client:
        for number in range(10):
            await client.get(SYMBOLS, headers={"accept-language": f"x-{number}"})
    assert app._kinds is not None
    known = app._kinds._known
    assert len(known) == 10
    known.update(dict.fromkeys(range(MOST_KNOWN)))
    async with client_of(app) as client:
        await client.get(SYMBOLS, headers={"accept-language": "x-new"})
    assert len(known) == 1


async def test_its_answers_are_among_the_last_ones(fast: httpx.AsyncClient):
    recent.forget()
    await fast.get(SERIES)
    (answered,) = recent.answers()
    assert (answered.path, answered.status, answered.tier) == (SERIES, 200, "memory")


async def test_a_new_table_is_heeded(
    fast: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    from gateway_project.routing import current as routes

    await fast.get(SYMBOLS)
    old = current.gateway()
    table = settings.GATEWAY_ROUTES.read_text().replace('"/api/v1/symbols"', '"/api/v2/symbols"')
    file = tmp_path / "routes.toml"
    file.write_text(table)
    monkeypatch.setattr(settings, "GATEWAY_ROUTES", file)
    routes.reload()
    assert current.gateway() is not old
    assert (await fast.get(SYMBOLS)).status_code == 404


@pytest.mark.parametrize("length", [True, False])
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    gateway: httpx.AsyncClient, tmp_path: Any, monkeypatch: Any, length: bool, configure: Callable
):
    from gateway_project.routing import current as routes

    table = settings.GATEWAY_ROUTES.read_text().replace(
        'name = "symbols"', 'name = "symbols"\nmethods = ["GET", "POST"]\nlargest_request = "1 KiB"'
    )
    file = tmp_path / "routes.toml"
    file.write_text(table)
    monkeypatch.setattr(settings, "GATEWAY_ROUTES", file)
    routes.reload()
    read = 0

    async def parts():
        nonlocal read
        for _ in range(1000):
            read += 1000
            yield b"x" * 1000

    content = b"x" * 1_000_000 if length else parts()
    response = await gateway.post(SYMBOLS, content=content)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert read <= 10_000


async def test_a_caller_who_leaves_ends_what_is_done_for_them(
    gateway: httpx.AsyncClient, origin: Origin, use_routes: Callable[[str], Any]
):
    """The upstream's answer is let go, and its connection closed."""
    use_routes(
        f"""
[pools.origin]
servers = ["{origin.url}"]
[[routes]]
name = "all"
path = "/items/{{rest*}}"
pool = "origin"
"""
    )
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "no-store"}, body=b"x" * 100_000, parts=1000, pause=0.01
    )
    sent: list[Any] = []
    leaves = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not sent:
            await asyncio.sleep(0)
            if not begun:
                begun.append(True)
                return {"type": "http.request", "body": b"", "more_body": False}
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 3:
            leaves.set()

    begun: list[bool] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/items/1",
        "raw_path": b"/items/1",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"testserver")],
        "client": ("192.0.2.1", 1),
    }
    async with asyncio.timeout(5):
        await FastPath(Forbidden())(scope, receive, send)
    assert 3 < len(sent) < 100


async def test_a_caller_who_takes_nothing_is_not_waited_for(
    gateway: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway_project.fast.PATIENCE", 0.05)

    async def send(_message: Any) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await completed(send)({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    "target", ["http://testserver/api/v1/symbols", "HTTP://testserver/healthz"]
)
async def test_the_absolute_form_of_this_host_is_taken(gateway: httpx.AsyncClient, target: str):
    assert in_origin_form(absolute(target, b"testserver")) is not None


@pytest.mark.parametrize("target", ["http://evil.test/a", "ftp://testserver/a", "*", "a:80"])
async def test_that_of_another_is_refused(gateway: httpx.AsyncClient, target: str):
    assert in_origin_form(absolute(target, b"testserver")) is None
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    await FastPath(Forbidden())(absolute(target, b"testserver"), receive, send)
    assert sent[0]["status"] == 400


def absolute(target: str, host: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", host)],
        "client": None,
    }


async def test_a_body_in_many_parts_is_read_in_time():
    """Each part costs the same, however many there were."""
    left = 200_000

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": b"x", "more_body": left > 0}

    async with asyncio.timeout(5):
        body = await read_body(receive, 1_000_000)
    assert body is not None
    assert len(body) == 200_000
