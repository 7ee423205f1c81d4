"""The audit: who has evicted what, and what came of it. And the rights that operators are given."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ORIGINS: Final = (("page", _("page")), ("command", _("command")), ("API", _("API")))

TIERS: Final = (("all", _("Redis and memory")), ("memory", _("memory alone")))


class Eviction(models.Model):
    """One eviction; the row is written before anything is done, and finished afterwards.

    It refers to no user's row, so it works without `django.contrib.auth`, and outlives users.

    Attributes:
        actor, actor_id: whose doing it was, as text, and the user's primary key ("" for none).
        origin: whence, one of `ORIGINS`.
        cache: the alias.
        selection: what was selected, as text.
        tier: one of `TIERS`.
        previewed: keys that were announced; None where nothing was.
        removed: keys removed from Redis; None while it is under way, or where the process ended.
        dropped: copies dropped from memory, None where nobody counted.
        asked, confirmed: how many nodes there were to confirm, and how many have.
        silent: those that have not, each "host:pid".
        seconds: from the eviction to the last confirmation.
        error: what went wrong, "" if nothing.
        nonce: of the token by which it was allowed: no other row has it.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=150, blank=True)
    actor_id = models.CharField(_("actor's id"), max_length=64, blank=True)
    origin = models.CharField(_("origin"), max_length=10, choices=ORIGINS)
    cache = models.CharField(_("cache"), max_length=255)
    selection = models.TextField(_("selection"))
    tier = models.CharField(_("tier"), max_length=10, choices=TIERS)
    previewed = models.BigIntegerField(_("keys announced"), null=True, blank=True)
    removed = models.BigIntegerField(_("keys removed"), null=True, blank=True)
    dropped = models.BigIntegerField(_("copies dropped"), null=True, blank=True)
    asked = models.IntegerField(_("nodes asked"), null=True, blank=True)
    confirmed = models.IntegerField(_("nodes that confirmed"), null=True, blank=True)
    silent = models.TextField(_("nodes that did not"), blank=True)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    nonce = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)

    class Meta:
        """How Django's admin calls them, in which order it lists them, and the rights there are."""

        verbose_name = _("eviction")
        # What the admin's index and sidebar call it: they lead to the overview of caches.
        verbose_name_plural = _("caches")
        ordering = ("-at", "-id")
        default_permissions = ()
        permissions = (
            ("view_stats", "Can see the figures of caches"),
            ("view_keys", "Can see the keys of caches"),
            ("view_values", "Can see the values in caches"),
            ("evict", "Can evict keys from caches"),
            ("clear", "Can clear caches"),
        )

    def __str__(self) -> str:
        return f"{self.cache}: {self.selection}"

    @property
    def is_tag(self) -> bool:
        """Whether a tag was evicted: then `removed` counts the tag, and no keys one by one."""
        return self.selection.startswith("tag ")
