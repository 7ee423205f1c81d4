"""What the JSON says is what the view says: all of it, in seconds, and valid JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from tests.operations import made_views
from tiercache.operations.documents import document, of_node
from tiercache.reports.cluster import MEASURED, WINDOWS, Node, View


@pytest.mark.parametrize("view", [made_views.view(), made_views.away(), made_views.alone()])
def test_a_document_is_valid_json(view: View) -> None:
    text = json.dumps(document(view), allow_nan=False)
    assert json.loads(text)["alias"] == view.alias


def test_a_document_leaves_nothing_of_the_view_out() -> None:
    assert set(document(made_views.view())) == {field.name for field in fields(View)}


def test_a_node_leaves_nothing_of_itself_out() -> None:
    node = made_views.node(errors=(made_views.mishap(),))
    said = of_node(node)
    assert set(said) == {field.name for field in fields(Node)} | {"up_for"}
    assert said["errors"] == [{"at": made_views.AT - 60, "kind": "timeout", "text": "no answer"}]


def test_the_figures_are_those_of_the_view() -> None:
    view = made_views.view()
    said = document(view)["windows"]["15m"]
    window = view.windows["15m"]
    assert (said["requests"], said["ratio"]) == (window.requests, window.ratio)
    assert said["tiers"] == window.tiers
    assert said["evicted"]["bytes"] == 4


def test_quantiles_are_in_seconds_for_everything_that_is_timed() -> None:
    said: dict[str, Any] = document(made_views.view())["windows"]["1h"]["quantiles"]
    assert tuple(said) == MEASURED
    assert said["read"]["p50"] == pytest.approx(0.0002, rel=0.3)
    assert said["read"]["p99"] == pytest.approx(0.003, rel=0.3)


def test_counters_come_without_the_buckets_that_quantiles_are_made_of() -> None:
    said = document(made_views.view())["totals"]
    assert said["calls"] == {name: count * 100 for name, count in made_views.CALLS.items()}
    assert said["store"]["redis.timeout"] == 100
    assert not [name for name in said["store"] if name.startswith("read.")]


@pytest.mark.parametrize(
    ("window", "series", "steps"), [("1m", "hour", 1), ("15m", "hour", 15), ("24h", "day", 72)]
)
def test_one_window_comes_with_the_steps_within_it_alone(
    window: str, series: str, steps: int
) -> None:
    said = document(made_views.view(), window)
    assert list(said["windows"]) == [window]
    assert len(said[series]) == steps
    assert ("hour" in said) is not ("day" in said)


def test_an_unknown_window_is_refused_with_the_known_ones_named() -> None:
    with pytest.raises(ValueError, match=r"'2h'; allowed: 1m, 15m, 1h, 24h"):
        document(made_views.view(), "2h")
    assert list(document(made_views.view())["windows"]) == list(WINDOWS)
