"""One visit to a page: who asks for what, at which site, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from .. import aliases
from ..backend import TieredCache
from .access import Rights


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for one of the pages, let in.

    Attributes:
        request: the request; its user holds the right that the page needs.
        site: the admin's site that the page is a part of.
        rights: all that the user may.
        alias: of the cache that the page is about; "" for none.
    """

    request: HttpRequest
    site: AdminSite
    rights: Rights
    alias: str = ""

    @property
    def cache(self) -> TieredCache:
        """The cache that the page is about."""
        return aliases.tiered(self.alias, "The admin")

    def link(self, page: str, *args: object, **query: str) -> str:
        """Return the address of one of the pages, at this site."""
        address = reverse(f"admin:tiercache_{page}", args=args, current_app=self.site.name)
        return f"{address}?{urlencode(query)}" if query else address

    def render(
        self, template: str, title: str, *, code: int = 200, **context: Any
    ) -> TemplateResponse:
        """Return a page with what every page shows: the site's frame, the caches, the rights.

        A context name that is set here is the page's to set again.
        """
        frame = {
            **self.site.each_context(self.request),
            "title": title,
            "may": self.rights,
            "alias": self.alias,
            "caches": tuple(aliases.ours()),
        }
        return TemplateResponse(
            self.request, f"tiercache/{template}.html", {**frame, **context}, status=code
        )


View: TypeAlias = Callable[..., HttpResponse]
"""Takes a visit, and what else its address names."""
