"""Where else a key may be: under another version, or under the prefix of another cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured

from tiercache import aliases
from tiercache.steps import Flow

from .looking import Look
from .names import Names
from .rows import GONE

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

FIRST_VERSIONS: Final = range(1, 11)
NEAR: Final = 5
"""Versions that are looked at: the first ten, and as many as this round the cache's own."""

MOST_CACHES: Final = 20


@dataclass(frozen=True, slots=True)
class Other:
    """Another place where the key is.

    Attributes:
        alias: the cache's.
        version: the key's there.
        raw: the full key.
    """

    alias: str
    version: str
    raw: bytes


def candidates(cache: TieredCache, names: Names, raw: bytes) -> tuple[Other, ...]:
    """Return where a key might be instead: a bounded number of places."""
    key, _ = names.parse(raw)
    if key is None:
        return ()
    own = str(cache._binding.alias)
    found = [_other(names, own, key, version) for version in _versions(cache)]
    for alias, other in _on_the_same_store(cache):
        found.append(_other(Names(other), alias, key, other.version))
    return tuple({one.raw: one for one in found if one is not None and one.raw != raw}.values())


def there(look: Look, others: tuple[Other, ...]) -> Flow[tuple[Other, ...]]:
    """Return those of the places where there is something."""
    lefts = yield from look.ask(*(("PTTL", other.raw) for other in others))
    return tuple(
        other for other, left in zip(others, lefts, strict=True) if left not in (None, GONE)
    )


def _versions(cache: TieredCache) -> list[int]:
    own = cache.version if isinstance(cache.version, int) else 1
    near = range(max(own - NEAR, 0), own + NEAR + 1)
    return sorted({*FIRST_VERSIONS, *near})


def _other(names: Names, alias: str, key: str, version: object) -> Other | None:
    raw = names.full(key, version)
    return None if raw is None else Other(alias, str(version), raw)


def _on_the_same_store(cache: TieredCache) -> list[tuple[str, TieredCache]]:
    found = []
    for alias in list(aliases.ours())[:MOST_CACHES]:
        try:
            other = aliases.tiered(alias, "a search")
        except (InvalidCacheBackendError, ImproperlyConfigured):
            # Its own mistake, of which the system checks tell.
            continue
        if alias != cache._binding.alias and other._node is cache._node:
            found.append((alias, other))
    return found
