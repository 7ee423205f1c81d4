"""A gateway in this process, over an origin that does what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from gateway_project.routing import current as routes
from gateway_project.routing.reading import load
from gateway_project.serving import current
from gateway_project.serving.asked import Asked
from gateway_project.serving.engine import Gateway
from gateway_project.serving.replies import Reply
from gateway_project.upstreams import Pool, PoolOptions
from tests.gateway.origin import Origin
from tests.support.waiting import aeventually
from tiercache.http.fields import Fields

ROUTE = """
[pools.origin]
servers = ["{url}"]

[[routes]]
name = "all"
path = "/{{rest*}}"
pool = "origin"
methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
{options}
"""


class Client:
    """Asks a gateway as its ASGI layer does, and reads the whole answer."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def ask(
        self,
        target: str = "/a",
        method: str = "GET",
        body: bytes = b"",
        fields: dict[str, str] | None = None,
        **headers: str,
    ) -> Answered:
        lines = [("host", "gateway.test"), *(fields or {}).items()]
        lines += [(name.replace("_", "-"), text) for name, text in headers.items()]
        path, _, query = target.partition("?")
        asked = Asked(method, path.encode(), query.encode(), Fields(lines), peer="192.0.2.1")

        async def read(_limit: int) -> bytes:
            return body

        return await Answered.of(await self.gateway.answer(asked, read))

    async def __call__(self, *arguments: Any, **named: Any) -> Answered:
        return await self.ask(*arguments, **named)


class Answered:
    """An answer with its whole body."""

    def __init__(self, reply: Reply, body: bytes) -> None:
        self.status, self.fields, self.body = reply.status, reply.fields, body

    @classmethod
    async def of(cls, reply: Reply) -> Answered:
        if isinstance(reply.body, bytes):
            return cls(reply, reply.body)
        return cls(reply, b"".join([part async for part in reply.body]))

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    @property
    def told(self) -> str:
        """What Cache-Status says, without the cache's name and its ttl."""
        parts = (self.fields.get("cache-status") or "").split("; ")[1:]
        return "; ".join(part for part in parts if not part.startswith("ttl="))


async def until_answered(client: Client, body: bytes) -> None:
    """Ask until this is the answer."""

    async def is_answered() -> bool:
        return (await client()).body == body

    await aeventually(is_answered)


@pytest.fixture
async def make_client(
    make_cache: Callable[..., Any], origin: Origin, tmp_path: Path
) -> AsyncIterator[Callable[..., Client]]:
    """Make a gateway with one route for everything; options are lines of TOML."""
    pools: list[Pool] = []
    caches: list[Any] = []

    def make(options: str = "", *, text: str = ROUTE, cache: Any = None, **pool: Any) -> Client:
        file = tmp_path / f"routes{len(pools)}.toml"
        file.write_text(text.format(url=origin.url, options=options))
        servers = pool.pop("servers", (origin.url,))
        pools.append(Pool("origin", PoolOptions(servers=servers, **{"back_off": 0.05, **pool})))
        made = pools[-1]
        tiers = make_cache("tiered") if cache is None else cache
        caches.append(tiers)
        return Client(Gateway(load(file), lambda _: made, tiers))

    yield make
    # Loads that go on beside the answers end before the event loop does.
    origin.forget()
    await aeventually(lambda: not any(len(cache._node.traffic.loads) for cache in caches))
    for pool in pools:
        await pool.aclose()


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture
def serve(site: Any, origin: Origin, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Put a table in force for the whole project: one route for everything, over the origin."""
    with ExitStack() as stack:

        def begin(options: str = "") -> Path:
            file = tmp_path / "served.toml"
            file.write_text(ROUTE.format(url=origin.url, options=options))
            stack.enter_context(override_settings(GATEWAY_ROUTES=file))
            current.reset()
            return file

        yield begin
    routes.forget()
