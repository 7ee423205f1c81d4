"""``python manage.py cache_stats``: every cache and its nodes, once or all the time."""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentParser
from time import sleep
from typing import Any, Final

from django.core.management.base import BaseCommand

from tiercache import aliases
from tiercache.management.arguments import between, cache_of
from tiercache.node import visiting
from tiercache.operations import overview, terminal
from tiercache.operations.documents import document
from tiercache.operations.terminal import Look
from tiercache.reports.cluster import View

EVERY: Final = 2.0
"""Seconds between two looks with `--watch`, unless it says otherwise."""

_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class Command(BaseCommand):
    """Show every cache as all of its nodes report; the exit status is 2 for wrong usage."""

    help = "Show the caches as all running processes report them: hits, times, memory, nodes."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--cache", metavar="ALIAS", help="this cache alone")
        parser.add_argument(
            "--watch",
            metavar="SECONDS",
            nargs="?",
            type=between(float, 0.1, 3600, "seconds"),
            const=EVERY,
            help="show it again every so many seconds (%(const)s), until Ctrl-C",
        )
        parser.add_argument(
            "--json", action="store_true", help="as JSON; with --watch one line for each look"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Show it once, or until Ctrl-C."""
        named = _chosen(options["cache"])
        with visiting():
            if options["watch"] is None:
                self.stdout.write(self._shown(named, options))
                return
            try:
                self._watch(named, options)
            except KeyboardInterrupt:
                self.stdout.write("")

    def _watch(self, named: list[str], options: dict[str, Any]) -> None:
        in_place = self.stdout.isatty() and not options["json"]
        while True:
            shown = self._shown(named, options)
            self.stdout.write(_over_the_last(shown) if in_place else shown)
            self.stdout.flush()
            sleep(options["watch"])
            for alias in named:
                # A visitor has no keeper that would ask whether a server that was away is back.
                aliases.tiered(alias, "cache_stats")._node.tend()

    def _shown(self, named: list[str], options: dict[str, Any]) -> str:
        views = [overview.view(aliases.tiered(alias, "cache_stats")) for alias in named]
        if options["json"]:
            return json.dumps([*map(document, views)], indent=None if options["watch"] else 2)
        return self._as_text(views)

    def _as_text(self, views: list[View]) -> str:
        width = shutil.get_terminal_size().columns
        text = terminal.overview(views, width=width, paint=self._paint)
        # A terminal that cannot show the bar's characters gets question marks, and no traceback.
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)

    def _paint(self, look: Look, text: str) -> str:
        if not self.stdout.isatty() or look == "faint":
            return text
        style = self.style
        looks = {"good": style.SUCCESS, "warning": style.WARNING, "bad": style.ERROR}
        return str(looks.get(look, style.MIGRATE_HEADING)(text))


def _chosen(alias: str | None) -> list[str]:
    if alias is None:
        return list(aliases.ours())
    cache_of(alias)
    return [alias]


def _over_the_last(text: str) -> str:
    """Return what draws a text over the one before, without a flicker."""
    lines = text.replace("\n", _REST_OF_LINE + "\n")
    return f"{_HOME}{lines}{_REST_OF_LINE}\n{_REST_OF_SCREEN}"
