"""The front page, the static files and the health check."""

import os

import django
from django.conf import settings
from django.contrib.staticfiles.views import serve
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway_project import environment, recent
from gateway_project.problems import ProblemError
from gateway_project.routing import current
from gateway_project.routing.table import Route
from gateway_project.serving import current as serving
from gateway_project.views import api
from gateway_project.views.watchlist import outlines, watched
from tiercache import __version__

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EXAMPLES = {
    "symbols": "/api/v1/symbols",
    "series": "/api/v1/symbols/AAPL/series?from=2012-09-17&to=2012-09-21",
    "day": "/api/v1/symbols/FB/days/2012-05-18",
    "summary": "/api/v1/symbols/IBM/summary?from=2008-01-01&to=2008-12-31",
    "movers": "/api/v1/movers/2008-10-13",
}


@never_cache
@require_safe
async def front(request: HttpRequest) -> HttpResponse:
    """Show what runs, let its routes be tried, and list this worker's last answers."""
    try:
        symbols, told = await outlines()
        trouble = ""
    except ProblemError as exc:
        symbols, told, trouble = [], "", exc.detail
    chosen = await watched(request)
    context = {
        "running": _running(request),
        "pools": [(pool.name, api.servers(pool)) for pool in serving.pools()],
        "examples": _examples(),
        "symbols": symbols,
        "symbols_told": told,
        "trouble": trouble,
        "watched": [one for one in symbols if one["symbol"] in chosen],
        "unwatched": [one for one in symbols if one["symbol"] not in chosen],
        "recent": recent.answers(),
        "version": __version__,
    }
    response = render(request, "gateway/front.html", context)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def asset(request: HttpRequest, path: str) -> HttpResponse:
    """Serve a static file whole: a file iterated bit by bit would need a thread under ASGI."""
    try:
        response = serve(request, path, insecure=True)
    except SuspiciousFileOperation as exc:
        raise Http404(f"{path!r} leads out of the static files.") from exc
    if not isinstance(response, FileResponse):
        return response
    whole = HttpResponse(b"".join(response), headers=response.headers)
    response.close()
    return whole


@require_safe
async def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this worker is alive; neither Redis nor an upstream is asked."""
    return JsonResponse({"status": "ok", "pid": os.getpid()})


def _examples() -> list[tuple[Route, str]]:
    """Return the routes with an example of each; of those that one can ask without a key."""
    routes = current.table().routes
    return [(route, EXAMPLES[route.name]) for route in routes if route.name in EXAMPLES]


def _running(request: HttpRequest) -> list[tuple[str, str]]:
    interface = "ASGI" if isinstance(request, ASGIRequest) else "WSGI"
    return [
        ("This worker", f"process {os.getpid()}, {interface}, Django {django.get_version()}"),
        ("Memory tier", "in this process"),
        ("Redis tier", _redis()),
    ]


def _redis() -> str:
    redis = settings.TIERCACHE_REDIS_URL
    if not redis:
        return "none: memory alone"
    return environment.masked(redis) if settings.DEBUG else "shared by all workers"
