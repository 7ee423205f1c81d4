"""``python manage.py cache_doctor``: settings and server judged together."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from tiercache.management.arguments import add_cache_option, cache_of
from tiercache.node import visiting
from tiercache.operations import doctor
from tiercache.operations.doctor import Finding

STATUS = {"good": 0, "advice": 0, "warning": 1, "error": 2}


class Command(BaseCommand):
    """Say what is wrong with a cache's settings and server, and what to change."""

    help = (
        "Judge a cache's settings and its server together: eviction, time-outs, clocks, latency, "
        "versions, rights. Exit status: 0 nothing worse than advice, 1 a warning, 2 an error."
    )
    # What they find is part of what is told.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add_cache_option(parser)
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the findings, the worst first."""
        with visiting():
            findings = doctor.examine(cache_of(options["cache"]))
        if options["json"]:
            told = {"cache": options["cache"], "findings": [asdict(one) for one in findings]}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self.stdout.write("\n".join(self._line(one) for one in findings))
        sys.exit(max(STATUS[one.level] for one in findings))

    def _line(self, finding: Finding) -> str:
        words = {
            "good": self.style.SUCCESS(_("good")),
            "advice": self.style.NOTICE(_("advice")),
            "warning": self.style.WARNING(_("warning")),
            "error": self.style.ERROR(_("error")),
        }
        line = f"{words[finding.level]}  {finding.name}: {finding.text}"
        return f"{line}\n    {finding.advice}" if finding.advice else line
