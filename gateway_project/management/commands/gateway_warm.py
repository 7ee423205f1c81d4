"""``python manage.py gateway_warm``: fill the cache before anybody asks."""

import json
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway_project.callers.limits import Rate
from gateway_project.routing import current
from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.table import Table
from gateway_project.warming import sources
from gateway_project.warming.journal import BadJournal, Journal
from gateway_project.warming.lists import BadSource, Mistake
from gateway_project.warming.pace import Pace
from gateway_project.warming.planning import BadVariant, Plan, Variants, Visit, plan
from gateway_project.warming.session import Session, Unkept
from gateway_project.warming.summary import Summary

MOST_AT_A_TIME = 256
MOST_POPULAR = 10_000
SIGNALED = 128
"""What shells add to a signal's number in the exit status of what it has ended."""


class Command(BaseCommand):
    """Ask the gateway's engine for addresses, so that their answers are in Redis."""

    help = (
        "Load answers into Redis before anybody asks for them: those of a list of addresses, of a "
        "sitemap, or the ones that the gateway's workers were asked for most. API keys and rate "
        "limits do not stand in the way. Exit status 1 if any address failed."
    )

    # Its own messages about bad routes and a missing Redis are the better ones.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "list", nargs="?", metavar="LIST", help="addresses, one a line; -: stdin"
        )
        parser.add_argument(
            "--sitemap", metavar="FILE", help="an XML sitemap, or an index of local ones"
        )
        parser.add_argument(
            "--top", type=_count(MOST_POPULAR), metavar="N", help="the N most requested addresses"
        )
        parser.add_argument(
            "--concurrency", type=_count(MOST_AT_A_TIME), default=4, help="at a time (%(default)s)"
        )
        parser.add_argument(
            "--rate", type=_rate, help="at the most, such as 20/s; no limit without"
        )
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            help="sent with all, such as 'Accept: text/html'",
        )
        parser.add_argument(
            "--variant",
            action="append",
            default=[],
            metavar="HEADER",
            help="ask for each address with this header; may be repeated, each is a request more",
        )
        parser.add_argument("--refresh", action="store_true", help="load anew what is there")
        parser.add_argument("--dry-run", action="store_true", help="show what would be asked")
        parser.add_argument(
            "--skip-bad", action="store_true", help="leave out lines that are wrong"
        )
        parser.add_argument("--state", metavar="FILE", help="what is done (LIST.warm-state)")
        parser.add_argument("--restart", action="store_true", help="forget what an earlier run did")
        parser.add_argument("--no-progress", action="store_true", help="show no progress bar")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the options say.

        It needs the main thread, where Python takes signals.
        """
        try:
            self._handle(options)
        except KeyboardInterrupt:  # before the first request: from then on the run has the signals
            raise CommandError("Stopped.", returncode=SIGNALED + signal.SIGINT) from None

    def _handle(self, options: dict[str, Any]) -> None:
        if not (options["dry_run"] and options["top"] is None):
            _check_redis()
        table = _table()
        found = self._planned(table, options)
        if options["dry_run"]:
            self._show(found, as_json=options["json"])
        else:
            _check_pools(table, found.visits)
            self._warm(found, options)

    def _planned(self, table: Table, options: dict[str, Any]) -> Plan:
        try:
            lines, unread = sources.read(options)
            found = plan(table, lines, Variants.of(table, options["header"], options["variant"]))
        except (BadSource, BadVariant) as exc:
            raise CommandError(str(exc)) from exc
        mistakes = tuple(sorted((*unread, *found.mistakes)))
        # What the workers were asked for fits their table, which may be an older one than this.
        if mistakes and not (options["skip_bad"] or options["top"] is not None):
            self._told_wrong(found, mistakes, options)
        for mistake in mistakes:
            self.stderr.write(f"Left out: {mistake}")
        return Plan(found.visits, mistakes)

    def _told_wrong(
        self, found: Plan, mistakes: tuple[Mistake, ...], options: dict[str, Any]
    ) -> None:
        if options["dry_run"]:
            self._show(Plan(found.visits, mistakes), as_json=options["json"])
        told = "\n".join(map(str, mistakes))
        count = "1 line is" if len(mistakes) == 1 else f"{len(mistakes)} lines are"
        raise CommandError(
            f"{count} wrong, so nothing was asked; --skip-bad goes on without:\n{told}",
            returncode=1,
        )

    def _show(self, found: Plan, *, as_json: bool) -> None:
        if as_json:
            asked = [
                {"url": one.url, "variant": one.variant, "route": one.exchange.route.name}
                for one in found.visits
            ]
            self._print({"would_ask": asked, "mistakes": [str(one) for one in found.mistakes]})
            return
        width = max((len(one.exchange.route.name) for one in found.visits), default=0)
        for one in found.visits:
            self.stdout.write(f"{one.exchange.route.name:<{width}}  {one}")
        self.stdout.write(f"{len(found.visits)} requests would be made.")

    def _warm(self, found: Plan, options: dict[str, Any]) -> None:
        journal = _journal(options)
        done = journal.done if journal else frozenset()
        left = tuple(one for one in found.visits if one.name not in done)
        if len(left) < len(found.visits) and journal:
            self.stderr.write(
                f"Going on: {len(found.visits) - len(left)} of {len(found.visits)} requests were "
                f"done, {journal.path} says; --restart begins anew."
            )
        session = Session(
            concurrency=options["concurrency"],
            pace=Pace(options["rate"]),
            refresh=options["refresh"],
            journal=journal,
            shows_progress=sys.stderr.isatty() and not options["no_progress"],
        )
        summary = Summary()
        is_over = False
        try:
            stopped = session.carry_out(left, summary)
            is_over = stopped is None and not summary["unasked"]
        except Unkept as exc:
            raise CommandError(f"{exc}: nothing would be kept, so nothing was asked.") from exc
        finally:
            if journal is not None:
                journal.close(keep=not is_over)
        self._told(summary, found, before=len(found.visits) - len(left), as_json=options["json"])
        _end(summary, stopped, journal)

    def _told(self, summary: Summary, found: Plan, *, before: int, as_json: bool) -> None:
        if as_json:
            left_out = [str(one) for one in found.mistakes]
            self._print({**summary.as_dict(), "done_before": before, "left_out": left_out})
        else:
            self.stdout.write("\n".join(summary.lines()))

    def _print(self, value: object) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _check_redis() -> None:
    if not settings.CACHES["default"]["LOCATION"]:
        raise CommandError(
            "TIERCACHE_REDIS_URL is not set, so nothing would be kept after this command; set it, "
            "and GATEWAY_UPSTREAMS, to what `manage.py gateway` shows."
        )


def _table() -> Table:
    try:
        return current.table()
    except BadRoutes as exc:
        raise CommandError(f"The routes are not right:\n{exc}", returncode=1) from exc


def _check_pools(table: Table, visits: tuple[Visit, ...]) -> None:
    for name in dict.fromkeys(visit.pool for visit in visits):
        pool = table.pools[name]
        if not pool.servers:
            raise CommandError(f"The pool {name!r} has no servers here: set {pool.variable}.")


def _journal(options: dict[str, Any]) -> Journal | None:
    path = sources.journal(options)
    if path is None:
        return None
    try:
        return Journal(path, refresh=options["refresh"], restart=options["restart"])
    except BadJournal as exc:
        raise CommandError(str(exc)) from exc


def _end(summary: Summary, stopped: int | None, journal: Journal | None) -> None:
    """Exit with the status that says how it went, unless all went well."""
    on = f"The same command goes on from here ({journal.path})." if journal else ""
    if stopped is not None:
        raise CommandError(f"Stopped. {on}".rstrip(), returncode=SIGNALED + stopped)
    if summary["unasked"]:
        told = f"{summary['unasked']} requests were not made: no server could be asked. {on}"
        raise CommandError(told.rstrip(), returncode=1)
    if summary["failed"]:
        raise CommandError(f"{summary['failed']} requests failed.", returncode=1)


def _count(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise ValueError
        return value

    read.__name__ = f"number from 1 to {most}"
    return read


def _rate(text: str) -> Rate:
    try:
        return Rate.parse(text)
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc
