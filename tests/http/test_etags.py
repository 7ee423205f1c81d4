"""Entity tags: what is one, what a list names, and when two are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import etags
from tiercache.http.etags import EntityTag

STRONG, WEAK = EntityTag('"a"'), EntityTag('"a"', is_weak=True)
OPAQUE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"').filter(
        lambda char: not 0x7F <= ord(char) < 0x80
    )
).map('"{}"'.format)
TAGS = st.builds(EntityTag, OPAQUE, st.booleans())
MALFORMED = ["", "a", "'a'", '"a', 'a"', 'w/"a"', 'W"a"', 'W\\"a"', '"a b"', '"a\x00"', '"a""', "*"]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ('"a"', STRONG),
        ('W/"a"', WEAK),
        ('""', EntityTag('""')),
        ('"a,b"', EntityTag('"a,b"')),
        ('"ü"', EntityTag('"ü"')),
        ('"a\\"', EntityTag('"a\\"')),
    ],
)
def test_a_tag_is_quoted_and_may_be_weak(text: str, tag: EntityTag) -> None:
    assert etags.parse(text) == tag


@pytest.mark.parametrize("text", [*MALFORMED, '"a", "b"'])
def test_what_is_not_one_tag_is_none(text: str) -> None:
    assert etags.parse(text) is None


def test_an_absent_tag_is_none() -> None:
    assert etags.parse(None) is None


@given(TAGS)
def test_a_tag_is_written_as_it_is_read(tag: EntityTag) -> None:
    assert etags.parse(str(tag)) == tag


@given(st.lists(TAGS), st.sampled_from([",", ", ", " ,\t", ",, ,"]))
def test_a_list_has_the_tags_that_were_joined(tags: list[EntityTag], comma: str) -> None:
    assert etags.parse_list(comma.join(map(str, tags))) == tuple(tags)


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_member_of_a_list_is_left_out(text: str) -> None:
    assert etags.parse_list(f'"first", {text}, "last"')[0] == EntityTag('"first"')
    assert STRONG not in etags.parse_list(f'"first", {text}, "last"')


def test_a_line_break_is_not_the_end_of_a_list() -> None:
    assert etags.parse_list('"a"\n') == ()


def test_a_backslash_in_a_tag_does_not_hide_the_next() -> None:
    assert etags.parse_list(r'"a\", "b"') == (EntityTag('"a\\"'), EntityTag('"b"'))


@pytest.mark.parametrize(
    ("one", "other", "is_same", "is_equivalent"),
    [
        (STRONG, STRONG, True, True),
        (WEAK, WEAK, False, True),
        (WEAK, STRONG, False, True),
        (STRONG, WEAK, False, True),
        (STRONG, EntityTag('"b"'), False, False),
        (WEAK, EntityTag('"A"', is_weak=True), False, False),
        (None, None, False, False),
        (STRONG, None, False, False),
        (None, WEAK, False, False),
    ],
)
def test_tags_compare_as_the_table_of_the_rfc_says(
    one: EntityTag | None, other: EntityTag | None, is_same: bool, is_equivalent: bool
) -> None:
    assert etags.is_same(one, other) is is_same
    assert etags.is_equivalent(one, other) is is_equivalent


@pytest.mark.parametrize("text", ["*", '"a"', 'W/"a"', '"x", "a"', '"x",W/"a" ,"y"', ',"a"'])
@pytest.mark.parametrize("tag", [STRONG, WEAK])
def test_a_tag_is_listed_by_weak_comparison(text: str, tag: EntityTag) -> None:
    assert etags.is_listed(text, tag)


@pytest.mark.parametrize("text", ["", "a", '"b"', '"a', "*, *", 'w/"a"', '"b", a'])
def test_another_tag_or_none_is_not_listed(text: str) -> None:
    assert not etags.is_listed(text, STRONG)


def test_any_representation_is_listed_by_a_star_even_without_a_tag() -> None:
    assert etags.is_listed("*", None)
    assert not etags.is_listed('"a"', None)


@given(st.text(st.sampled_from('aW/", *\\\t')))
def test_no_list_raises(text: str) -> None:
    for tag in etags.parse_list(text):
        assert etags.parse(str(tag)) == tag
