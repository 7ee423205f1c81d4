"""What is measured in a process of its own comes back as it was."""

from __future__ import annotations

import dataclasses

import psutil
import pytest

from benchmarks.child import Failed, in_a_child, lines
from benchmarks.part import Result
from tests.benchmarks import speaking
from tests.benchmarks.made import Steps, a_run, a_table


def test_the_result_and_the_progress_come_back():
    progress = Steps()
    run = dataclasses.replace(a_run(quick=True), progress=progress)
    result = in_a_child(speaking.__name__)(run)
    assert result == Result([a_table()], notes=[run.url])
    assert (progress.said, progress.steps) == (["quickly"], 2)


def test_a_process_that_fails_is_named_with_its_status():
    with pytest.raises(Failed, match=r"benchmarks\.child no\.such\.module .* ended with status 1"):
        in_a_child("no.such.module")(a_run())


def test_a_process_is_ended_when_nobody_asks_any_more():
    told = lines("benchmarks.child", speaking.__name__, speaking.WAIT)
    next(told)
    (child,) = (one for one in psutil.Process().children() if "benchmarks.child" in one.cmdline())
    told.close()
    assert not child.is_running()
