"""Where the pages are below an admin site, and who is let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse_lazy
from django.views.decorators.http import require_http_methods

from .. import aliases
from .access import APP, rights_of
from .views import audit, cache, evict, key, keys, outcome, overview, stats
from .visit import View, Visit

_READ = ("GET", "HEAD")
_ACT = ("GET", "HEAD", "POST")


def patterns(site: AdminSite) -> list[URLPattern]:
    """Return the patterns of all pages, to be included where the site's own begin."""

    def at(route: str, name: str, view: View, *needs: str, acts: bool = False) -> URLPattern:
        served = _served(site, view, needs, _ACT if acts else _READ)
        return path(f"{APP}/{route}", served, name=f"{APP}_{name}")

    # An alias may have a slash in it, so what ends with more comes before what ends with less.
    return [
        at("", "overview", overview.show),
        at("stats.json", "stats", stats.show, "view_stats"),
        at("audit/", "audit", audit.show, "view_stats"),
        at("audit/<int:pk>/", "outcome", outcome.show),
        at("c/<path:alias>/keys/", "keys", keys.show, "view_keys"),
        at("c/<path:alias>/key/", "key", key.show, "view_keys"),
        at("c/<path:alias>/evict/", "evict", evict.show, "evict", acts=True),
        at("c/<path:alias>/", "cache", cache.show, "view_stats"),
    ]


def _served(
    site: AdminSite, view: View, needs: tuple[str, ...], methods: tuple[str, ...]
) -> Callable[..., HttpResponse]:
    def answer(request: HttpRequest, alias: str = "", **named: Any) -> HttpResponse:
        rights = rights_of(request)
        if not (rights.any and all(getattr(rights, need) for need in needs)):
            raise PermissionDenied
        if alias and alias not in aliases.ours():
            raise Http404(f"No cache in CACHES with the alias {alias!r} is a TieredCache.")
        # What `{% url %}` goes by in a site that is not the default one.
        request.current_app = site.name
        return view(Visit(request, site, rights, alias), **named)

    # Read by LoginRequiredMiddleware.
    answer.login_url = reverse_lazy(  # type: ignore[attr-defined]
        "admin:login", current_app=site.name
    )
    # An eviction is not undone when a request fails afterwards; nor must be its row in the audit.
    answer._non_atomic_requests = set(connections)  # type: ignore[attr-defined]
    return site.admin_view(require_http_methods(methods)(answer))
