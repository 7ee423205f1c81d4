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
from gateway_project.fast import FastPath
from gateway_project.kinds import MOST_KNOWN
from gateway_project.serving import current
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
        (SYMBOLS, {"range": "bytes=0-1"}, {}),
        (SYMBOLS, {"authorization": "Basic x"}, {}),
        (SYMBOLS, {"if-match": "*"}, {}),
        (SYMBOLS, {"x_y": "1"}, {}),
        (SYMBOLS, {"transfer-encoding": "gzip"}, {}),
        (SYMBOLS + "?unknown=1", {}, {}),
        ("/api/v1/symbols/IBM/series", {}, {}),
        ("/healthz", {}, {}),
        (SYMBOLS, {}, {"SECURE_SSL_REDIRECT": True}),
        (SYMBOLS, {"x-forwarded-host": "a"}, {"USE_X_FORWARDED_HOST": True}),
    ],
    ids=str,
)
async def test_what_is_no_plain_hit_is_djangos(
    fast: httpx.AsyncClient, path: str, headers: dict[str, str], change: dict[str, Any]
):
    with override_settings(**change), pytest.raises(AssertionError, match="Django was asked"):
        async with client_of(FastPath(Forbidden())) as client:
            await client.get(path, headers=headers)


async def test_what_is_evicted_is_gone_at_once(
    fast: httpx.AsyncClient, gateway: httpx.AsyncClient, site: Any, upstream: Upstream
):
    assert (await fast.get(SYMBOLS)).status_code == 200
    await site.aevict_tags("route:symbols")
    with pytest.raises(AssertionError, match="Django was asked"):
        await fast.get(SYMBOLS)
    await gateway.get(SYMBOLS)
    assert (await fast.get(SYMBOLS)).status_code == 200
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
    with pytest.raises(AssertionError, match="Django was asked"):
        await fast.get(SYMBOLS)


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
