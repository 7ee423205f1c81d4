"""``python manage.py cache_evict``: evict from Redis and from every running process."""

from __future__ import annotations

import getpass
import json
import os
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError

from tiercache.backend import TieredCache
from tiercache.management.arguments import WRONG, add_cache_option, between, cache_of, wrong
from tiercache.management.progress import Progress
from tiercache.node import visiting
from tiercache.operations import evicting, formatting, wording
from tiercache.operations.auditing import Actor
from tiercache.operations.evicting import BadSelection, Outcome, Preview, Selection
from tiercache.operations.handles import node_of
from tiercache.operations.selecting import shown_key

NOT_ALL: Final = 1
"""Exit status: nothing matched, or not every node has confirmed."""

INTERRUPTED: Final = 130
"""Exit status: Ctrl-C, as shells have it."""

LONGEST_WAIT: Final = 60.0


class Command(BaseCommand):
    """Show what an eviction would do, ask, evict, and tell which nodes have confirmed it."""

    help = (
        "Evict keys from Redis and from the memory of every running process. Exit status: 0 done; "
        "1 nothing matched, or a node did not confirm; 2 wrong usage, or no server."
    )
    # It has to work when something else is broken.
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Make the parser; here `--version` is a version of keys, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the keys and the options."""
        parser.add_argument("keys", metavar="KEY", nargs="*", help="a key as the code names it")
        add_cache_option(parser)
        parser.add_argument(
            "--pattern", metavar="GLOB", help="keys that fit, as the code names them"
        )
        parser.add_argument("--tag", help="entries that bear this tag")
        parser.add_argument(
            "--version",
            metavar="N",
            type=int,
            help="the version of the keys, the pattern or the tag; with none of them: all of it",
        )
        parser.add_argument("--all", action="store_true", help="everything, in all versions")
        parser.add_argument(
            "--tier",
            choices=evicting.TIERS,
            default="all",
            help="Redis and every memory, or memory alone (%(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--wait",
            metavar="SECONDS",
            type=between(float, 0, LONGEST_WAIT, "seconds"),
            default=2.0,
            help="for nodes to confirm (%(default)s)",
        )
        parser.add_argument(
            "--batch",
            metavar="N",
            type=between(int, 1, evicting.MOST_AT_ONCE, "keys"),
            default=1000,
            help="keys in one step (%(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the options say; exit as `help` says."""
        try:
            cache = cache_of(options["cache"])
            selection = _selection(cache, options)
            _refuse_unattended(options)
            with visiting():
                self._evict(cache, selection, options)
        except BadSelection as exc:
            raise CommandError(str(exc), returncode=WRONG) from exc
        except RedisError as exc:
            raise CommandError(f"Redis refused: {exc}", returncode=WRONG) from exc

    def _evict(self, cache: TieredCache, selection: Selection, options: dict[str, Any]) -> None:
        _refuse_alone(cache, options)
        tier = options["tier"]
        preview = evicting.preview(cache, selection, tier)
        if not preview.reached:
            raise CommandError(f"{preview.reason}; nothing was removed.", returncode=WRONG)
        if preview.nothing:
            self._print_json(options, selection, preview, None)
            raise CommandError(f"Nothing matches: {selection.shown}.", returncode=NOT_ALL)
        self._show_preview(preview, selection, options)
        if options["dry_run"]:
            self._print_json(options, selection, preview, None)
            return
        if not options["yes"]:
            self._ask(selection, options)
        outcome = self._carry_out(cache, selection, preview, options)
        self._print_json(options, selection, preview, outcome)
        self._show_outcome(outcome, selection, options)

    def _carry_out(
        self, cache: TieredCache, selection: Selection, preview: Preview, options: dict[str, Any]
    ) -> Outcome:
        progress = Progress(self.stderr, preview.keys)
        try:
            return evicting.carry_out(
                cache,
                selection,
                options["tier"],
                actor=_actor(),
                origin="command",
                wait=options["wait"],
                batch=options["batch"],
                progress=progress,
                previewed=preview.keys,
            )
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted: {formatting.keys(progress.removed)} removed, and perhaps those of "
                f"one step more; the same command goes on with the rest.",
                returncode=INTERRUPTED,
            ) from None
        finally:
            progress.end()

    # Asking

    def _ask(self, selection: Selection, options: dict[str, Any]) -> None:
        try:
            if selection.everything:
                agreed = input("Type the cache's alias to clear it: ") == options["cache"]
            else:
                agreed = input("Evict? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            agreed = False
        except KeyboardInterrupt:
            raise CommandError("Nothing was removed.", returncode=INTERRUPTED) from None
        if not agreed:
            raise CommandError("Not confirmed; nothing was removed.", returncode=NOT_ALL)

    # Telling

    def _show_preview(
        self, preview: Preview, selection: Selection, options: dict[str, Any]
    ) -> None:
        if options["json"]:
            return
        self.stdout.write(f"{options['cache']}: {selection.shown}")
        self.stdout.write(wording.announced(preview, selection, options["tier"]))
        for key in preview.examples:
            self.stdout.write(f"  {shown_key(key)}")

    def _show_outcome(
        self, outcome: Outcome, selection: Selection, options: dict[str, Any]
    ) -> None:
        if not options["json"]:
            self.stdout.write(wording.done(outcome, selection))
        for line in wording.undone(outcome):
            self.stderr.write(line)
        if not outcome.reached:
            raise CommandError("Redis did not carry it out.", returncode=WRONG)
        if not (outcome.removed or outcome.dropped):
            raise CommandError("Nothing matched any more.", returncode=NOT_ALL)
        if not outcome.complete:
            raise CommandError("Not every node has confirmed.", returncode=NOT_ALL)

    def _print_json(
        self,
        options: dict[str, Any],
        selection: Selection,
        preview: Preview,
        outcome: Outcome | None,
    ) -> None:
        if not options["json"]:
            return
        shown = {**asdict(preview), "examples": [*map(shown_key, preview.examples)]}
        document = {
            "cache": options["cache"],
            "selection": selection.shown,
            "tier": options["tier"],
            "preview": shown,
            "outcome": None if outcome is None else asdict(outcome),
        }
        self.stdout.write(json.dumps(document, indent=2))


# What was typed


def _selection(cache: TieredCache, options: dict[str, Any]) -> Selection:
    version, keys = options["version"], options["keys"]
    if not keys:
        return Selection(
            pattern=options["pattern"],
            tag=options["tag"],
            version=version,
            everything=options["all"],
        )
    named = Selection.of_names(cache, keys, version)
    return Selection(
        keys=named.keys,
        pattern=options["pattern"],
        tag=options["tag"],
        everything=options["all"],
    )


def _refuse_unattended(options: dict[str, Any]) -> None:
    if options["yes"] or options["dry_run"]:
        return
    if options["json"]:
        wrong("--json asks nothing; allowed: with --yes, or with --dry-run")
    if not sys.stdin.isatty():
        wrong("there is no terminal to ask on; allowed: --yes to evict, --dry-run to look")


def _refuse_alone(cache: TieredCache, options: dict[str, Any]) -> None:
    if node_of(cache).state == "alone":
        wrong(
            f"cache {options['cache']!r} is memory alone (its LOCATION is empty): each process has "
            f"its own, which no command reaches"
        )


def _actor() -> Actor:
    """Return whoever runs the command, by the system's name."""
    try:
        return Actor(getpass.getuser())
    except (OSError, KeyError):
        # A user id without a name, as in many containers.
        return Actor(f"uid {os.getuid()}")
