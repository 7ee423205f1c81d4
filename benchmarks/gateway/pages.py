"""The view of the tiny project that `benchmarks.gateway.apps.pages` configures, and its address."""

from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page

from benchmarks.gateway.apps import Setup

_bodies = Setup.told().read()
_made: Counter[str] = Counter()


def page(_request: HttpRequest, name: str) -> HttpResponse:
    """Make an answer, and say how often that was done: a hit still says what it said before."""
    body = _bodies[name]
    _made[name] += 1
    fields = {"Content-Length": str(len(body)), "X-Made": str(_made[name])}
    return HttpResponse(body, content_type="application/json", headers=fields)


urlpatterns = [path("<str:name>", cache_page(86_400)(page))]
