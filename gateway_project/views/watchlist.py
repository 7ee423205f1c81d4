"""A watchlist kept in the session, and the session in the cache."""

import json
from http import HTTPStatus
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from gateway_project.problems import ProblemError
from gateway_project.serving import current
from gateway_project.serving.asked import Asked
from gateway_project.serving.exchange import exchange, matched
from tiercache.http.fields import Fields

SESSION_KEY = "watchlist"
SYMBOLS = b"/api/v1/symbols"
HOST = Fields([("host", "localhost")])


class SymbolConverter:
    """A stock symbol in a path; letters count as capitals, so that each symbol is there once."""

    regex = r"[A-Za-z][A-Za-z0-9.\-]{0,11}"

    def to_python(self, value: str) -> str:
        """Return the symbol in capitals."""
        return value.upper()

    def to_url(self, value: str) -> str:
        """Return the symbol as it is."""
        return value


@never_cache
@require_http_methods(["GET", "HEAD"])
async def listing(request: HttpRequest) -> HttpResponse:
    """Answer the caller's watchlist."""
    return JsonResponse({"symbols": await watched(request)})


@never_cache
@require_http_methods(["PUT", "DELETE"])
async def entry(request: HttpRequest, symbol: str) -> HttpResponse:
    """Put a symbol on the caller's watchlist, or take it off."""
    if request.method == "PUT":
        await _put(request, symbol)
    else:
        await _take(request, symbol)
    return JsonResponse({"symbols": await watched(request)})


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Do the same for the front page's forms."""
    symbol = request.POST.get("symbol", "").upper()
    act = _take if "remove" in request.POST else _put
    async_to_sync(act)(request, symbol)
    return HttpResponseRedirect(reverse("front") + "#watchlist")


async def watched(request: HttpRequest) -> list[str]:
    """Return the caller's watchlist."""
    symbols: list[str] = await request.session.aget(SESSION_KEY, [])
    return symbols


async def outlines() -> tuple[list[dict[str, Any]], str]:
    """Return the upstream's symbols with the span of their data, and how they were found.

    Raises:
        ProblemError: no upstream server has them.
    """
    gateway = current.gateway()
    found, query = matched(gateway.table, Asked("GET", SYMBOLS, fields=HOST))
    reply = await gateway.exchanged(exchange(Asked("GET", SYMBOLS), found, query), _no_body)
    if reply.status != HTTPStatus.OK or not isinstance(reply.body, bytes):
        raise ProblemError(HTTPStatus.BAD_GATEWAY, "No upstream server has told the symbols.")
    symbols: list[dict[str, Any]] = json.loads(reply.body)["symbols"]
    return symbols, reply.fields.get("cache-status") or ""


async def _no_body(_limit: int) -> bytes:
    return b""


async def _put(request: HttpRequest, symbol: str) -> None:
    known = [outline["symbol"] for outline in (await outlines())[0]]
    if symbol not in known:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"Unknown symbol {symbol!r}; known are {', '.join(known)}."
        )
    symbols = await watched(request)
    if symbol not in symbols:
        await request.session.aset(SESSION_KEY, [*symbols, symbol])


async def _take(request: HttpRequest, symbol: str) -> None:
    symbols = await watched(request)
    if symbol in symbols:
        kept = [one for one in symbols if one != symbol]
        await request.session.aset(SESSION_KEY, kept)
