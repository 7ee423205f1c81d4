"""The Django app: it brings the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class TiercacheConfig(AppConfig):
    """`"tiercache"` in `INSTALLED_APPS`; the cache backend works without it, unchecked."""

    name = "tiercache"
    verbose_name = "Tiercache"

    def ready(self) -> None:
        """Register the checks."""
        from django.core.checks import Tags, register

        from .checks import check_caches

        register(check_caches, Tags.caches)
