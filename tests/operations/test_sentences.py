"""What operators read first: whether all is good, and if not, what is wrong and what it means."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from tests.operations import made_views
from tests.operations.made_views import AT
from tiercache.exceptions import RedisAway
from tiercache.operations import sentences
from tiercache.operations.sentences import REASONS, concern, status


@pytest.fixture(autouse=True)
def _in_utc() -> Any:
    with timezone.override("UTC"):
        yield


def test_all_good_is_one_sentence() -> None:
    said = status([made_views.view(), made_views.view("pages")])
    assert (said.level, said.text) == ("good", "All good: 2 caches, 2 nodes, Redis up.")


def test_a_redis_that_is_away_is_said_with_since_why_and_who_answers() -> None:
    said = status([made_views.away()])
    assert said.level == "bad"
    assert said.text == (
        "Redis of default is away since 22:12:20 (connection refused): answering from memory, "
        "12 keys to be made good."
    )


def test_one_cache_that_is_away_is_not_hidden_by_another_that_is_well() -> None:
    said = status([made_views.view("pages"), made_views.away()])
    assert (said.level, "default" in said.text) == ("bad", True)


def test_memory_alone_is_no_outage() -> None:
    said = status([made_views.alone()])
    assert (said.level, said.text) == (
        "good",
        "All good: 1 cache, memory of this process alone.",
    )


def test_a_site_without_our_caches_is_told_so() -> None:
    assert status([]).level == "warning"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gone": True, "seen": 20.0}, "web1:4002 has not reported for 20 s"),
        ({"gone": True, "seen": 20.0}, "up to 5 s old"),
        ({"backplane": "lost", "backplane_since": AT - 5}, "has heard no changes since 22:13:15"),
        ({"state": "away", "reason": "timeout", "state_since": AT - 9}, "(no answer in time)"),
        (
            {"state": "read-only", "reason": "full"},
            "has not been able to write to Redis of default",
        ),
    ],
)
def test_a_node_that_is_not_well_is_said_with_what_it_means(
    fields: dict[str, Any], words: str
) -> None:
    view = made_views.view(nodes=(made_views.node(1), made_views.node(2, **fields)))
    said = status([view])
    assert (said.level, words in said.text) == ("warning", True), said.text


def test_a_node_that_said_goodbye_is_no_concern() -> None:
    node = made_views.node(2, ended=True, gone=True, backplane="lost")
    view = made_views.view(nodes=(made_views.node(1), node))
    assert concern(node, view) == ""
    assert status([view]).text == "All good: 1 cache, 1 node, Redis up."


def test_names_with_percent_signs_are_shown_as_they_are() -> None:
    node = made_views.node(2, host="100%s", gone=True)
    assert concern(node, made_views.view(alias="50%(x)s")).startswith("100%s:4002")


def test_every_kind_of_failure_has_its_words() -> None:
    assert set(REASONS) == set(RedisAway.KINDS)
    assert sentences.reason("something new") == "something new"
