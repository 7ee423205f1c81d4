"""The fixtures that all tests share: a real server, and caches on it, in it, or without it."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings
from django.utils import translation
from django.utils.translation import trans_real

from tests.support import browser, django_suite, servers
from tests.support.caches import TIERS, Face, settings_for, wait_until_joined
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey


def pytest_configure() -> None:
    """Let the processes that tests start be interrupted.

    A shell lets what it starts in the background ignore SIGINT, and that would be inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def short_collections() -> Iterator[None]:
    """Keep what a module leaves behind out of the garbage collector's later rounds.

    After thousands of tests a full collection takes the better part of a second, and so would
    decide whether a call is within 50 ms of its budget, or a page older than its timeout.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _translations_are_real() -> None:
    """Django finds each function of its translations once for each process, real or none.

    If that were first done by a test that switches them off, they would stay off for all others.
    """
    assert settings.USE_I18N
    for name in vars(trans_real):
        getattr(translation._trans, name)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """The server that ordinary tests share; what a test leaves in it goes when the test ends."""
    server = servers.shared()
    yield server
    server.client.flushall()


@pytest.fixture
def own_valkey() -> Iterator[Callable[..., Valkey]]:
    """Make servers that a test may freeze, kill and configure as it likes."""
    started: list[Valkey] = []

    def start(**config: Any) -> Valkey:
        started.append(servers.Valkey(**config))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def proxied() -> Iterator[Callable[[Valkey], Proxy]]:
    """Make proxies in front of servers."""
    made: list[Proxy] = []

    def make(server: Valkey) -> Proxy:
        made.append(Proxy(server.port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture(autouse=True)
def _settings_are_left_as_they_were() -> Iterator[None]:
    """Overrides that do not end in the order in which they began would stay for all who follow."""
    before = settings._wrapped
    yield
    assert settings._wrapped is before, "a fixture has left settings that it had changed"


@pytest.fixture
def make_caches() -> Iterator[Callable[..., dict[str, Any]]]:
    """Make caches by alias: `make_caches(default={...}, other={...})`; the last call counts."""
    overrides: list[override_settings] = []

    def make(**aliases: dict[str, Any]) -> dict[str, Any]:
        overrides.append(override_settings(CACHES={**settings.CACHES, **aliases}))
        overrides[-1].enable()
        made = {alias: caches[alias] for alias in aliases}
        for cache in made.values():
            wait_until_joined(cache)
        return made

    yield make
    # Leaving the override sends `setting_changed`, on which the backend drops its stores.
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def make_cache(valkey: Valkey, make_caches: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """Make the default cache over the given tiers (both, unless told otherwise).

    Further arguments are settings of the cache (`OPTIONS=...`); its KEY_PREFIX is unique.
    """

    def make(tiers: str = "tiered", **overrides: Any) -> Any:
        return make_caches(default=settings_for(tiers, valkey.url, **overrides))["default"]

    return make


@pytest.fixture(params=TIERS)
def tiers(request: pytest.FixtureRequest) -> str:
    """Each combination of tiers in turn."""
    return str(request.param)


@pytest.fixture
def cache(make_cache: Callable[..., Any], tiers: str) -> Any:
    """The cache over each combination of tiers in turn."""
    return make_cache(tiers)


@pytest.fixture(params=["sync", "async"])
def make_face(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Face]]:
    """Make faces of caches, called synchronously and asynchronously in turn."""
    faces: list[Face] = []

    def make(cache: Any) -> Face:
        faces.append(Face(cache, request.param))
        return faces[-1]

    yield make
    for face in faces:
        face.finish()


@pytest.fixture
def face(cache: Any, make_face: Callable[[Any], Face]) -> Face:
    """The cache over each combination of tiers, called synchronously and asynchronously."""
    return make_face(cache)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if "CI" in os.environ:
        return
    if settings.DJANGO_SUITE is None:
        terminalreporter.write_line(django_suite.LEFT_OUT)
    if browser.path() is None:
        terminalreporter.write_line(browser.LEFT_OUT)
