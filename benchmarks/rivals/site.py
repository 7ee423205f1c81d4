"""Django, set up with a cache for each rival that is a backend of its."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from .rival import Rival

TIMEOUT: Final = 3600
"""Seconds that entries live; nothing expires while it is measured."""

ENTRIES: Final = 10_000
"""How many entries each may hold in memory; tiercache's default."""


def configure(rivals: Iterable[Rival], url: str, default: str) -> None:
    """Set Django up once in this process; each rival's alias is its name, and one is the default.

    Args:
        rivals: those that are there; what is no backend of Django's is left out.
        url: a database of the run's server, which they share: their prefixes differ.
        default: the name of the one that `django.core.cache.cache` stands for.
    """
    import django
    from django.conf import settings

    if settings.configured:
        return
    entries = {rival.name: _entry(rival.entry(url), rival) for rival in rivals if rival.entry}
    settings.configure(CACHES={"default": entries[default], **entries})
    django.setup()


def django_cache(name: str) -> Callable[[str], AbstractContextManager[Any]]:
    """Return what opens a cache of Django's by its alias."""

    @contextmanager
    def opened(url: str) -> Iterator[Any]:  # noqa: ARG001 - the settings have it
        from django.core.cache import caches

        cache = caches[name]
        cache.clear()
        yield cache
        cache.clear()

    return opened


def _entry(entry: dict[str, Any], rival: Rival) -> dict[str, Any]:
    return {"TIMEOUT": TIMEOUT, "KEY_PREFIX": rival.name.replace(" ", ""), **entry}
