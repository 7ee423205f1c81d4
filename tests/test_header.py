"""The header of entries with grace or tags: what is read is what was written, or no header."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compat.test_format import COMPRESSORS, SERIALIZERS
from tiercache.codec import make_codec
from tiercache.exceptions import Undecodable
from tiercache.header import (
    FORMAT,
    LONGEST_COST,
    LONGEST_TAG,
    MARK,
    MOST_TAGS,
    Meta,
    split,
    wrap,
)

NAMES = st.text(min_size=1, max_size=40)
TAGS = st.lists(st.tuples(NAMES, st.integers(-(2**63), 2**63 - 1)), max_size=5)
METAS = st.builds(Meta, st.integers(0, 2**62), st.integers(0, LONGEST_COST), TAGS.map(tuple))
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(meta=METAS, raw=st.binary())
def test_what_was_wrapped_is_split_again(meta: Meta, raw: bytes) -> None:
    """Grace, cost, tags and value come back as they were, whatever the value's bytes are."""
    assert split(wrap(meta, raw)) == (meta, raw)


@given(number=st.integers())
def test_integers_stay_bare_behind_the_header(number: int) -> None:
    assert split(wrap(Meta(5), number)) == (Meta(5), b"%d" % number)


@given(raw=st.binary().filter(lambda raw: raw[:1] != MARK))
def test_what_does_not_begin_with_the_mark_has_no_header(raw: bytes) -> None:
    assert split(raw) == (None, raw)


@given(raw=st.binary(max_size=60), version=st.sampled_from([FORMAT, 0, 2, 255]))
@settings(max_examples=500)
def test_foreign_bytes_raise_nothing_but_undecodable(raw: bytes, version: int) -> None:
    """Whatever follows the mark: it is a header, or it is said that it is none."""
    for start in (MARK, MARK + bytes([version])):
        try:
            meta, rest = split(start + raw)
        except Undecodable:
            continue
        assert meta is not None
        assert wrap(meta, rest) == start + raw


@given(meta=METAS, raw=st.binary(max_size=10), data=st.data())
def test_damaged_headers_raise_nothing_but_undecodable(
    meta: Meta, raw: bytes, data: st.DataObject
) -> None:
    """Cut off anywhere, or with any byte replaced."""
    whole = wrap(meta, raw)
    end = data.draw(st.integers(1, len(whole)))
    place, byte = data.draw(st.integers(1, len(whole) - 1)), data.draw(st.integers(0, 255))
    for damaged in (whole[:end], whole[:place] + bytes([byte]) + whole[place + 1 :]):
        try:
            split(damaged)
        except Undecodable:
            continue


def test_another_version_is_said_to_be_one() -> None:
    raw = bytearray(wrap(Meta(1), b"x"))
    raw[1] = 2
    with pytest.raises(Undecodable, match="version 2"):
        split(bytes(raw))


def test_a_cost_beyond_the_field_is_the_longest() -> None:
    meta, _ = split(wrap(Meta(0, 2**40), b""))
    assert meta is not None
    assert meta.cost == LONGEST_COST


def test_too_many_or_too_long_tags_are_refused() -> None:
    with pytest.raises(ValueError, match=f"at most {MOST_TAGS}"):
        wrap(Meta(0, 0, (("t", 1),) * (MOST_TAGS + 1)), b"")
    with pytest.raises(ValueError, match=f"at most {LONGEST_TAG}"):
        wrap(Meta(0, 0, (("t" * (LONGEST_TAG + 1), 1),)), b"")


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_no_value_begins_with_the_mark(serializer: str, compressor: str) -> None:
    """So a plain entry is never taken for one with a header."""
    codec = make_codec(
        {"SERIALIZER": SERIALIZERS[serializer], "COMPRESSOR": COMPRESSORS[compressor]}
    )

    @given(value=VALUES)
    @settings(max_examples=25, deadline=None)
    def check(value: Any) -> None:
        try:
            raw = codec.pack(value).raw
        except (OverflowError, ValueError, TypeError):  # not for this serializer
            return
        assert split(raw if isinstance(raw, bytes) else b"%d" % raw)[0] is None

    check()


@pytest.mark.parametrize("protocol", range(6))
def test_no_pickle_begins_with_the_mark(protocol: int) -> None:
    codec = make_codec({"PICKLE_VERSION": protocol})
    for value in ("\xc1", "Ã\x81", b"\xc1", [b"\xc1"], ("\xc1",), {"\xc1": 1}, 193.5, None, True):
        assert codec.pack(value).raw[:1] != MARK
