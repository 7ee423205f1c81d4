"""The front page, the watchlist in the session, the static files, the health check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.sessions.backends.cached_db import KEY_PREFIX
from django.core.cache import cache

if TYPE_CHECKING:
    import httpx

    from tests.gateway.support import Upstream

FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@pytest.mark.django_db(transaction=True)
async def test_the_watchlist_is_kept_in_the_session_and_the_session_in_the_cache(
    gateway: httpx.AsyncClient,
):
    await gateway.put("/api/v1/watchlist/ibm")
    response = await gateway.put("/api/v1/watchlist/AAPL")

    assert response.json() == {"symbols": ["IBM", "AAPL"]}
    assert (await gateway.get("/api/v1/watchlist")).json() == {"symbols": ["IBM", "AAPL"]}
    assert cache.get(KEY_PREFIX + gateway.cookies["sessionid"])["watchlist"] == ["IBM", "AAPL"]


@pytest.mark.django_db(transaction=True)
async def test_a_symbol_is_put_on_the_watchlist_once_and_taken_off_at_will(
    gateway: httpx.AsyncClient,
):
    for _ in range(2):
        await gateway.put("/api/v1/watchlist/IBM")
    assert (await gateway.get("/api/v1/watchlist")).json() == {"symbols": ["IBM"]}

    for _ in range(2):
        assert (await gateway.delete("/api/v1/watchlist/IBM")).json() == {"symbols": []}


async def test_another_caller_has_another_watchlist(gateway: httpx.AsyncClient):
    await gateway.put("/api/v1/watchlist/IBM")
    gateway.cookies.clear()

    assert (await gateway.get("/api/v1/watchlist")).json() == {"symbols": []}


async def test_a_look_at_the_watchlist_makes_no_session(gateway: httpx.AsyncClient):
    response = await gateway.get("/api/v1/watchlist")

    assert "Set-Cookie" not in response.headers
    assert "no-store" in response.headers["Cache-Control"]


async def test_an_unknown_symbol_is_refused(gateway: httpx.AsyncClient):
    response = await gateway.put("/api/v1/watchlist/XYZ")

    assert response.status_code == 404
    assert "known are AAPL, FB, GOOG, IBM, MSFT" in response.json()["detail"]


async def test_the_watchlist_refuses_other_methods(gateway: httpx.AsyncClient):
    response = await gateway.post("/api/v1/watchlist/IBM")

    assert (response.status_code, response.headers["Allow"]) == (405, "PUT, DELETE")


@pytest.mark.django_db(transaction=True)
async def test_the_front_pages_forms_change_the_watchlist(gateway: httpx.AsyncClient):
    token = FORM_TOKEN.search((await gateway.get("/")).text)[1]
    form = {"csrfmiddlewaretoken": token, "symbol": "GOOG"}

    added = await gateway.post("/watchlist", data=form)
    with_it = (await gateway.get("/")).text
    await gateway.post("/watchlist", data={**form, "remove": "1"})
    without_it = (await gateway.get("/")).text

    assert (added.status_code, added.headers["Location"]) == (302, "/#watchlist")
    assert 'aria-label="Remove GOOG"' in with_it
    assert 'aria-label="Remove GOOG"' not in without_it


async def test_a_form_of_another_site_changes_nothing(gateway: httpx.AsyncClient):
    response = await gateway.post("/watchlist", data={"symbol": "GOOG"})

    assert response.status_code == 403
    assert (await gateway.get("/api/v1/watchlist")).json() == {"symbols": []}


async def test_the_front_page_lists_the_last_answers_with_their_tiers(gateway: httpx.AsyncClient):
    for _ in range(2):
        await gateway.get("/api/v1/movers/2008-10-13")

    page = (await gateway.get("/")).text

    rows = page[page.index('id="rows"') :]
    assert re.findall(r'class="tier (\w+)', rows)[:2] == ["memory", "upstream"]
    assert rows.count("/api/v1/movers/2008-10-13") == 2


async def test_the_front_page_shows_nothing_that_a_caller_smuggles_in(gateway: httpx.AsyncClient):
    await gateway.get("/api/v1/symbols/IBM/series", params={"from": "<script>alert(1)</script>"})

    assert "<script>alert" not in (await gateway.get("/")).text


async def test_the_front_page_keeps_its_own_content_security_policy(gateway: httpx.AsyncClient):
    response = await gateway.get("/")

    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|\son\w+=", response.text)
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', response.text):
        assert address.startswith("/"), address


async def test_the_front_page_says_when_no_upstream_answers(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    upstream.misbehave(failure_rate=1.0)

    response = await gateway.get("/")

    assert response.status_code == 200
    assert "No upstream server has told the symbols." in response.text
    assert upstream.name not in response.text


@pytest.mark.parametrize("debug", [False, True])
async def test_addresses_are_shown_with_debug_alone_and_passwords_never(
    gateway: httpx.AsyncClient, upstream: Upstream, settings: Any, debug: bool
):
    settings.DEBUG = debug
    settings.TIERCACHE_REDIS_URL = "redis://me:secret@cache.example:6379/0"

    page = (await gateway.get("/")).text

    assert ("redis://me:***@cache.example:6379/0" in page) is debug
    assert (upstream.name in page) is debug
    assert "secret" not in page


async def test_the_front_page_shows_how_the_upstreams_are(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    well = (await gateway.get("/")).text
    upstream.misbehave(failure_rate=1.0)
    for day in range(10, 14):
        await gateway.get(f"/api/v1/movers/2008-10-{day}")
    sick = (await gateway.get("/")).text

    assert 'prices 1 <span class="state healthy">healthy</span>' in well
    assert 'prices 1 <span class="state sick">sick</span>' in sick


async def test_the_front_page_shows_what_was_stale(
    gateway: httpx.AsyncClient, upstream: Upstream, site: Any
):
    await gateway.get("/api/v1/movers/2008-10-13")
    upstream.misbehave(failure_rate=1.0)
    await site.aevict_tags("route:movers", soft=True)
    await gateway.get("/api/v1/movers/2008-10-13")

    page = (await gateway.get("/")).text

    rows = page[page.index('id="rows"') :]
    assert re.findall(r'class="tier (\w+)', rows)[:2] == ["stale", "upstream"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("gateway/front.css", "text/css"),
        ("gateway/front.js", "text/javascript"),
        ("gateway/icon.svg", "image/svg+xml"),
        ("admin/css/base.css", "text/css"),
    ],
)
async def test_static_files_are_served_without_debug(
    gateway: httpx.AsyncClient, path: str, kind: str
):
    response = await gateway.get(f"/static/{path}")
    again = await gateway.get(
        f"/static/{path}", headers={"If-Modified-Since": response.headers["Last-Modified"]}
    )

    assert (response.status_code, response.headers["Content-Type"]) == (200, kind)
    assert len(response.content) == int(response.headers["Content-Length"])
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["gateway/none.css", "../settings.py", "%2e%2e/settings.py"])
async def test_nothing_else_is_served(gateway: httpx.AsyncClient, path: str):
    assert (await gateway.get(f"/static/{path}")).status_code == 404


async def test_health_asks_neither_redis_nor_the_upstream(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    response = await gateway.get("/healthz")

    assert (response.status_code, response.json()["status"]) == (200, "ok")
    assert upstream.asked == []


@pytest.mark.parametrize("path", ["/nothing", "/admin-of-somebody-else", "/API/v1/symbols"])
async def test_what_no_page_and_no_route_has_is_a_problem_document(
    gateway: httpx.AsyncClient, upstream: Upstream, path: str
):
    response = await gateway.get(path)

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert f"Nothing is at {path!r}" in response.json()["detail"]
    assert upstream.asked == []
