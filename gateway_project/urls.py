"""Where everything is."""

from django.contrib import admin
from django.urls import include, path, re_path, register_converter
from django.views.decorators.csrf import csrf_exempt

from gateway_project import problems
from gateway_project.views import api, openapi, pages, purge, watchlist
from gateway_project.views.watchlist import SymbolConverter

register_converter(SymbolConverter, "symbol")

# No form's token is asked for under the API. A browser sends PUT and DELETE, or anything with a
# key, to another site only if that site says it may, which none here does.
urlpatterns = [
    path("", pages.front, name="front"),
    path("healthz", csrf_exempt(pages.healthz), name="healthz"),
    path("watchlist", watchlist.change, name="watchlist-change"),
    path("static/<path:path>", pages.asset, name="asset"),
    path("admin/", admin.site.urls),
    path("tiercache/", include("tiercache.urls")),
    path("api/v1/openapi.json", csrf_exempt(openapi.document), name="openapi"),
    path("api/v1/purge", csrf_exempt(purge.purge), name="purge"),
    path("api/v1/stats", csrf_exempt(api.stats), name="stats"),
    path("api/v1/watchlist", csrf_exempt(watchlist.listing), name="watchlist"),
    path("api/v1/watchlist/<symbol:symbol>", csrf_exempt(watchlist.entry), name="watchlist-entry"),
    # All else is the table's, which says 404 of what it does not have.
    re_path("", csrf_exempt(api.gateway), name="gateway"),
]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.page_not_found
handler500 = problems.server_error
