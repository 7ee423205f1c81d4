"""The Django app: it brings the system checks."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """`"gateway_project"` in `INSTALLED_APPS`."""

    name = "gateway_project"
    verbose_name = "Gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks."""
        from gateway_project import checks

        checks.register()
