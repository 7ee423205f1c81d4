"""Who takes part in the part "gateway": each a server with one worker process, on a free port."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis

from benchmarks.gateway.apps import Setup
from benchmarks.gateway.servers import HOST, Server, gunicorn, nginx, uvicorn
from gateway_project.stack.child import PROJECT

TIERCACHE: Final = "tiercache"
LOCMEM: Final = "LocMemCache"
DJANGO_REDIS: Final = "django-redis"
REDIS_CACHE: Final = "RedisCache"

GATEWAY: Final = "gateway, fast path"
ENGINE: Final = "gateway, through Django"
BARE: Final = "bare ASGI application"
NGINX: Final = "nginx proxy_cache"

UVICORN, GUNICORN = "uvicorn", "gunicorn, sync worker"

ADDRESSES: Final = {
    "small": "/api/v1/symbols",
    "large": "/api/v1/symbols/AAPL/series?from=2012-01-01&to=2012-10-31",
}
"""Where the gateway has the two bodies; the others have them under their names."""

_CACHES: Final = {
    TIERCACHE: ("tiercache.backend.TieredCache", 10),
    LOCMEM: ("django.core.cache.backends.locmem.LocMemCache", None),
    REDIS_CACHE: ("django.core.cache.backends.redis.RedisCache", 11),
    DJANGO_REDIS: ("django_redis.cache.RedisCache", 12),
}
"""The caches under `cache_page`: their backends, and their databases of Redis."""

_GATEWAYS_DATABASE: Final = 13


class Name(NamedTuple):
    """Which server runs what: `kind` is what answers, `under` what serves it."""

    kind: str
    under: str = UVICORN


@dataclass(frozen=True, slots=True)
class Rival:
    """A server that runs.

    Attributes:
        name: what it is.
        server: its address and its process.
        addresses: path and query of each body, by its name.
        proof: a header field of its hits, and what is in there; None where all are hits.
    """

    name: Name
    server: Server
    addresses: Mapping[str, str]
    proof: tuple[str, str] | None

    def url(self, body: str) -> str:
        """Return the address of a body."""
        return self.server.address + self.addresses[body]

    def check(self, body: str, expected: bytes, *, tries: int = 20) -> None:
        """See that it answers with the right body, and from its cache.

        Raises:
            RuntimeError: It answers something else, or never from its cache.
        """
        for _ in range(tries):
            with urllib.request.urlopen(self.url(body), timeout=10) as answer:
                if answer.read() != expected:
                    raise RuntimeError(f"{self.name}: {self.url(body)} has another body")
                if self.proof is None or self.proof[1] in answer.headers.get(self.proof[0], ""):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name}: {self.url(body)} is no hit: {answer.headers}")

    def warm(self, body: str, expected: bytes, times: int) -> None:
        """Ask so many times, one after the other, and see each time that it is right."""
        for _ in range(times):
            self.check(body, expected)


@contextmanager
def running(url: str) -> Iterator[tuple[list[Rival], dict[str, bytes]]]:
    """Start all that can be; yield them, and the bodies that each of them has to answer with.

    Args:
        url: the Valkey server; the databases that are used there are emptied first.
    """
    _empty(url)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-")))
        told = _gateway_environment(stack, directory, url)
        gateway = uvicorn(stack, "gateway_project.asgi:application", told)
        bodies = {name: _fetched(gateway.address + where) for name, where in ADDRESSES.items()}
        folder = directory / "bodies"
        folder.mkdir()
        for name, body in bodies.items():
            (folder / name).write_bytes(body)
        hits = ("Cache-Status", "detail=memory")
        engine = uvicorn(stack, "benchmarks.gateway.apps:engine", told, "--factory")
        rivals = [
            Rival(Name(GATEWAY), gateway, ADDRESSES, hits),
            Rival(Name(ENGINE), engine, ADDRESSES, hits),
            *_pages(stack, str(folder), url),
            *_limits(stack, directory, str(folder)),
        ]
        for rival in rivals:
            for name, body in bodies.items():
                rival.check(name, body)
        yield rivals, bodies


def missing() -> dict[str, str]:
    """Return who cannot take part, and why."""
    gone = {}
    if not _has("django_redis"):
        gone[DJANGO_REDIS] = "django-redis is not installed"
    if not _has("gunicorn"):
        gone["gunicorn"] = "gunicorn is not installed, so nothing is measured under it"
    if not shutil.which("nginx"):
        gone[NGINX] = "nginx is not installed"
    return gone


def participants() -> list[Name]:
    """Return who takes part."""
    ends = [Name(GATEWAY), Name(ENGINE)]
    limits = [Name(BARE), *([Name(NGINX, "nginx")] if shutil.which("nginx") else [])]
    return ends + [Name(cache, under) for under in _servers() for cache in _caches()] + limits


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _servers() -> list[str]:
    return [UVICORN, *([GUNICORN] if _has("gunicorn") else [])]


def _caches() -> list[str]:
    return [name for name in _CACHES if name != DJANGO_REDIS or _has("django_redis")]


def _empty(url: str) -> None:
    for database in (_GATEWAYS_DATABASE, *(number for _, number in _CACHES.values() if number)):
        with redis.Redis.from_url(f"{url}/{database}") as client:
            client.flushdb()


def _gateway_environment(stack: ExitStack, directory: Path, url: str) -> dict[str, str]:
    upstream = uvicorn(stack, "gateway_project.upstream.app:create", {}, "--factory")
    return {
        "DJANGO_SETTINGS_MODULE": "gateway_project.settings",
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": HOST,
        "GATEWAY_ROUTES": str(PROJECT / "gateway_project" / "routes.toml"),
        "GATEWAY_STATE_DIR": str(directory / "state"),
        "GATEWAY_UPSTREAMS": upstream.address,
        "TIERCACHE_REDIS_URL": f"{url}/{_GATEWAYS_DATABASE}",
    }


def _pages(stack: ExitStack, folder: str, url: str) -> Iterator[Rival]:
    """Start the same project once for each server and cache."""
    for under in _servers():
        for name in _caches():
            backend, database = _CACHES[name]
            cache: dict[str, Any] = {"BACKEND": backend, "TIMEOUT": 86_400}
            if database is not None:
                # Under each server pages of their own, so that each has made what it answers.
                cache |= {"LOCATION": f"{url}/{database}", "KEY_PREFIX": under.partition(",")[0]}
            told = Setup(folder, cache).environment()
            yield Rival(Name(name, under), _paged(stack, under, told), _plain(), ("X-Made", "1"))


def _paged(stack: ExitStack, under: str, told: Mapping[str, str]) -> Server:
    if under == GUNICORN:
        return gunicorn(stack, "benchmarks.gateway.apps:wsgi_pages()", told)
    return uvicorn(stack, "benchmarks.gateway.apps:pages", told, "--factory")


def _limits(stack: ExitStack, directory: Path, folder: str) -> Iterator[Rival]:
    told = Setup(folder, {}).environment()
    bare = uvicorn(stack, "benchmarks.gateway.apps:bare", told, "--factory")
    yield Rival(Name(BARE), bare, _plain(), None)
    if shutil.which("nginx"):
        front = nginx(stack, directory / "nginx", bare.address)
        yield Rival(Name(NGINX, "nginx"), front, _plain(), ("X-Cache", "HIT"))


def _plain() -> dict[str, str]:
    return {name: f"/{name}" for name in ADDRESSES}


def _fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body
