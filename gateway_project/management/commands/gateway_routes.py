"""``python manage.py gateway_routes``: show, check, explain and reload the table of routes."""

import json
import os
import signal
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway_project.routing import explaining
from gateway_project.routing.explaining import Answered, Explanation
from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.reading import load
from gateway_project.routing.table import Table
from gateway_project.stack import running
from tiercache.http.fields import is_token
from tiercache.http.targets import BadTarget

HEADINGS = ("name", "methods", "path", "asks", "lifetime", "swr", "sie", "callers")


class Command(BaseCommand):
    """Print the routes, or what a URL would match and why."""

    help = (
        "Print the table of routes that GATEWAY_ROUTES names; with URLs: which route each of them "
        "has, why the others are not it, what is asked and under which key it is kept."
    )
    # Its own message about a bad file is the better one.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("urls", nargs="*", metavar="URL", help="for instance /api/v1/symbols")
        parser.add_argument("--method", default="GET", help="of the requests (%(default)s)")
        parser.add_argument("--json", action="store_true", help="print JSON")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="only look for mistakes")
        what.add_argument(
            "--reload", action="store_true", help="check, then have the running gateway read it"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the options say; status 1 if the file is not right."""
        _check_options(options)
        table = _loaded()
        if options["check"]:
            self._told_right(table)
        elif options["reload"]:
            self._told_right(table)
            self._reload()
        elif options["urls"]:
            self._explain(table, options)
        else:
            self._list(table, as_json=options["json"])

    def _told_right(self, table: Table) -> None:
        counts = f"routes: {len(table.routes)}, pools: {len(table.pools)}"
        self.stdout.write(f"{settings.GATEWAY_ROUTES} is right ({counts}).")
        for pool in table.pools.values():
            if not pool.servers:
                self.stdout.write(f"Pool {pool.name!r} has no servers here: set {pool.variable}.")

    def _reload(self) -> None:
        gateway = running.find(settings.STATE_DIR)
        if gateway is None:
            raise CommandError(
                f"No gateway runs with {settings.STATE_DIR}; GATEWAY_STATE_DIR has to name the "
                "directory that it was started with.",
                returncode=1,
            )
        if gateway.routes != str(settings.GATEWAY_ROUTES):
            raise CommandError(
                f"The running gateway reads {gateway.routes}; set GATEWAY_ROUTES to that.",
                returncode=1,
            )
        try:
            os.kill(gateway.pid, signal.SIGHUP)
        except OSError as exc:
            raise CommandError(
                f"Process {gateway.pid} cannot be told: {os.strerror(exc.errno or 0)}.",
                returncode=1,
            ) from exc
        self.stdout.write(f"The gateway (process {gateway.pid}) was told; its log says the rest.")

    def _list(self, table: Table, *, as_json: bool) -> None:
        if as_json:
            self._print([explaining.summary(route) for route in table.routes])
            return
        rows = [_row(explaining.summary(route)) for route in table.routes]
        self.stdout.write(_columns([HEADINGS, *rows]))

    def _explain(self, table: Table, options: dict[str, Any]) -> None:
        try:
            told = [explaining.explain(table, url, options["method"]) for url in options["urls"]]
        except BadTarget as exc:
            raise CommandError(str(exc), returncode=1) from exc
        if options["json"]:
            self._print([asdict(one) for one in told])
        else:
            self.stdout.write("\n\n".join(_explained(one) for one in told))

    def _print(self, value: object) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _check_options(options: dict[str, Any]) -> None:
    method = options["method"]
    if not is_token(method) or method != method.upper():
        raise CommandError(f"--method must be a method in capitals, such as GET; not {method!r}.")
    if options["urls"] and (options["check"] or options["reload"]):
        raise CommandError("--check and --reload take no URLs.")


def _loaded() -> Table:
    try:
        return load(settings.GATEWAY_ROUTES)
    except BadRoutes as exc:
        count = len(exc.mistakes)
        told = "1 mistake" if count == 1 else f"{count} mistakes"
        raise CommandError(f"The routes have {told}:\n{exc}", returncode=1) from exc


def _row(route: dict[str, Any]) -> tuple[str, ...]:
    rules = route["rules"]
    lifetime = rules["lifetime"]
    callers = [
        "with a key" if route["requires_key"] else "all",
        *([route["rate"]] if route["rate"] else []),
    ]
    return (
        route["name"],
        ",".join(route["methods"]),
        route["path"],
        f"{route['pool']} {route['target']}",
        "-" if lifetime is None else f"{lifetime:g}",
        f"{rules['stale_while_revalidate']:g}",
        f"{rules['stale_if_error']:g}",
        ", ".join(callers),
    )


def _explained(one: Explanation) -> str:
    tried = [(f"  {name}", reason or "matches") for name, reason in one.tried]
    lines = [f"{one.method} {one.path}", _columns(tried)]
    if one.answered:
        lines += ["", _columns([(f"  {name}", text) for name, text in _facts(one.answered)])]
    else:
        lines += ["", f"  No route has it. {one.advice or ''}".rstrip()]
    return "\n".join(lines)


def _facts(answered: Answered) -> Iterable[tuple[str, str]]:
    yield "captures", _pairs(answered.captures.items()) or "none"
    yield "pool", answered.pool
    yield "asks", " ".join(answered.asks) or "nobody: the pool has no servers"
    for one in answered.parameters:
        yield "query", f"{one.name}={one.value} {one.fate}"
    if answered.refused:
        yield "refused", f"400: {answered.refused}"
    yield "key", _pairs(answered.key.items())
    yield "tags", " ".join(answered.tags) or "none"
    yield "rules", _pairs(answered.rules.items())


def _pairs(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name}={_plain(value)}" for name, value in items)


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
