"""Where everything is."""

from django.contrib import admin
from django.urls import URLPattern, path, register_converter
from django.views.decorators.csrf import csrf_exempt

from gateway_project import problems
from gateway_project.routes import ROUTES, DayConverter, Route, SymbolConverter
from gateway_project.views import api, pages, watchlist

register_converter(SymbolConverter, "symbol")
register_converter(DayConverter, "day")


def _api(route: str, view: api.View, name: str) -> URLPattern:
    """Put a view under the API, where a form's token is never asked for.

    A browser sends PUT and DELETE to another site only if that site says it may, which none here
    does; and a POST, which it would send, is answered by 405.
    """
    return path(f"api/v1/{route}", csrf_exempt(view), name=name)


def _view(route: Route) -> api.View:
    return api.page_view(route) if route.whole_page else api.answer_view(route)


urlpatterns = [
    path("", pages.front, name="front"),
    path("healthz", pages.healthz, name="healthz"),
    path("watchlist", watchlist.change, name="watchlist-change"),
    path("static/<path:path>", pages.asset, name="asset"),
    path("admin/", admin.site.urls),
    _api("stats", api.stats, "stats"),
    _api("watchlist", watchlist.listing, "watchlist"),
    _api("watchlist/<symbol:symbol>", watchlist.entry, "watchlist-entry"),
    *(_api(route.path, _view(route), route.name) for route in ROUTES),
]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.page_not_found
handler500 = problems.server_error
