"""The cache that a decorator names, looked up when it is needed."""

from __future__ import annotations

from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured

from .backend import TieredCache


def tiered(alias: str, who: str) -> TieredCache:
    """Return the cache of an alias, as the settings are now.

    Args:
        who: what uses it, for the message.

    Raises:
        ImproperlyConfigured: there is none, or it is of another kind.
    """
    cache = caches[alias]
    if not isinstance(cache, TieredCache):
        kind = type(cache)
        raise ImproperlyConfigured(
            f"{who} uses CACHES[{alias!r}], whose BACKEND is {kind.__module__}.{kind.__qualname__}"
            f"; allowed: tiercache.backend.TieredCache, or a class derived from it"
        )
    return cache
