"""The table of keys."""

from typing import ClassVar

import django.core.validators
import django.utils.timezone
from django.db import migrations, models

import gateway_project.models


class Migration(migrations.Migration):
    """Make the table."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        help_text="Who has it, or what it is for.",
                        max_length=100,
                        validators=[gateway_project.models.check_printable],
                    ),
                ),
                (
                    "tenant",
                    models.CharField(
                        default="default",
                        help_text="For whom; several keys may share one. Cannot be changed later.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9][A-Za-z0-9._-]*\\Z",
                                "Allowed: letters, digits, '.', '_' and '-', no sign first.",
                            )
                        ],
                    ),
                ),
                ("prefix", models.CharField(editable=False, max_length=8, unique=True)),
                ("digest", models.CharField(editable=False, max_length=64)),
                (
                    "may_purge",
                    models.BooleanField(
                        default=False,
                        help_text="May evict what the gateway has stored.",
                        verbose_name="may purge",
                    ),
                ),
                (
                    "rate",
                    models.CharField(
                        blank=True,
                        help_text="Instead of the route's, such as 100/60s; empty: the route's.",
                        max_length=20,
                        validators=[gateway_project.models.check_rate],
                    ),
                ),
                (
                    "created",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "expires",
                    models.DateTimeField(blank=True, help_text="Empty: never.", null=True),
                ),
                ("revoked", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={"verbose_name": "API key", "ordering": ("-created", "-id")},
        ),
    ]
