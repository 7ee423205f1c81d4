"""The Django app: system checks, the audit's table, and telemetry where the settings ask for it."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class TiercacheConfig(AppConfig):
    """`"tiercache"` in `INSTALLED_APPS`; the cache backend works without it, unchecked."""

    name = "tiercache"
    verbose_name = "Tiercache"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks; begin to trace if `TIERCACHE_OPENTELEMETRY` is true.

        Raises:
            ImproperlyConfigured: it is true, and OpenTelemetry is not installed.
        """
        from django.conf import settings
        from django.core.checks import Tags, register

        from .checks import check_caches

        register(check_caches, Tags.caches)
        if getattr(settings, "TIERCACHE_OPENTELEMETRY", False):
            _trace()


def _trace() -> None:
    try:
        from .opentelemetry import instrument
    except ImportError as exc:
        raise ImproperlyConfigured(
            "TIERCACHE_OPENTELEMETRY is true, and OpenTelemetry is not installed; install"
            " django-tiercache[opentelemetry]"
        ) from exc
    instrument()
