"""Views that tell an orchestrator whether this process lives, and whether it may get requests.

Liveness never depends on Redis: to restart every process because Redis is away would turn an
outage that memory survives into one that nobody does. Readiness depends on what the site says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .aliases import ours, tiered
from .backend import TieredCache
from .exceptions import RedisAway
from .steps import Ask, Flow

NEEDS: Final = ("redis", "backplane")
"""What `TIERCACHE_READY_NEEDS` may name: that Redis answers, that changes are heard."""

LONGEST: Final = 0.8
"""Seconds that readiness waits for the servers of all caches at the most."""


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200, whatever Redis does: the process answers."""
    del request
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 if every cache has what `TIERCACHE_READY_NEEDS` names, else 503; within 1 s.

    A cache without Redis needs nothing. With nothing named, the default, Redis is not asked.

    Raises:
        ImproperlyConfigured: the setting names something else.
    """
    del request
    needs = needed()
    told = {alias: dict(state) for alias, state in _states(needs)} if needs else {}
    is_ready = all(good for state in told.values() for good in state.values())
    answer = {"status": "ready" if is_ready else "not ready", "needs": needs, "caches": told}
    return JsonResponse(answer, status=200 if is_ready else 503)


def needed() -> list[str]:
    """Return what the settings say that requests need, of `NEEDS`.

    Raises:
        ImproperlyConfigured: they name something else.
    """
    named = getattr(settings, "TIERCACHE_READY_NEEDS", ())
    if not isinstance(named, list | tuple | set) or not set(named) <= set(NEEDS):
        raise ImproperlyConfigured(
            f"TIERCACHE_READY_NEEDS is {named!r}; allowed: a tuple of any of"
            f" {', '.join(map(repr, NEEDS))}"
        )
    return [need for need in NEEDS if need in named]


def _states(needs: list[str]) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield each cache that has a Redis tier, and which of its needs are met."""
    end = time.monotonic() + LONGEST
    caches = {alias: tiered(alias, "the readiness probe") for alias in ours()}
    for alias, cache in caches.items():
        if cache.stats().state != "alone":
            met = {"redis": _answers(cache, end), "backplane": cache.stats().backplane != "lost"}
            yield alias, {need: met[need] for need in needs}


def _answers(cache: TieredCache, end: float) -> bool:
    budget = min(cache._binding.options.time_budget, end - time.monotonic())
    if budget <= 0:
        return False
    try:
        cache._node.run(_ping(), budget)
    except RedisAway:
        return False
    return True


def _ping() -> Flow[list[Any]]:
    replies: list[Any] = yield Ask((("PING",),))
    return replies
