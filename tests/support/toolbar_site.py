"""A site that uses django-debug-toolbar, and what its cache panel says of two requests, as JSON.

A process of its own, since the toolbar patches Django for good:
`python -m tests.support.toolbar_site URL`
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from tests.support.caches import settings_for

PAGE = "<html><body>{}</body></html>"


def page(request: HttpRequest) -> HttpResponse:
    cache = caches["default"]
    cache.set("key", {"a": 1}, 60)
    found = [cache.get("key"), cache.get("nothing"), cache.get_many(["key", "nothing"])]
    cache.get_or_set("loaded", lambda: "value")
    cache.delete("nothing")
    return HttpResponse(PAGE.format(len(found)))


async def async_page(request: HttpRequest) -> HttpResponse:
    await caches["default"].aset("key", "asynchronous")
    return HttpResponse(PAGE.format(await caches["default"].aget("key")))


def configure(url: str) -> None:
    settings.configure(
        DEBUG=True,
        SECRET_KEY="for the tests only",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=__name__,
        CACHES={"default": settings_for("tiered", url)},
        INSTALLED_APPS=["django.contrib.staticfiles", "debug_toolbar", "tiercache"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
        STATIC_URL="static/",
        DEBUG_TOOLBAR_PANELS=["debug_toolbar.panels.cache.CachePanel"],
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda request: True},
    )
    django.setup()


def watched(address: str) -> dict[str, Any]:
    """Ask for a page; return what it says and what the panel has seen."""
    from debug_toolbar.panels.cache import CachePanel

    panels: list[Any] = []
    record = CachePanel.generate_stats

    def recorded(panel: Any, *args: Any) -> None:
        panels.append(panel)
        record(panel, *args)

    CachePanel.generate_stats = recorded
    answer = Client().get(address)
    CachePanel.generate_stats = record
    caches["default"].get("after the request")
    return {
        "body": answer.content.decode(),
        "counts": {name: count for name, count in panels[0].counts.items() if count},
        "hits": panels[0].hits,
        "misses": panels[0].misses,
        "calls": len(panels[0].calls),
    }


def main() -> None:
    global urlpatterns
    configure(sys.argv[1])
    urlpatterns = [
        path("page/", page),
        path("async/", async_page),
        path("__debug__/", include("debug_toolbar.urls")),
    ]
    sys.stdout.write(json.dumps([watched("/page/"), watched("/async/")]))


urlpatterns: list[Any] = []

if __name__ == "__main__":
    main()
