"""The keys that callers are known by."""

from typing import Any, Final

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

import tiercache
from gateway_project.callers import material
from gateway_project.callers.limits import Rate

# A tenant is a part of cache keys and of log lines.
_TENANT: Final = r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z"


def check_rate(text: str) -> None:
    """Refuse a text that is not a rate, as a form's field does."""
    try:
        Rate.parse(text)
    except ValueError as exc:
        raise ValidationError(str(exc), code="rate") from exc


def check_printable(text: str) -> None:
    """Refuse control characters: names are shown on terminals."""
    if not text.isprintable():
        raise ValidationError("Control characters and line breaks are not allowed.", code="name")


class ApiKey(models.Model):
    """A caller's key: everything but the key itself, of which the digest is kept.

    Keys are revoked rather than deleted, so that a prefix in a log still says whose it was.

    Attributes:
        drawn: the whole key, on the instance that drew it, and nowhere else.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(
        max_length=100, validators=[check_printable], help_text="Who has it, or what it is for."
    )
    tenant = models.CharField(
        max_length=64,
        default="default",
        validators=[
            RegexValidator(_TENANT, "Allowed: letters, digits, '.', '_' and '-', no sign first.")
        ],
        help_text="For whom; several keys may share one. Cannot be changed later.",
    )
    prefix = models.CharField(max_length=material.PREFIX_LENGTH, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    may_purge = models.BooleanField(
        "may purge", default=False, help_text="May evict what the gateway has stored."
    )
    rate = models.CharField(
        max_length=20,
        blank=True,
        validators=[check_rate],
        help_text="Instead of the route's, such as 100/60s; empty: the route's.",
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked = models.DateTimeField(null=True, blank=True, editable=False)

    drawn = ""

    class Meta:
        """How Django's admin calls them, and in which order it lists them."""

        verbose_name = "API key"
        ordering = ("-created", "-id")

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"

    @property
    def shown(self) -> str:
        """The beginning of the key, which lists show."""
        return material.MARK + self.prefix

    @property
    def state(self) -> str:
        """What the key is worth now: `active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        is_over = self.expires is not None and self.expires <= timezone.now()
        return "expired" if is_over else "active"

    def draw(self) -> str:
        """Give this row, which is not saved yet, a new key; return it, the only time ever."""
        self.drawn = material.draw()
        self.prefix = material.prefix_of(self.drawn)
        self.digest = material.digest(self.drawn)
        return self.drawn

    def revoke(self) -> bool:
        """Let the key never work again; return False if it was revoked before."""
        if self.revoked is not None:
            return False
        self.revoked = timezone.now()
        self.save(update_fields=["revoked"])
        return True


@receiver([post_save, post_delete], sender=ApiKey)
def _forget(instance: ApiKey, using: str, **_: Any) -> None:
    """Evict what every process knows of a key when the change is committed.

    `QuerySet.update()` and `bulk_create()` send no signal; nothing here uses them.
    """
    with tiercache.on_commit(using):
        cache.delete(material.cache_key(instance.prefix))
