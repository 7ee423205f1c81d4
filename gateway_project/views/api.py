"""``/api/v1/``: the routes of the table, answered from the cache or by an upstream server."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_page, never_cache
from django.views.decorators.http import require_safe

from gateway_project import clients, replies
from gateway_project.pool import JSON, Answer
from gateway_project.routes import Route
from tiercache.sources import watch

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

View = Callable[..., Any]


def answer_view(route: Route) -> View:
    """Return the view that answers a route through the cache's low-level API."""

    @require_safe
    async def view(request: HttpRequest, **captures: str) -> HttpResponse:
        clock = replies.Clock.start()
        target = route.target(captures, request.GET)
        body, tier = await cached(route, target)
        if body is not None:
            return replies.from_cache(request, _response(body), tier, clock)
        answer = await load(route, target)
        return replies.from_upstream(
            request, _passed_on(answer), answer.upstream, clock, stored=answer.cacheable
        )

    return view


async def cached(route: Route, target: str) -> tuple[bytes | None, str]:
    """Return what the cache has for a target, or None, and the tier that answered."""
    with watch() as seen:
        body: bytes | None = await cache.aget(route.key(target))
    return body, seen.tier or "miss"


async def load(route: Route, target: str) -> Answer:
    """Ask the upstream servers and keep the answer if it succeeded; errors are never kept."""
    answer = await clients.aask(target)
    if answer.cacheable:
        await cache.aset(route.key(target), answer.body, route.timeout)
    return answer


def page_view(route: Route) -> View:
    """Return the view that answers a route with Django's own ``cache_page``.

    ``cache_page`` keeps whole responses, so what depends on the one answer (who gave it, how
    long it took) is put on outside of it.
    """

    @cache_page(route.timeout)
    def page(request: HttpRequest, **captures: str) -> HttpResponse:
        answer = clients.ask(route.target(captures, request.GET))
        response = _passed_on(answer)
        response["X-Upstream"] = answer.upstream
        return response

    @require_safe
    def view(request: HttpRequest, **captures: str) -> HttpResponse:
        clock = replies.Clock.start()
        with watch() as seen:
            response = page(request, **captures)
        if seen.tier in ("memory", "redis"):
            del response["X-Upstream"]
            return replies.from_cache(request, response, seen.tier, clock)
        stored = response.status_code == 200
        upstream = response["X-Upstream"]
        return replies.from_upstream(request, response, upstream, clock, stored=stored)

    return view


@never_cache
@require_safe
async def stats(_request: HttpRequest) -> HttpResponse:
    """Show what this worker's cache counted."""
    tiers = cast("TieredCache", cache)
    return JsonResponse({"pid": os.getpid(), **tiers.stats().as_dict()})


def _passed_on(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, content_type=answer.media_type)


def _response(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type=JSON)
