"""What differs between nodes."""

from __future__ import annotations

from tests.admin import made
from tiercache.admin.differences import Difference, differences


def test_nodes_that_are_alike_have_no_differences() -> None:
    assert differences([made.node("a"), made.node("b")]) == {}


def test_what_one_node_has_otherwise_than_most_is_told_of_that_node_alone() -> None:
    odd = made.node("c", versions=made.VERSIONS | {"django": "6.0"})
    found = differences([made.node("a"), made.node("b"), odd])
    assert found == {"c": (Difference("django", "6.0", "6.1"),)}


def test_bounds_policies_and_settings_are_compared() -> None:
    odd = made.node("c", max_entries=5, policy="lru", settings=made.SETTINGS | {"POLICY": "lru"})
    found = differences([made.node("a"), made.node("b"), odd])
    assert [one.name for one in found["c"]] == ["max_entries", "policy", "POLICY"]


def test_a_setting_that_a_node_lacks_is_a_difference() -> None:
    found = differences([made.node("a"), made.node("b"), made.node("c", settings={})])
    assert {one.own for one in found["c"]} == {""}
