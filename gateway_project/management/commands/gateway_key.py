"""``python manage.py gateway_key``: make, list and revoke callers' keys."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway_project.callers.keys import FRESH
from gateway_project.callers.material import MARK
from gateway_project.models import ApiKey

_HEADS = ("KEY", "STATE", "TENANT", "RATE", "PURGE", "EXPIRES", "NAME")
_MOST_DAYS = 36_500


class Command(BaseCommand):
    """Make, list and revoke callers' keys."""

    help = "Make, list and revoke the keys that callers of the gateway are known by."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the three subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key, and show it once")
        create.add_argument("name", help="who has it, or what it is for")
        create.add_argument("--tenant", default="default", help="for whom (%(default)s)")
        create.add_argument("--rate", default="", help="instead of the routes', such as 100/60s")
        create.add_argument("--may-purge", action="store_true", help="may evict what is stored")
        create.add_argument("--expires", type=_days, metavar="DAYS", help="days that it lives")
        verbs.add_parser("list", help="list all keys, the newest first")
        revoke = verbs.add_parser("revoke", help="let a key never work again")
        revoke.add_argument("prefix", help=f"the key's beginning as the list shows it, {MARK}…")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the subcommand says."""
        match options["verb"]:
            case "create":
                self._create(options)
            case "list":
                self._list()
            case _:
                self._revoke(options["prefix"])

    def _create(self, options: dict[str, Any]) -> None:
        days = options["expires"]
        row = ApiKey(
            name=options["name"],
            tenant=options["tenant"],
            rate=options["rate"],
            may_purge=options["may_purge"],
            expires=None if days is None else timezone.now() + timedelta(days=days),
        )
        key = row.draw()
        try:
            row.full_clean()
        except ValidationError as exc:
            raise CommandError(_told(exc)) from exc
        row.save()
        self.stdout.write(f"{key}\n")
        self.stderr.write("This is shown once, and kept nowhere.")

    def _list(self) -> None:
        table = [_HEADS, *(_cells(row) for row in ApiKey.objects.all())]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for cells in table:
            padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
            self.stdout.write("  ".join(padded).rstrip())

    def _revoke(self, text: str) -> None:
        row = ApiKey.objects.filter(prefix=text.removeprefix(MARK)).first()
        if row is None:
            raise CommandError(f"No key begins with {text!r}; `gateway_key list` shows them.")
        told = "is revoked" if row.revoke() else "was revoked before"
        self.stdout.write(f"{row} {told}.")
        if not settings.CACHES["default"]["LOCATION"]:
            self.stderr.write(
                "TIERCACHE_REDIS_URL is not set here, so gateways that run do not hear of it: "
                f"they ask the database again after {FRESH:g} s."
            )


def _cells(row: ApiKey) -> tuple[str, ...]:
    return (
        row.shown,
        row.state,
        row.tenant,
        row.rate or "-",
        "yes" if row.may_purge else "no",
        f"{row.expires:%Y-%m-%d %H:%M}" if row.expires else "never",
        row.name,
    )


def _told(error: ValidationError) -> str:
    return " ".join(
        f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 < days <= _MOST_DAYS:
        raise ArgumentTypeError(f"{text!r}; allowed: days, more than 0, at most {_MOST_DAYS}")
    return days
