"""A module that is measured in a process of its own; it says something of each kind, or waits."""

from __future__ import annotations

import threading

from benchmarks.part import Result, Run
from tests.benchmarks.made import a_table

WAIT = "for ever"
"""The server's address that makes it wait."""


def measured(run: Run) -> Result:
    run.progress.say("quickly" if run.quick else "slowly")
    if run.url == WAIT:
        threading.Event().wait()
    run.progress.step(2)
    return Result([a_table()], notes=[run.url])
