"""django-cachex, on the driver that it brings along for Valkey."""

from __future__ import annotations

from typing import Any

from .rival import DJANGO, Rival
from .site import django_cache

NAME = "django-cachex"


def entry(url: str) -> dict[str, Any]:
    """Return its entry in `CACHES`; its driver for Redis is older than the one tiercache needs."""
    return {
        "BACKEND": "django_cachex.cache.ValkeyCache",
        "LOCATION": url.replace("redis://", "valkey://"),
    }


RIVAL = Rival(
    name=NAME,
    about="its `ValkeyCache`, on valkey-py with libvalkey, without a memory tier",
    can=DJANGO | {"redis"},
    opened=django_cache(NAME),
    package="django-cachex",
    python=(3, 12),
    entry=entry,
)
