"""Two admin sites: Django's own, and another that was given the pages."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.urls import path

from tiercache.admin import register

other = AdminSite(name="other")
register(other)

urlpatterns = [path("admin/", admin.site.urls), path("other/", other.urls)]
