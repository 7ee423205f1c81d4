"""tiercache itself, with the settings that one gets who sets none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from .rival import DJANGO, Rival
from .site import django_cache

NAME = "tiercache"

PATIENCE: Final = 10.0
"""Seconds within which it has to hear the server."""


def entry(url: str) -> dict[str, Any]:
    """Return its entry in `CACHES`."""
    return {"BACKEND": "tiercache.backend.TieredCache", "LOCATION": url}


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Make it, and wait until it hears what others change: it keeps nothing in memory before.

    Raises:
        TimeoutError: it does not.
    """
    with django_cache(NAME)(url) as cache:
        deadline = time.monotonic() + PATIENCE
        while cache.peek("heard") is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{NAME} did not subscribe within {PATIENCE:g} s: {url}")
            cache.set("heard", 1)
            time.sleep(0.005)
        yield cache


def forget(cache: Any) -> None:
    """Drop all copies from memory; Redis keeps what it has."""
    cache._node.memory.invalidate_all()


RIVAL = Rival(
    name=NAME,
    about="memory over the run's server, with all messages between processes, and its reports",
    can=DJANGO | {"memory", "redis"},
    opened=opened,
    package="django-tiercache",
    entry=entry,
    forget=forget,
)
