"""The pages of Django's admin: what an operator sees of the whole cluster, and how they steer it.

`"tiercache"` in INSTALLED_APPS puts them into `django.contrib.admin.site`; `register` into others.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import AdminSite

from ..models import Eviction
from .site import EvictionAdmin

__all__ = ["register"]


def register(site: AdminSite) -> None:
    """Give an admin site the pages; a site that has them already keeps them as they are."""
    if not site.is_registered(Eviction):
        site.register(Eviction, EvictionAdmin)


register(admin.site)
