"""Targets: which are refused, and the one form of those that are not."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiercache.http import targets
from tiercache.http.targets import BadTarget, Target

PIECES = st.sampled_from(
    [*"/.%;=&+?#\\ ~a", "%2e", "%2F", "%25", "%41", "%c3%a9", "%0a", "..", "//", "é", "\x00", "0"]
)
GOOD = st.sampled_from(["/a", "a", "%41", "%2d", "%c3%a9", "%3b", "%25", "%252e", ";", "+", "=&"])
RAW = st.one_of(
    st.binary(max_size=40),
    st.lists(GOOD, max_size=10).map(lambda pieces: ("/" + "".join(pieces)).encode()),
    st.lists(PIECES, max_size=10).map(lambda pieces: ("/" + "".join(pieces)).encode()),
)
PAIRS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6).map(tuple)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/a/b", "/a/b"),
        (b"/a/", "/a/"),
        (b"/%61%2D%7e", "/a-~"),
        (b"/a%3ab%c3%A9", "/a%3Ab%C3%A9"),
        (b"/a:b@c!$&'()*+,;=", "/a:b@c!$&'()*+,;="),
        (b"/%20", "/%20"),
        (b"/a%252e%252E/b", "/a%252e%252E/b"),
        (b"/%252e%252e/b", "/%252e%252e/b"),
        (b"/...", "/..."),
        (b"/.a/a.", "/.a/a."),
        (b"/a;..", "/a;.."),
    ],
)
def test_a_path_has_one_form(raw: bytes, path: str) -> None:
    assert targets.parse(raw) == Target(path)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "origin form"),
        (b"*", "origin form"),
        (b"http://example.com/", "origin form"),
        (b"example.com:443", "origin form"),
        (b"a/b", "origin form"),
        (b"//example.com/", "empty segment"),
        (b"/a//b", "empty segment"),
        (b"/a//", "empty segment"),
        (b"/.", "dot segment"),
        (b"/a/..", "dot segment"),
        (b"/a/../b", "dot segment"),
        (b"/a/./b", "dot segment"),
        (b"/%2e%2E/b", "dot segment"),
        (b"/a/.%2e/b", "dot segment"),
        (b"/a/..;x=1/b", "dot segment"),
        (b"/a/..%3b/b", "dot segment"),
        (b"/.;", "dot segment"),
        (b"/a%2fb", "'%2f' in it; slashes"),
        (b"/a%5Cb", "'%5C' in it; slashes"),
        (b"/a%00", "'%00' in it; slashes"),
        (b"/a%0d%0ab", "'%0d' in it; slashes"),
        (b"/a%1b", "'%1b' in it; slashes"),
        (b"/a%7f", "'%7f' in it; slashes"),
        (b"/a\\b", r"must be percent-encoded"),
        (b"/a b", "' ' in it, which must be"),
        (b"/a\r\nb", r"must be percent-encoded"),
        (b"/a\x00", "must be percent-encoded"),
        (b"/a\x7f", "must be percent-encoded"),
        (b"/a\xc3\xa9", "must be percent-encoded"),
        (b"/a?b", "must be percent-encoded"),
        (b"/a#b", "must be percent-encoded"),
        (b"/a[b]", "must be percent-encoded"),
        (b"/a%", "two hexadecimal digits"),
        (b"/a%4", "two hexadecimal digits"),
        (b"/a%4g", "'%4g' in it; behind %"),
        (b"/a%u0041", "two hexadecimal digits"),
        (b"/%ff", "UTF-8"),
        (b"/%c0%ae", "UTF-8"),
    ],
)
def test_a_path_with_more_than_one_reading_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(BadTarget, match=reason) as caught:
        targets.parse(raw)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", ()),
        (b"a=1&b=2", (("a", "1"), ("b", "2"))),
        (b"b=2&a=1&b=1", (("b", "2"), ("a", "1"), ("b", "1"))),
        (b"a&b=", (("a", ""), ("b", ""))),
        (b"&&a=1&", (("a", "1"),)),
        (b"=1", (("", "1"),)),
        (b"a=b=c", (("a", "b=c"),)),
        (b"a=1+2%202%2B", (("a", "1 2 2+"),)),
        (b"%61=%c3%a9", (("a", "é"),)),
        (b"a=%2525", (("a", "%25"),)),
        (b"a=/?:@", (("a", "/?:@"),)),
        (b"a[b]={c|d}", (("a[b]", "{c|d}"),)),
        (b"a;b=1", (("a;b", "1"),)),
        (b"a=%0a", (("a", "\n"),)),
    ],
)
def test_a_query_is_pairs_of_text(query: bytes, pairs: targets.Pairs) -> None:
    assert targets.parse(b"/", query).query == pairs


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (b"a b", "percent-encoded"),
        (b"a=\xc3\xa9", "percent-encoded"),
        (b"a\x00", "percent-encoded"),
        (b"a\r\n", "percent-encoded"),
        (b"a=\\", "percent-encoded"),
        (b"a#b", "percent-encoded"),
        (b"a=%", "two hexadecimal digits"),
        (b"a=%zz", "two hexadecimal digits"),
        (b"a=%ff", "UTF-8"),
        (b"a=%ed%a0%80", "UTF-8"),
        (b"a&" * (targets.MOST_PARAMETERS + 1), "257 parameters; allowed: at most 256"),
    ],
)
def test_a_query_with_more_than_one_reading_is_refused(query: bytes, reason: str) -> None:
    with pytest.raises(BadTarget, match=reason):
        targets.parse(b"/", query)


def test_a_path_may_have_so_many_bytes_and_no_more() -> None:
    longest = b"/" + b"a" * (targets.LONGEST_PATH - 1)
    assert targets.parse(longest).path == longest.decode()
    with pytest.raises(BadTarget, match="at most 4096") as caught:
        targets.parse(longest + b"a")
    assert caught.value.status == 414


def test_a_query_may_have_so_many_bytes_and_no_more() -> None:
    longest = b"a=" + b"a" * (targets.LONGEST_QUERY - 2)
    assert len(targets.parse(b"/", longest).query) == 1
    with pytest.raises(BadTarget, match="at most 8192") as caught:
        targets.parse(b"/", longest + b"a")
    assert caught.value.status == 414


QUERY = (("b", "2"), ("utm_source", "x"), ("a", "1"), ("b", "1"), ("UTM_id", "y"))


@pytest.mark.parametrize(
    ("counted", "ignored", "names"),
    [
        (None, (), ["b", "utm_source", "a", "b", "UTM_id"]),
        (None, ["utm_*"], ["b", "a", "b", "UTM_id"]),
        (None, ["?", "*_id"], ["utm_source"]),
        ({"b"}, (), ["b", "b"]),
        ({"a", "utm_source"}, ["utm_*"], ["a"]),
        ((), (), []),
    ],
)
def test_parameters_count_by_name(
    counted: set[str] | None, ignored: list[str], names: list[str]
) -> None:
    assert [name for name, _ in targets.select(QUERY, counted, ignored)] == names


def test_every_parameter_is_tried_against_each_pattern_of_an_iterator() -> None:
    query = (("x", "1"), ("y", "1"), ("x", "2"))
    assert targets.select(query, ignored=iter(["y", "x"])) == ()


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ((), ""),
        ((("b", "2"), ("a", "1")), "a=1&b=2"),
        ((("b", "2"), ("a", "9"), ("b", "1")), "a=9&b=2&b=1"),
        ((("a", ""),), "a="),
        ((("a b", "1/2?&="),), "a%20b=1%2F2%3F%26%3D"),
        ((("é", "~-._"),), "%C3%A9=~-._"),
    ],
)
def test_a_query_is_written_in_one_way(pairs: targets.Pairs, text: str) -> None:
    assert targets.encoded(pairs) == text


@given(PAIRS)
def test_a_query_is_read_as_it_was_written(pairs: targets.Pairs) -> None:
    text = targets.encoded(pairs)
    assert targets.parse(b"/", text.encode()).query == tuple(
        sorted(pairs, key=lambda pair: pair[0])
    )
    assert targets.encoded(targets.parse(b"/", text.encode()).query) == text


@given(PAIRS)
def test_a_query_is_read_as_the_standard_library_reads_it(pairs: targets.Pairs) -> None:
    text = urlencode(pairs)
    assert list(targets.parse(b"/", text.encode()).query) == parse_qsl(text, keep_blank_values=True)


@given(RAW, RAW)
@example(b"/%%34%31", b"")
def test_a_target_is_refused_or_stays_as_it_is_when_read_again(raw: bytes, query: bytes) -> None:
    try:
        found = targets.parse(raw, query)
    except BadTarget:
        return
    again = targets.parse(found.path.encode(), targets.encoded(found.query).encode())
    assert again.path == found.path
    assert sorted(again.query) == sorted(found.query)
    segments = found.path.split("/")[1:]
    assert "" not in segments[:-1]
    assert not {".", ".."} & set(segments)
