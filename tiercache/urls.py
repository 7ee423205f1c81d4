"""Addresses for machines: `path("tiercache/", include("tiercache.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import probes, scraping

app_name = "tiercache"

urlpatterns = [
    path("metrics", scraping.metrics, name="metrics"),
    path("live", probes.live, name="live"),
    path("ready", probes.ready, name="ready"),
]
