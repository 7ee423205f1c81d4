"""The gateway's addresses, and views that keep what they compute in the cache `shop`."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from gateway_project import urls

TIMEOUTS: Final = {"product": 600, "basket": 20, "menu": 60}
"""Seconds that each kind of thing is fresh."""


def thing(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    """Answer with something that takes some milliseconds to compute."""

    def compute() -> dict[str, Any]:
        time.sleep(0.004 + number % 17 / 1000)
        return {"kind": kind, "number": number, "price": f"{number * 7 % 90 + 9}.90", "stock": 12}

    tags = (f"{kind}s", f"department:{number % 8}")
    grace = 30 if kind == "menu" else None
    found = caches["shop"].get_or_set(
        f"{kind}:{number}", compute, TIMEOUTS[kind], grace=grace, tags=tags
    )
    return JsonResponse(found)


handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500
urlpatterns = [path("shop/<slug:kind>/<int:number>/", thing), *urls.urlpatterns]
