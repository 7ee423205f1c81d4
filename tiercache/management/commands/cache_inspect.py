"""``python manage.py cache_inspect KEY``: where a key is, and why it may be a miss."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from tiercache.management.arguments import add_cache_option, cache_of
from tiercache.node import visiting
from tiercache.operations.inspecting import Inspection, inspect
from tiercache.operations.names import Names, raw_of, text_of
from tiercache.operations.plain import as_plain
from tiercache.operations.stored import Stored, Tag
from tiercache.operations.whereabouts import Copy


class Command(BaseCommand):
    """Say where a key is, how long it lives there, and why a look-up of it hits or misses."""

    help = (
        "Show one key: in Redis and in each node's memory, time left, size, tags, version; and why "
        "a look-up of it is a hit or a miss. Looking changes nothing. Exit status: 0 a hit, 1 a "
        "miss, 2 a wrong call, or no server."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Make the parser; here `--version` is a version of keys, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add_cache_option(parser)
        parser.add_argument("key", metavar="KEY", help="as the code names it")
        parser.add_argument(
            "--full", action="store_true", help="KEY is the full key, as Redis has it"
        )
        parser.add_argument("--version", type=int, metavar="N", help="the key's version")
        parser.add_argument("--value", action="store_true", help="show the value; never unpickled")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what is known of the key; the exit status says whether it is a hit."""
        with visiting():
            cache = cache_of(options["cache"])
            found = inspect(cache, self._raw(Names(cache), options), value=options["value"])
        if options["json"]:
            told = {"cache": options["cache"], "hit": found.hit, **as_plain(found)}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self.stdout.write("\n".join(f"{name:<10}{text}" for name, text in _lines(found)))
        if found.reason:
            raise CommandError(_("Redis is away: %s") % found.reason, returncode=2)
        if not (found.reached or found.asked):
            raise CommandError(found.verdict, returncode=2)
        sys.exit(0 if found.hit else 1)

    def _raw(self, names: Names, options: dict[str, Any]) -> bytes:
        key, version = options["key"], options["version"]
        if options["full"] and version is not None:
            raise CommandError(_("--full and --version: a full key has its version."), returncode=2)
        raw = raw_of(key) if options["full"] else names.full(key, names.version(version))
        if raw is None:
            raise CommandError(_("KEY_FUNCTION does not take the key %r.") % key, returncode=2)
        return raw


def _lines(found: Inspection) -> Iterator[tuple[str, str]]:
    yield _("Key"), _shown(text_of(found.raw))
    if found.redis is not None:
        yield _("Redis"), _in_redis(found.redis)
    elif found.reached:
        yield _("Redis"), _("not there")
    for tag in () if found.redis is None else found.redis.tags:
        yield _("Tag"), _tag(tag)
    for copy in found.copies:
        yield _("Memory"), _in_memory(copy)
    yield _("Memory"), _("held by %(held)d of %(asked)d nodes") % _counts(found)
    for at, reason in enumerate(found.reasons):
        yield "" if at else _("Hit:") if found.hit else _("Miss:"), reason.text
    if found.missing:
        yield _("Refused"), ", ".join(found.missing)
    if found.value is not None:
        yield _("Value"), f"{found.value.kind}\n{found.value.text}"
    elif found.why_no_value:
        yield _("Value"), found.why_no_value


def _counts(found: Inspection) -> dict[str, int]:
    return {"held": len(found.copies), "asked": found.asked}


def _in_redis(stored: Stored) -> str:
    parts = [stored.type, _left(stored.left, stored.grace)]
    if stored.size is not None:
        parts.append(_("%s bytes") % f"{stored.size:,}")
    return ", ".join(part for part in [*parts, stored.encoding] if part)


def _in_memory(copy: Copy) -> str:
    where = f"{copy.host} ({copy.pid})"
    size = _("%s bytes") % f"{copy.size:,}"
    return ", ".join([where, _left(copy.left, copy.grace), size])


def _tag(tag: Tag) -> str:
    told = _("holds") if tag.holds else _("evicted softly") if tag.softly else _("evicted")
    return f"{_shown(tag.name)}: {told}"


def _left(left: float | None, grace: float) -> str:
    if left is None:
        return _("for ever")
    if left <= 0:
        return _("stale, gone in %.1f s") % grace
    more = _(", then %.1f s of grace") % grace if grace else ""
    return (_("%.1f s left") % left) + more


def _shown(text: str) -> str:
    """Return a text as one line that a terminal can be shown."""
    return text if text.isprintable() else repr(text)[1:-1]
