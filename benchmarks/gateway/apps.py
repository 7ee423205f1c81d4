"""The applications that the part "gateway" serves, each made in a process of its own.

Where they find what they answer is in the environment: see `Setup`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VARIABLE = "GATEWAY_BENCHMARK"


@dataclass(frozen=True, slots=True)
class Setup:
    """What an application is told.

    Attributes:
        bodies: a directory with the bodies: a file's name is the path that it is served under.
        cache: Django's settings of the cache that holds the pages; empty where there is none.
    """

    bodies: str
    cache: Mapping[str, Any]

    def environment(self) -> dict[str, str]:
        """Return the variable that tells it."""
        return {VARIABLE: json.dumps({"bodies": self.bodies, "cache": dict(self.cache)})}

    @classmethod
    def told(cls) -> Self:
        """Return what the environment tells."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def read(self) -> dict[str, bytes]:
        """Return the bodies by name."""
        return {file.name: file.read_bytes() for file in Path(self.bodies).iterdir()}


def bare() -> Application:
    """Make an application that answers from a dictionary, and does nothing else."""
    answers = {f"/{name}": _messages(body) for name, body in Setup.told().read().items()}

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        start, body = answers[scope["path"]]
        await send(start)
        await send(body)

    return answer


def pages() -> Any:
    """Make a Django project of one view under `cache_page`, without any other middleware."""
    from django.core.asgi import get_asgi_application

    _configure()
    return get_asgi_application()


def wsgi_pages() -> Any:
    """Make the same for a WSGI server."""
    from django.core.wsgi import get_wsgi_application

    _configure()
    return get_wsgi_application()


def _configure() -> None:
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        CACHES={"default": Setup.told().cache},
        ROOT_URLCONF="benchmarks.gateway.pages",
        SECRET_KEY="a benchmark",
    )


def engine() -> Any:
    """Make the gateway without its fast path: Django and its middleware have all requests."""
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    application = get_asgi_application()
    import_module(settings.ROOT_URLCONF)
    return application


def _messages(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    start = {"type": "http.response.start", "status": 200, "headers": fields}
    return start, {"type": "http.response.body", "body": body}
