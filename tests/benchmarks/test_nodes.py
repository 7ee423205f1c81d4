"""The part "nodes": the judge of deliveries, and what is made of what all have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.parts import nodes
from benchmarks.parts.nodes_judge import deliveries, periods, stale
from benchmarks.parts.nodes_team import Seen, work
from benchmarks.parts.nodes_terms import KEYS, Config, Heard, Written
from tests.support.servers import Valkey


def seen(written: list[tuple[int, float]], *heard: Heard, count: int = 1000) -> Seen:
    made = Written(count, 2.0, 0.2, written)
    return Seen(made, list(heard), [0] * KEYS, 0.1, 4_000_000)


def heard(count: int, *watched: tuple[int, float], **more: Any) -> Heard:
    return Heard(count, 0.05, 30_000_000, more.get("held", [None] * KEYS), list(watched))


def test_each_change_is_timed_by_its_own_message():
    found = deliveries([(0, 1.0), (100, 1.5), (0, 2.0)], [(0, 1.25), (100, 2.5), (0, 2.125)])
    assert sorted(found.times) == [(1.0, 0.25), (1.5, 1.0), (2.0, 0.125)]
    assert found.lost == 0


def test_a_message_that_comes_after_the_next_write_is_still_of_its_own():
    assert deliveries([(0, 1.0), (0, 2.0)], [(0, 2.5), (0, 3.0)]).times == [(1.0, 1.5), (2.0, 1.0)]


def test_a_change_after_which_nothing_was_heard_is_lost():
    found = deliveries([(0, 1.0), (0, 2.0), (100, 1.0)], [(0, 1.5)])
    assert found.times == [(1.0, 0.5)]
    assert found.lost == 2


def test_a_message_that_covers_for_the_one_before_delivers_both():
    found = deliveries([(0, 1.0), (0, 2.0)], [(0, 2.5)])
    assert found.times == [(1.0, 1.5), (2.0, 0.5)]
    assert found.lost == 0


def test_what_is_heard_of_other_keys_delivers_nothing():
    assert deliveries([(0, 1.0)], [(100, 1.5)]).lost == 1


def test_only_a_copy_of_something_else_is_stale():
    assert stale([None, 1, 2, 3], [0, 1, 5, 7]) == 2


def test_periods_are_of_equal_length_and_each_is_in_order():
    times = [(0.0, 9.0), (0.5, 1.0), (1.5, 5.0), (3.0, 7.0), (3.0, 6.0)]
    assert periods(times, 3) == [[1.0, 9.0], [5.0], [6.0, 7.0]]


def test_no_deliveries_have_no_periods():
    assert periods([], 3) == []


def test_deliveries_at_one_moment_are_one_period():
    assert periods([(1.0, 0.5), (1.0, 0.25)], 3) == [[0.25, 0.5]]


def test_a_node_that_was_told_less_has_lost_the_rest():
    assert nodes.lost(seen([], heard(1000), heard(997), count=1000)) == 3


def test_a_row_says_what_is_lost_late_and_stale():
    held = [None] * (KEYS - 1) + [4]
    row = nodes.delivery_row(
        2, seen([(0, 1.0)], heard(1000, (0, 1.01)), heard(999, (0, 1.06), held=held))
    )
    assert (row.plain["lost"], row.plain["stale"], row.plain["over 50 ms"]) == (1, 1, 1)
    assert (row.plain["x"], row.plain["samples"], row.plain["writes/s"]) == (2, 2, 500.0)
    figure = row.figures["p99"]
    assert figure is not None
    assert figure.median == pytest.approx(60)


def test_the_goal_is_for_the_99th_percentile():
    row = nodes.delivery_row(1, seen([(0, 1.0)], heard(1000, (0, 1.01))))
    assert next(iter(row.figures)) == "p99"
    assert [(goal.of, goal.most) for goal in row.goals] == [("", 50.0)]


def test_times_at_a_lower_rate_do_not_meet_the_goal_of_the_rate():
    found = seen([(0, 1.0)], heard(1000, (0, 1.01)))
    row = nodes.rate_row(1, found)
    figure = row.figures["reached"]
    assert figure is not None
    assert figure.median == 500
    assert [(goal.of, goal.least) for goal in row.goals] == [("", 1960)]


def test_nothing_delivered_meets_no_goal():
    row = nodes.delivery_row(1, seen([(0, 1.0)], heard(0)))
    assert set(row.figures.values()) == {None}
    assert row.plain["lost"] == 1000


def test_costs_are_for_one_message_and_for_one_write():
    row = nodes.cost_row(1, seen([], heard(1000), count=1000))
    medians = {name: figure and figure.median for name, figure in row.figures.items()}
    assert medians == {
        "a node, per message": pytest.approx(50),
        "the writer, per write": pytest.approx(200),
        "the server, per write": pytest.approx(100),
    }
    assert row.plain["server sends, MB/s"] == 2.0
    assert row.plain["node, % of a core"] == 2.5


def test_real_nodes_hear_of_every_write(own_valkey: Callable[..., Valkey]):
    found = work(Config(f"{own_valkey().url}/0", nodes=2, rate=1000, seconds=0.5))
    assert found.written.count > 0
    assert [node.count for node in found.heard] == [found.written.count] * 2
    for node in found.heard:
        assert deliveries(found.written.watched, node.watched).lost == 0
        assert stale(node.held, found.values) == 0
