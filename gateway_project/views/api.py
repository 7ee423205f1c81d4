"""``/api/v1/``: the routes of the table, and what the gateway says of itself."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway_project.serving import current, refusals
from gateway_project.serving.asked import Asked
from gateway_project.serving.responses import read_body, respond
from gateway_project.upstreams import BrokenBody, Pool

if TYPE_CHECKING:
    from tiercache.backend import TieredCache


async def gateway(request: HttpRequest) -> HttpResponseBase:
    """Answer what no page of the gateway's own is at: by the table of routes."""
    asked = Asked.from_request(request)
    reply = await current.gateway().answer(asked, partial(read_body, request))
    try:
        return await respond(request, reply)
    except BrokenBody as exc:  # under WSGI, where the whole body is received first
        return await respond(request, refusals.explained(exc))


@never_cache
@require_safe
async def stats(_request: HttpRequest) -> HttpResponse:
    """Show what this worker's cache counted, and how it finds the upstreams.

    Servers are told by their numbers in the routes file, and by their addresses with DEBUG alone.
    """
    tiers = cast("TieredCache", cache)
    pools = {pool.name: servers(pool) for pool in current.pools()}
    return JsonResponse({"pid": os.getpid(), **tiers.stats().as_dict(), "pools": pools})


def servers(pool: Pool) -> list[dict[str, object]]:
    """Return what this worker knows of a pool's servers, as callers may see it."""
    return [
        {
            "number": number,
            **({"address": server.server} if settings.DEBUG else {}),
            "state": server.state,
            "failures": server.failures,
            "next_try": server.next_try,
        }
        for number, server in enumerate(pool.snapshot().servers, start=1)
    ]
