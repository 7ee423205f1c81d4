"""Django's `RedisCache`."""

from __future__ import annotations

from typing import Any

from .rival import DJANGO, Rival
from .site import django_cache

NAME = "RedisCache"


def entry(url: str) -> dict[str, Any]:
    """Return its entry in `CACHES`."""
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


RIVAL = Rival(
    name=NAME,
    about="Django's own backend on Redis",
    can=DJANGO | {"redis"},
    opened=django_cache(NAME),
    entry=entry,
)
