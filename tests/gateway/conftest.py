"""The gateway in this process, and upstream servers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from gateway_project import recent
from gateway_project import settings as project
from gateway_project.fast import FastPath
from gateway_project.models import ApiKey
from gateway_project.routing import current as routes
from gateway_project.serving import current
from tests.gateway.origin import Origin
from tests.gateway.support import Upstream
from tests.support.waiting import aeventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

NAMES = (
    "INSTALLED_APPS",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SESSION_ENGINE",
    "STATIC_URL",
    "TEMPLATES",
    "TIERCACHE_REDIS_URL",
    "GATEWAY_ROUTES",
)


@pytest.fixture
def make_upstream() -> Iterator[Callable[..., Upstream]]:
    """Start upstream servers with the given faults."""
    started: list[Upstream] = []

    def make(**faults: float) -> Upstream:
        started.append(Upstream(**faults))
        return started[-1]

    yield make
    for upstream in started:
        upstream.close()


@pytest.fixture(scope="session")
def _shared_upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(_shared_upstream: Upstream) -> Upstream:
    """The gateway's one upstream server: well, and not asked yet."""
    _shared_upstream.misbehave()
    _shared_upstream.asked.clear()
    return _shared_upstream


@pytest.fixture(scope="session")
def _shared_origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


@pytest.fixture
def origin(_shared_origin: Origin) -> Iterator[Origin]:
    """An upstream server that answers what the test says."""
    yield _shared_origin
    _shared_origin.forget()


@pytest.fixture
def make_key() -> Callable[..., tuple[ApiKey, str]]:
    """Make keys; gives the row and the key."""

    def make(**chosen: Any) -> tuple[ApiKey, str]:
        row = ApiKey(**{"name": "reader", **chosen})
        key = row.draw()
        row.save()
        return row, key

    return make


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give the gateway these upstream servers, as a process that begins would find them."""

    def change(*servers: str) -> None:
        monkeypatch.setenv("GATEWAY_UPSTREAMS", ",".join(servers))
        routes.forget()
        current.reset()

    yield change
    routes.forget()
    current.reset()


@pytest.fixture
def site(
    make_cache: Callable[..., Any], upstream: Upstream, configure: Callable[..., None]
) -> Iterator[Any]:
    """The gateway's settings, with an empty cache over both tiers; gives that cache."""
    changes = {name: getattr(project, name) for name in NAMES}
    recent.forget()
    cache = make_cache("tiered", KEY_PREFIX="gateway")
    with override_settings(**changes):
        configure(upstream.url)
        yield cache


@pytest.fixture
def use_routes(
    site: Any, origin: Origin, configure: Callable[..., None], tmp_path: Path, settings: Any
) -> Callable[[str], None]:
    """Put a table of routes in force; `{url}` in its text is the origin's address."""

    def use(text: str) -> None:
        file = tmp_path / "routes.toml"
        file.write_text(text.replace("{url}", origin.url))
        settings.GATEWAY_ROUTES = file
        configure(origin.url)

    return use


@pytest.fixture
async def gateway(site: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway; all cookies are kept, as a browser keeps them."""
    transport = httpx.ASGITransport(app=FastPath(ASGIHandler()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client
    # Loads that go on beside the answers end before the event loop does.
    await aeventually(lambda: len(site._node.traffic.loads) == 0)
    for pool in current.pools():
        await pool.aclose()
