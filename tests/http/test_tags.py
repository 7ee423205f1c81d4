"""The tags of responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import tags
from tiercache.http.fields import Fields


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ([("Surrogate-Key", "a b  c")], ("a", "b", "c")),
        ([("Cache-Tag", "a,b , c d")], ("a", "b", "c d")),
        ([("Surrogate-Key", "a"), ("Cache-Tag", "b, a"), ("Surrogate-Key", "c\ta")], "acb"),
        ([("Surrogate-Key", "a,b")], ("a,b",)),
        ([("Cache-Tag", '"a,b"')], ('"a', 'b"')),
        ([("Surrogate-Key", "\xc3\xa0")], ("\xc3\xa0",)),
        ([("Cache-Tag", ", ,")], ()),
        ([("Surrogate-Key", "")], ()),
        ([], ()),
    ],
)
def test_tags_are_those_of_both_fields_each_once(
    lines: list[tuple[str, str]], kept: tuple[str, ...]
) -> None:
    assert tags.of(Fields(lines)) == (tuple(kept), 0)


def test_tags_that_are_too_long_are_dropped_and_counted() -> None:
    longest = "x" * tags.LONGEST_TAG
    assert tags.of(Fields([("Cache-Tag", f"{longest}y, {longest}, a")])) == ((longest, "a"), 1)


def test_tags_that_are_too_many_are_dropped_and_counted() -> None:
    names = [f"t{number}" for number in range(tags.MOST_TAGS + 3)]
    found = tags.of(Fields([("Surrogate-Key", " ".join([*names, "t0"]))]))
    assert found == (tuple(names[: tags.MOST_TAGS]), 3)


def test_readers_do_not_see_the_tags() -> None:
    fields = Fields([("Surrogate-Key", "a"), ("etag", '"a"'), ("Cache-Tag", "b")])
    assert tags.stripped(fields) == Fields([("etag", '"a"')])


@given(st.lists(st.tuples(st.sampled_from(["Surrogate-Key", "Cache-Tag"]), st.text())))
def test_no_tag_is_empty_or_named_twice(lines: list[tuple[str, str]]) -> None:
    kept, dropped = tags.of(Fields(lines))
    assert "" not in kept
    assert len(set(kept)) == len(kept)
    assert dropped >= 0
