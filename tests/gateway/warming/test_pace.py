"""The pace of requests, and what a run hardly shows: the end of a body, a summary's bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

from gateway_project.callers.limits import Rate
from gateway_project.serving.replies import Reply
from gateway_project.warming.outcomes import Outcome
from gateway_project.warming.pace import Pace
from gateway_project.warming.planning import Visit
from gateway_project.warming.running import let_go
from gateway_project.warming.summary import MOST_REASONS, Summary
from tiercache.http.fields import Fields

VISIT = cast("Visit", SimpleNamespace())


async def test_a_body_that_nobody_began_to_read_lets_go_of_its_connection():
    told: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            told.append("begun")
            yield b"a"
            told.append("read on")
        finally:
            told.append("let go")

    reply = Reply(200, Fields(), body())
    await let_go(reply)
    assert told == ["begun", "let go"]


def test_without_a_rate_nobody_waits():
    pace = Pace(None, lambda: 0.0)
    assert [pace.take() for _ in range(3)] == [0.0, 0.0, 0.0]


def test_turns_follow_each_other_evenly():
    now = 0.0
    pace = Pace(Rate.parse("20/10s"), lambda: now)
    assert [pace.take() for _ in range(3)] == [0.0, 0.5, 1.0]
    now = 1.25
    assert pace.take() == 0.25


def test_time_that_nobody_used_is_not_made_up_for():
    now = 0.0
    pace = Pace(Rate.parse("1/s"), lambda: now)
    pace.take()
    now = 100.0
    assert [pace.take() for _ in range(3)] == [0.0, 1.0, 2.0]


def test_reasons_do_not_grow_without_end():
    summary = Summary(lambda: 0.0)
    for number in range(2 * MOST_REASONS):
        summary.add(VISIT, Outcome("unstorable", f"status {number}"))
    reasons: dict[str, Any] = summary.as_dict()["reasons"]
    assert len(reasons) == MOST_REASONS + 1
    assert reasons["other"] == MOST_REASONS


def test_a_run_that_took_no_time_has_no_speed():
    assert Summary(lambda: 0.0).as_dict()["per_second"] == 0.0
