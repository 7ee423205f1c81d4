"""Which of the settings' caches are this package's; the one that is named, when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

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


def ours() -> dict[str, Mapping[str, Any]]:
    """Return the settings of each alias whose backend is a `TieredCache`, in their order."""
    return {alias: conf for alias, conf in settings.CACHES.items() if _is_ours(conf)}


def _is_ours(conf: Mapping[str, Any]) -> bool:
    try:
        backend = import_string(conf.get("BACKEND", ""))
    except ImportError:
        # Django says so itself, and better, as soon as the cache is used.
        return False
    return isinstance(backend, type) and issubclass(backend, TieredCache)
