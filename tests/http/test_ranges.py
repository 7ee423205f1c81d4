"""Ranges: which part of a stored response a request gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import dates, ranges
from tiercache.http.fields import Fields
from tiercache.http.ranges import Part, Selection

CONTENT = b"0123456789"
CHANGED = 1_700_000_000.0
RECEIVED = CHANGED + 5
MODIFIED = dates.formatted(CHANGED)
ANSWERED = Fields(
    [("ETag", '"a"'), ("Last-Modified", MODIFIED), ("Date", dates.formatted(CHANGED + 1))]
)


def selection(wanted: str, length: int = 10, method: str = "GET", status: int = 200) -> Selection:
    return ranges.part(method, Fields([("Range", wanted)]), status, ANSWERED, length, RECEIVED)


def selected_if(condition: str, answered: Fields = ANSWERED) -> Selection:
    asked = Fields([("Range", "bytes=0-1"), ("If-Range", condition)])
    return ranges.part("GET", asked, 200, answered, 10, RECEIVED)


@pytest.mark.parametrize(
    ("wanted", "content"),
    [
        ("bytes=0-1", b"01"),
        ("bytes=1-", b"123456789"),
        ("bytes=-1", b"9"),
        ("bytes=9-9", b"9"),
        ("bytes=0-", CONTENT),
        ("bytes=8-99", b"89"),
        ("bytes=-99", CONTENT),
        ("Bytes=0-1", b"01"),
        ("bytes=, 0-1 ,", b"01"),
        ("bytes=00-01", b"01"),
    ],
)
def test_one_range_is_a_part(wanted: str, content: bytes) -> None:
    found = selection(wanted)
    assert isinstance(found, Part)
    assert CONTENT[found.start : found.stop] == content


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99-100"])
def test_a_range_outside_of_the_content_is_unsatisfiable(wanted: str) -> None:
    assert selection(wanted) == "unsatisfiable"


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=0-1,3-4",
        "bytes=0-1, -1",
        "items=0-1",
        "bytes=2-1",
        "bytes=-",
        "bytes=",
        "bytes",
        "",
        "bytes=a-b",
        "bytes=0x0-1",
        "bytes=+0-1",
        "bytes=0 - 1",
        "bytes 0-1",
        "bytes=\u0660-\u0661",
        "bytes=0-" + "9" * 5000,
    ],
)
def test_what_is_not_one_range_of_bytes_gets_the_whole(wanted: str) -> None:
    assert selection(wanted) == "whole"


def test_a_request_without_range_gets_the_whole() -> None:
    assert ranges.part("GET", Fields(), 200, ANSWERED, 10, RECEIVED) == "whole"


def test_two_lines_of_range_get_the_whole() -> None:
    asked = Fields([("Range", "bytes=0-1"), ("Range", "bytes=3-4")])
    assert ranges.part("GET", asked, 200, ANSWERED, 10, RECEIVED) == "whole"


@pytest.mark.parametrize("method", ["HEAD", "POST", "get"])
def test_only_get_has_parts(method: str) -> None:
    assert selection("bytes=0-1", method=method) == "whole"


@pytest.mark.parametrize("status", [204, 206, 301, 404])
def test_only_a_200_has_parts(status: int) -> None:
    assert selection("bytes=0-1", status=status) == "whole"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("bytes=0-", "unsatisfiable"), ("bytes=-1", "whole"), ("bytes=-0", "unsatisfiable")],
)
def test_empty_content_has_no_first_byte_and_its_end_is_all_of_it(
    wanted: str, expected: str
) -> None:
    assert selection(wanted, length=0) == expected


@pytest.mark.parametrize("condition", ['"a"', MODIFIED])
def test_if_range_of_what_is_stored_gets_the_part(condition: str) -> None:
    assert selected_if(condition) == Part(0, 2)


@pytest.mark.parametrize(
    "condition",
    ['"b"', 'W/"a"', "*", "a", '"a", "b"', "", dates.formatted(CHANGED + 1), "yesterday"],
)
def test_if_range_of_something_else_gets_the_whole(condition: str) -> None:
    assert selected_if(condition) == "whole"


def test_if_range_with_a_weak_tag_gets_the_whole() -> None:
    assert selected_if('W/"a"', Fields([("ETag", 'W/"a"')])) == "whole"


@pytest.mark.parametrize("sent", [dates.formatted(CHANGED), "", "now"])
def test_if_range_with_a_date_that_may_have_two_versions_gets_the_whole(sent: str) -> None:
    assert selected_if(MODIFIED, ANSWERED.replaced("date", sent)) == "whole"


def test_if_range_with_a_date_in_the_old_form_gets_the_part_if_it_was_sent_so() -> None:
    old = "Tuesday, 14-Nov-23 22:13:20 GMT"
    assert selected_if(old, ANSWERED.replaced("last-modified", old)) == Part(0, 2)
    assert selected_if(old) == "whole"


def test_if_range_with_text_that_only_looks_equal_to_a_date_gets_the_whole() -> None:
    answered = ANSWERED.replaced("last-modified", "yesterday")
    assert selected_if("yesterday", answered) == "whole"


def test_if_range_without_range_gets_the_whole() -> None:
    asked = Fields([("If-Range", '"a"')])
    assert ranges.part("GET", asked, 200, ANSWERED, 10, RECEIVED) == "whole"


def test_a_206_says_which_part_it_is_and_keeps_the_other_fields() -> None:
    answered = Fields([("content-length", "10"), ("etag", '"a"'), ("content-type", "a/b")])
    expected = [
        ("etag", '"a"'),
        ("content-type", "a/b"),
        ("content-range", "bytes 2-4/10"),
        ("content-length", "3"),
    ]
    assert ranges.partial_fields(answered, Part(2, 5), 10) == Fields(expected)


@pytest.mark.parametrize("name", ["content-md5", "content-digest"])
def test_a_206_has_no_digest_of_the_whole(name: str) -> None:
    assert name not in ranges.partial_fields(Fields([(name, "x")]), Part(0, 1), 2)


def test_a_416_says_how_long_the_content_is() -> None:
    assert ranges.unsatisfiable_fields(10) == Fields([("content-range", "bytes */10")])


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_part_is_what_slicing_gives(length: int, first: int, last: int) -> None:
    content = bytes(range(length))
    found = selection(f"bytes={first}-{last}", length)
    wanted = content[first : last + 1]
    if first > last:
        assert found == "whole"
    elif not wanted:
        assert found == "unsatisfiable"
    else:
        assert isinstance(found, Part)
        assert content[found.start : found.stop] == wanted
        fields = ranges.partial_fields(Fields(), found, length)
        assert fields.get("content-length") == str(len(wanted))


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_suffix_is_what_slicing_gives(length: int, size: int) -> None:
    found = selection(f"bytes=-{size}", length)
    assert found == Part(*slice(-size, None).indices(length)[:2])


@given(
    st.one_of(st.text(), st.text(st.sampled_from("bytes=-0123456789, "))),
    st.one_of(st.text(), st.sampled_from(['"a"', MODIFIED])),
    st.integers(0, 2**63),
)
def test_no_range_raises_or_leaves_the_content(wanted: str, condition: str, length: int) -> None:
    for conditions in ([], [("If-Range", condition)]):
        asked = Fields([("Range", wanted), *conditions])
        found = ranges.part("GET", asked, 200, ANSWERED, length, RECEIVED)
        if isinstance(found, Part):
            assert 0 <= found.start < found.stop <= length
