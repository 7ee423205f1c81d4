"""Which charts there are, and what is read beside them."""

from __future__ import annotations

import pytest

from tests.admin import made
from tiercache.admin import charts
from tiercache.operations.formatting import NOTHING


def chart(name: str, window: str = "15m", view: object = None) -> charts.Chart:
    drawn = charts.over_time(view or made.view(), window)  # type: ignore[arg-type]
    return next(one for one in drawn if one.name == name)


@pytest.mark.parametrize(("window", "steps"), [("15m", 60), ("1h", 60), ("24h", 96)])
def test_a_span_is_drawn_in_steps_that_the_eye_can_tell_apart(window: str, steps: int) -> None:
    assert len(charts.steps(made.view(), window)) == steps


def test_merged_windows_have_lost_nothing() -> None:
    hour = made.view().hour
    merged = charts.merged(hour, 60)
    assert sum(step.requests for step in merged) == sum(step.requests for step in hour)
    assert sum(step.seconds for step in merged) == 3600.0
    assert merged[-1].at == hour[-1].at


def test_what_cannot_be_merged_evenly_is_left_over_at_the_beginning() -> None:
    merged = charts.merged(made.steps(7, 15.0), 2)
    assert [step.seconds for step in merged] == [45.0, 60.0]


def test_shares_of_tiers_are_of_all_look_ups() -> None:
    latest = chart("tiers").rows[0]
    assert latest.cells[:2] == ("78.0 %", "13.0 %")


def test_the_table_has_a_row_for_each_step_the_latest_first() -> None:
    rows = chart("requests").rows
    assert len(rows) == 60
    assert rows[0].at == made.AT


def test_a_step_in_which_nothing_was_counted_is_a_gap_and_no_zero() -> None:
    requests = chart("requests", "1h")
    assert None in requests.series[0].values
    assert NOTHING in [row.cells[0] for row in requests.rows]


def test_a_cache_that_nobody_asked_has_empty_charts() -> None:
    assert all(one.empty for one in charts.over_time(made.silent(), "1h"))


def test_the_scale_is_labelled_from_the_top_to_zero() -> None:
    assert chart("tiers").scale == ("100 %", "75.0 %", "50.0 %", "25.0 %", "0.0 %")


def test_the_times_below_reach_from_the_first_steps_beginning_to_the_last_ones_end() -> None:
    times = chart("requests").times
    assert (times[0], times[-1]) == (made.AT - 900.0, made.AT)


def test_latencies_are_drawn_for_memory_redis_and_loads() -> None:
    names = [one.name for one in charts.over_time(made.view(), "15m")]
    assert names == ["tiers", "requests", "memory", "read", "load", "evictions"]


def test_evictions_are_told_by_cause() -> None:
    labels = [one.label for one in chart("evictions").series]
    assert labels == ["room for entries", "room for bytes", "expired", "too large"]


def test_a_drawing_describes_itself_in_words() -> None:
    assert "memory 78.0 %" in charts.tier_bar(made.window(made.AT, 60, 1000))
    assert "memory: lately 78.0 %, at most 78.0 %" in chart("tiers").drawing
