"""Under WSGI, after changes, and when callers leave: nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import markcoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.test import Client as DjangoClient
from django.test import override_settings

from gateway_project import settings as project
from gateway_project.fast import FastPath
from gateway_project.problems import ProblemError
from gateway_project.routing import current as routes
from gateway_project.serving import current
from gateway_project.serving.asked import Asked
from gateway_project.views.purge import _address_tag
from tests.gateway.origin import Answer, Origin
from tests.support.waiting import aeventually
from tiercache.http.fields import Fields

from .conftest import Client, until_answered
from .support import FRESH, STALE, language_of, raw, scope

# Under WSGI


def test_under_wsgi_what_is_stale_is_loaded_anew_before_the_answer(
    serve: Callable[..., Path], origin: Origin
):
    """The event loop of a request ends with its answer, so nothing can be done beside it."""
    serve()
    origin.says(cache_control=STALE, age="11", body=b"old")
    client = DjangoClient(headers={"host": "testserver"})
    client.get("/a")
    origin.says(cache_control=FRESH, body=b"new")
    assert client.get("/a").content == b"new"


def test_under_wsgi_a_body_that_breaks_off_is_a_bad_gateway(
    serve: Callable[..., Path], origin: Origin
):
    serve()
    headers: dict[str, Any] = {"Cache-Control": "no-store", "Content-Length": "100"}
    origin.script = lambda _: Answer(headers=headers, body=b"x")
    client = DjangoClient(raise_request_exception=False, headers={"host": "testserver"})
    response = client.get("/a")
    assert response.status_code == 502


# Changes


async def test_a_change_evicts_whatever_its_answer_names(client: Client, origin: Origin):
    """A Location that is no address is no reason to keep what was changed."""
    origin.says(cache_control=FRESH)
    await client()
    origin.says(status=201, location="http://[nonsense", body=b"")
    assert (await client(method="PUT")).status == 201
    origin.says(cache_control=FRESH, body=b"new")
    assert (await client()).body == b"new"


async def test_a_change_evicts_even_if_its_caller_leaves(client: Client, origin: Origin):
    """It was made; only its answer reaches nobody."""
    origin.says(cache_control=FRESH, body=b"old")
    await client()
    release = origin.hold()
    changing = asyncio.create_task(client(method="PUT"))
    await aeventually(lambda: origin.count == 2)
    changing.cancel()
    await asyncio.wait([changing])
    release.set()
    origin.held = None
    origin.says(cache_control=FRESH, body=b"new")
    await until_answered(client, b"new")


@pytest.mark.parametrize("url", ["http://[nonsense", "/\ud800", "/a?\ud800"], ids=ascii)
async def test_a_purge_of_what_is_no_address_is_refused(site: Any, url: str):
    with pytest.raises(ProblemError):
        _address_tag(url)


# What is left behind


async def test_a_reply_that_is_closed_unread_holds_no_connection(
    make_client: Callable[..., Client], origin: Origin
):
    """As happens when a caller leaves between the view and the first byte."""
    client = make_client(most_connections=1, timeout=0.5)
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"}, body=b"x", parts=10)
    reply = await raw(client)
    assert not isinstance(reply.body, bytes)
    await reply.body.aclose()  # type: ignore[attr-defined]
    del reply
    assert (await client("/b")).status == 200


async def test_a_reply_that_is_closed_half_read_holds_no_connection(
    make_client: Callable[..., Client], origin: Origin
):
    """Holds."""
    client = make_client(most_connections=1, timeout=0.5)
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "no-store"}, body=b"x" * 70_000, parts=10
    )
    reply = await raw(client)
    assert not isinstance(reply.body, bytes)
    await anext(reply.body)
    await reply.body.aclose()  # type: ignore[attr-defined]
    assert (await client("/b")).status == 200


async def test_callers_who_leave_before_the_first_byte_hold_no_connection(
    serve: Callable[..., Path], origin: Origin
):
    """They leave while Django's middleware has the response, which nobody reads then."""
    file = serve()
    text = file.read_text().replace("[[routes]]", "most_connections = 1\ntimeout = 0.5\n[[routes]]")
    file.write_text(text)
    routes.reload()
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"}, body=b"x", parts=3)
    with override_settings(MIDDLEWARE=[*project.MIDDLEWARE, f"{__name__}.Lingering"]):
        await asked_of(FastPath(ASGIHandler()), leaves=Lingering.began)
    messages = await asked_of(FastPath(ASGIHandler()), path="/b")
    assert messages[0]["status"] == 200
    for pool in current.pools():
        await pool.aclose()


