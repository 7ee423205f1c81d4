"""Django's `LocMemCache`: pickled values in an ordered dictionary, under one lock."""

from __future__ import annotations

from typing import Any

from .rival import DJANGO, Rival
from .site import ENTRIES, django_cache

NAME = "LocMemCache"


def entry(url: str) -> dict[str, Any]:  # noqa: ARG001 - it needs no server
    """Return its entry in `CACHES`."""
    return {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "benchmarks",
        "OPTIONS": {"MAX_ENTRIES": ENTRIES},
    }


RIVAL = Rival(
    name=NAME,
    about=f"Django's cache in process memory, with room for {ENTRIES:,} entries",
    can=DJANGO | {"memory"},
    opened=django_cache(NAME),
    entry=entry,
)
