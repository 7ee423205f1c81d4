"""The views that tests ask over HTTP: a counted page in the cache, and one that keeps a session."""

from __future__ import annotations

from itertools import count

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page

_renderings = count(1)


@cache_page(60)
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"rendering {next(_renderings)}")


def visits(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


urlpatterns = [path("page/", page), path("visits/", visits)]
