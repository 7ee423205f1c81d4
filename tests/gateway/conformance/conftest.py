"""One gateway over one origin, asked twice over: by its engine, and as a server runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from gateway_project import settings as project
from gateway_project.fast import FastPath
from gateway_project.routing import current as routes
from gateway_project.serving import current
from tests.gateway.conftest import NAMES
from tests.gateway.origin import Origin
from tests.gateway.serving import conftest as serving
from tiercache.http.fields import Fields

from .cases import Asks, Headers, Step, play

make_client = serving.make_client
"""The same fixture as in the tests of the engine."""

PASSED = (
    "accept-language",
    "authorization",
    "cache-control",
    "content-type",
    "cookie",
    "foo",
    "bar",
    "if-modified-since",
    "if-none-match",
    "pragma",
    "range",
)
MORE_STATUSES = (299, 302, 303, 307, 400, 499)
"""Statuses that have no lifetime unless the response names one, and that a route may store."""

STATUSES = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, *MORE_STATUSES)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH")

ROUTE = f"""
[pools.origin]
servers = ["{{url}}"]

[[routes]]
name = "all"
path = "/{{{{rest*}}}}"
pool = "origin"
methods = {list(METHODS)}
pass_headers = {list(PASSED)}
statuses = {list(STATUSES)}
{{options}}
"""


class Whole(NamedTuple):
    """A whole answer."""

    status: int
    fields: Fields
    body: bytes


Play = Callable[..., Any]
"""Goes through steps; `options` are lines of TOML for the one route."""


@pytest.fixture(params=["engine", "server"])
async def play_case(
    request: pytest.FixtureRequest,
    origin: Origin,
    engine: Callable[[str], Asks],
    server: Callable[[str], Asks],
) -> AsyncIterator[Play]:
    """Go through the steps of a case, by the engine alone, and through Django and fast path."""
    make = {"engine": engine, "server": server}[request.param]

    async def go(*steps: Step, options: str = "") -> None:
        await play(make(options), origin, steps)

    yield go
    for pool in current.pools():
        await pool.aclose()


@pytest.fixture
def engine(make_client: Callable[..., Any]) -> Callable[[str], Asks]:
    """Ask the engine itself."""

    def make(options: str) -> Asks:
        client = make_client(options, text=ROUTE)

        async def ask(target: str, method: str, fields: Mapping[str, str]) -> Any:
            return await client.ask(target, method, fields=dict(fields))

        return ask

    return make


@pytest.fixture
def serve(
    make_cache: Callable[..., Any],
    origin: Origin,
    tmp_path: Path,
) -> Any:
    """Give the gateway a file of one route with these options; return the whole application."""
    file = tmp_path / "served.toml"
    changes = {**{name: getattr(project, name) for name in NAMES}, "GATEWAY_ROUTES": file}

    def make(options: str) -> FastPath:
        file.write_text(ROUTE.format(url=origin.url, options=options))
        routes.forget()
        current.reset()
        return FastPath(ASGIHandler())

    make_cache("tiered", KEY_PREFIX="gateway")
    with override_settings(**changes):
        yield make
    routes.forget()
    current.reset()


@pytest.fixture
def server(serve: Callable[[str], FastPath]) -> Callable[[str], Asks]:
    """Ask what an ASGI server runs: the fast path in front of Django."""

    def make(options: str) -> Asks:
        transport = httpx.ASGITransport(app=serve(options))

        async def ask(target: str, method: str, fields: Mapping[str, str]) -> Whole:
            sent = httpx.Request(method, f"http://testserver{target}", headers=dict(fields))
            answer = await transport.handle_async_request(sent)
            return Whole(
                answer.status_code, Fields.decoded(answer.headers.raw), await answer.aread()
            )

        return ask

    return make


@pytest.fixture
def is_reused(play_case: Play) -> Play:
    """Go through the shortest case: what is said once, and whether it serves the next one."""

    async def go(expected: bool, answers: Headers, *, status: int = 200, **named: Any) -> None:
        options = named.pop("options", "")
        first = Step(answers=answers, status=status, **named)
        second = Step(answers=answers, status=status, is_reused=expected, gives=status, **named)
        await play_case(first, second, options=options)

    return go
