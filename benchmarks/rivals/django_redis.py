"""django-redis, whose settings and stored form tiercache shares."""

from __future__ import annotations

from typing import Any

from .rival import DJANGO, Rival
from .site import django_cache

NAME = "django-redis"


def entry(url: str) -> dict[str, Any]:
    """Return its entry in `CACHES`."""
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}


RIVAL = Rival(
    name=NAME,
    about="with its default client, serializer and pool",
    can=DJANGO | {"redis"},
    opened=django_cache(NAME),
    package="django-redis",
    entry=entry,
)
