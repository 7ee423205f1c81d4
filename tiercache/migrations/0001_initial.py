"""The table of the audit."""

from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the table, and the rights of operators."""

    initial = True

    dependencies: ClassVar[list[tuple[str, str]]] = []

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.CreateModel(
            name="Eviction",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="at"
                    ),
                ),
                ("actor", models.CharField(blank=True, max_length=150, verbose_name="actor")),
                (
                    "actor_id",
                    models.CharField(blank=True, max_length=64, verbose_name="actor's id"),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("page", "page"), ("command", "command"), ("API", "API")],
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                ("cache", models.CharField(max_length=255, verbose_name="cache")),
                ("selection", models.TextField(verbose_name="selection")),
                (
                    "tier",
                    models.CharField(
                        choices=[("all", "Redis and memory"), ("memory", "memory alone")],
                        max_length=10,
                        verbose_name="tier",
                    ),
                ),
                (
                    "previewed",
                    models.BigIntegerField(blank=True, null=True, verbose_name="keys announced"),
                ),
                (
                    "removed",
                    models.BigIntegerField(blank=True, null=True, verbose_name="keys removed"),
                ),
                (
                    "dropped",
                    models.BigIntegerField(blank=True, null=True, verbose_name="copies dropped"),
                ),
                ("asked", models.IntegerField(blank=True, null=True, verbose_name="nodes asked")),
                (
                    "confirmed",
                    models.IntegerField(blank=True, null=True, verbose_name="nodes that confirmed"),
                ),
                ("silent", models.TextField(blank=True, verbose_name="nodes that did not")),
                ("seconds", models.FloatField(blank=True, null=True, verbose_name="seconds")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "nonce",
                    models.CharField(
                        blank=True, editable=False, max_length=64, null=True, unique=True
                    ),
                ),
            ],
            options={
                "verbose_name": "eviction",
                "verbose_name_plural": "caches",
                "ordering": ("-at", "-id"),
                "permissions": (
                    ("view_stats", "Can see the figures of caches"),
                    ("view_keys", "Can see the keys of caches"),
                    ("view_values", "Can see the values in caches"),
                    ("evict", "Can evict keys from caches"),
                    ("clear", "Can clear caches"),
                ),
                "default_permissions": (),
            },
        ),
    ]
