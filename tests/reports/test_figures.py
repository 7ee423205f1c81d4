"""Counts that can be added, subtracted and sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiercache.reports.figures import by_section, difference, flat, histogram, total_of

names = st.text(st.characters(exclude_characters="|"), min_size=1, max_size=8)
sections = st.dictionaries(
    st.text(max_size=8), st.dictionaries(names, st.integers(1, 10**12), min_size=1), max_size=4
)


@given(sections)
def test_flat_counts_come_back_as_they_were(counted: dict[str, dict[str, int]]) -> None:
    """Whatever an alias is called; "a|b" is one."""
    assert by_section(flat(counted)) == counted


@given(sections, sections)
def test_what_has_grown_is_what_was_added(before: dict, more: dict) -> None:
    assert difference(total_of([before, more]), before) == more


def test_what_has_not_grown_is_left_out() -> None:
    assert difference({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}) == {"a": {"y": 2}}
    assert difference({"a": {"x": 1}}, {"a": {"x": 1}}) == {}


def test_a_histogram_is_found_by_its_name() -> None:
    figures = {"load.57": 3, "loaded": 9, "loads": 2, "load.58": 1, "lag.57": 4}
    assert histogram(figures, "load") == {57: 3, 58: 1}