class Lingering:
    """Middleware that takes its time when the response is there."""

    async_capable, sync_capable = True, False
    began = asyncio.Event()

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: Any) -> Any:
        response = await self._get_response(request)
        self.began.set()
        await asyncio.sleep(10)
        return response


async def asked_of(
    app: FastPath, path: str = "/a", method: str = "GET", leaves: asyncio.Event | None = None
) -> list[Any]:
    """Ask; return what is sent. The caller leaves when that event is set."""
    begun, messages = False, []

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if begun:
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope(path) | {"method": method}, receive, send)
    return messages


async def test_head_names_no_length_that_get_has_not(serve: Callable[..., Path], origin: Origin):
    """The upstream has named none; Django's middleware makes it 0 (RFC 9110, 8.6)."""
    serve()
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"})
    messages = await asked_of(FastPath(ASGIHandler()), method="HEAD")
    assert (b"content-length", b"0") not in [(n.lower(), v) for n, v in messages[0]["headers"]]
    for pool in current.pools():
        await pool.aclose()


async def test_a_304_that_nobody_asked_for_is_no_answer(client: Client, origin: Origin):
    """The load had no condition, nor had the caller."""
    origin.says(status=304, body=b"")
    assert (await client()).status in (200, 502)


async def test_a_new_table_cuts_no_answer_off(serve: Callable[..., Path], origin: Origin):
    """A pool that is another one now ends when those who use it are done."""
    file = serve()
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "no-store"}, body=b"x" * 100_000, parts=50
    )

    async def nothing(_limit: int) -> bytes:
        return b""

    asked = Asked("GET", b"/a", fields=Fields([("host", "gateway.test")]))
    reply = await current.gateway().answer(asked, nothing)
    assert not isinstance(reply.body, bytes)
    file.write_text(file.read_text().replace("[[routes]]", "timeout = 3.0\n[[routes]]"))
    routes.reload()
    current.gateway()
    read = 0
    async for part in reply.body:
        read += len(part)
        await asyncio.sleep(0)
    assert read == 5_000_000
    for pool in current.pools():
        await pool.aclose()


async def test_long_keys_give_no_warning(client: Client, origin: Origin):
    """A variant of a long address has a key like any other."""
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=language_of(asked)
    )
    target = "/" + "a" * 170
    for language in ("de", "en"):
        assert (await client(target, accept_language=language)).body == language.encode()


async def test_without_redis_and_without_a_fallback_the_answer_is_a_problem(
    make_client: Callable[..., Client], make_cache: Callable[..., Any], origin: Origin
):
    """`"FALLBACK": "raise"` says that the cache is away; callers are told so, and not 500."""
    cache = make_cache("away", OPTIONS={"FALLBACK": "raise"})
    client = make_client(cache=cache)
    origin.says(cache_control=FRESH)
    assert (await client()).status in (200, 503)
    assert (await client(method="PUT")).status in (200, 503)


async def test_without_redis_memory_answers(
    make_client: Callable[..., Client], make_cache: Callable[..., Any], origin: Origin
):
    """Holds."""
    client = make_client(cache=make_cache("away"))
    origin.says(cache_control=FRESH)
    assert (await client()).told == "fwd=uri-miss; stored"
    assert (await client()).told == "hit; detail=memory"
