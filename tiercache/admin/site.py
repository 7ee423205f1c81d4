"""What ties the pages to an admin site: the audit's table, registered, brings them along."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, reverse

from ..models import Eviction
from .access import rights_of
from .urls import patterns

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Eviction]
else:
    _ModelAdmin = admin.ModelAdmin

_Urls = list[URLResolver | URLPattern]
_NUMBER = re.compile(r"[0-9]{1,19}")


class EvictionAdmin(_ModelAdmin):
    """The entry in the site's index; the rows themselves are shown by the audit page."""

    def __init__(self, model: type[Eviction], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        _bring_pages(admin_site)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to those for whom it has a page."""
        return rights_of(request).any

    def has_view_permission(self, request: HttpRequest, obj: Eviction | None = None) -> bool:  # noqa: ARG002 - Django's signature, here and below
        """Go by the package's own permissions."""
        return rights_of(request).any

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Let nobody write the audit by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Eviction | None = None) -> bool:  # noqa: ARG002
        """Let nobody change the audit."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Eviction | None = None) -> bool:  # noqa: ARG002
        """Let nobody remove anything from the audit."""
        return False

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the audit page, or those who may not see it to what they may."""
        return self._leads_to("audit" if rights_of(request).view_stats else "overview")

    def change_view(
        self,
        request: HttpRequest,  # noqa: ARG002
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the page of one eviction."""
        return self._leads_to_row(object_id)

    def history_view(
        self,
        request: HttpRequest,  # noqa: ARG002
        object_id: str,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the page of one eviction: the admin's own would show it to whoever sees keys."""
        return self._leads_to_row(object_id)

    def _leads_to_row(self, object_id: str) -> HttpResponse:
        if _NUMBER.fullmatch(object_id):
            return self._leads_to("outcome", int(object_id))
        return self._leads_to("audit")

    def _leads_to(self, page: str, *args: object) -> HttpResponse:
        name, site = f"admin:tiercache_{page}", self.admin_site.name
        return HttpResponseRedirect(reverse(name, args=args, current_app=site))


def _bring_pages(site: AdminSite) -> None:
    """Put the pages before a site's own patterns: else its index of the app would be found first.

    They are there while the audit's table is registered.
    """
    own = site.get_urls
    if hasattr(own, "_brings_tiercache"):
        return

    @wraps(own)
    def get_urls() -> _Urls:
        ours: _Urls = [*patterns(site)] if site.is_registered(Eviction) else []
        return ours + own()

    get_urls._brings_tiercache = True  # type: ignore[attr-defined]
    site.get_urls = get_urls  # type: ignore[method-assign]
