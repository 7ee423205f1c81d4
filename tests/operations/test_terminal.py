"""The overview in a terminal: the sentence first, bars that add up, what is wrong stands out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from tests.operations import made_views
from tiercache.operations import formatting, terminal

if TYPE_CHECKING:
    from tiercache.reports.cluster import View


def plain(_: str, text: str) -> str:
    return text


def marked(look: str, text: str) -> str:
    return f"<{look}>{text}</>"


def shown(*views: View, width: int = 80) -> str:
    with timezone.override("UTC"):
        return terminal.overview(views, width=width, paint=plain)


def test_the_sentence_comes_first() -> None:
    assert shown(made_views.view()).splitlines()[0] == "All good: 1 cache, 2 nodes, Redis up."


def test_a_cache_is_shown_with_ratios_times_memory_and_nodes() -> None:
    text = shown(made_views.view())
    for words in (
        "90.1 % in 15 min (1 min 90.1 %, 24 h 90.1 %)",
        "memory 79.2 %",
        "16 MiB of 128 MiB, 2,400 of 20,000 entries",
        "Valkey 8.1.1, 100 MiB of 1 GiB, 51,234 keys, allkeys-lru",
        "web1:4002",
    ):
        assert words in text


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(made_views.view(), width=width).splitlines())) <= width


@pytest.mark.parametrize("width", [1, 7, 40, 66, 200])
def test_the_bar_is_as_wide_as_it_may_be_and_leaves_no_tier_out(width: int) -> None:
    bar = terminal.bar(made_views.window(), width)
    assert len(bar) == max(width, 6)
    assert set(bar) == set(terminal.BAR.values())


def test_a_bar_of_nothing_is_no_bar() -> None:
    nothing = replace(made_views.window(), calls={})
    assert terminal.bar(nothing, 40) == formatting.NOTHING


def test_a_cache_whose_redis_is_away_says_why_in_the_place_of_the_server() -> None:
    text = shown(made_views.away())
    assert "Redis       connection refused" in text
    assert text.startswith("Redis of default is away since 22:12:20")


def test_a_cache_without_redis_says_that_there_is_nothing_to_tell_from_outside() -> None:
    assert "each process knows its own figures" in shown(made_views.alone())


def test_a_node_that_is_not_well_stands_out() -> None:
    view = made_views.view(nodes=(made_views.node(1), made_views.node(2, backplane="lost")))
    text = terminal.overview([view], width=80, paint=marked)
    (line,) = [line for line in text.splitlines()[1:] if line.strip().startswith("<warning>web1")]
    assert "web1:4002" in line
    assert line.endswith("no</>")


def test_a_server_that_may_not_be_asked_is_up_all_the_same() -> None:
    server = replace(made_views.view().server, missing=("INFO",))
    assert "this user may not ask for more (INFO)" in shown(made_views.view(server=server))
