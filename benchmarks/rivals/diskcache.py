"""diskcache's `DjangoCache`: SQLite files, shared by the processes of one machine."""

from __future__ import annotations

import atexit
import functools
import tempfile
from typing import Any

from .rival import DJANGO, Rival
from .site import django_cache

NAME = "diskcache"


def entry(url: str) -> dict[str, Any]:  # noqa: ARG001 - it needs no server
    """Return its entry in `CACHES`."""
    return {"BACKEND": "diskcache.DjangoCache", "LOCATION": _directory()}


@functools.cache
def _directory() -> str:
    """Make a directory that goes when the process ends."""
    made = tempfile.TemporaryDirectory(prefix="tiercache-diskcache-")
    atexit.register(made.cleanup)
    return made.name


RIVAL = Rival(
    name=NAME,
    about="its `DjangoCache` with eight shards, its default, in a temporary directory",
    can=DJANGO,
    opened=django_cache(NAME),
    package="diskcache",
    entry=entry,
)
