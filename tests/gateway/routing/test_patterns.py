"""Path patterns: what they match, what they capture, and which of them cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.routing.parsing import BadPattern, pattern, target, template
from gateway_project.routing.patterns import split


@pytest.mark.parametrize(
    ("source", "path", "captures"),
    [
        ("/", "/", {}),
        ("/a/b", "/a/b", {}),
        ("/a/b/", "/a/b/", {}),
        ("/a/{x}", "/a/b", {"x": "b"}),
        ("/a/{x}", "/a/b%20c", {"x": "b%20c"}),
        ("/{x}/{y}", "/a/b", {"x": "a", "y": "b"}),
        ("/v{n}.json", "/v12.json", {"n": "12"}),
        ("/{d:[0-9]{4}-[0-9]{2}}", "/2013-03", {"d": "2013-03"}),
        ("/{d:a|b}", "/b", {"d": "b"}),
        ("/{x|upper}", "/aapl", {"x": "AAPL"}),
        ("/{x|lower}", "/A%C3%89", {"x": "a%C3%89"}),
        ("/{x|upper:[a-z]+}", "/ab", {"x": "AB"}),
        ("/a/{rest*}", "/a/b/c/", {"rest": "b/c/"}),
        ("/{rest*}", "/a", {"rest": "a"}),
    ],
)
def test_what_is_matched(source: str, path: str, captures: dict[str, str]):
    assert pattern(source).match(split(path)) == captures


@pytest.mark.parametrize(
    ("source", "path", "why"),
    [
        ("/a/b", "/a/c", "segment 2 is 'c', not 'b'"),
        ("/a/b", "/a/b/", "it has 3 segments, not 2"),
        ("/a/{x}", "/a/", "segment 2 is '', not '{x}'"),
        ("/a/{x}", "/a/b/c", "it has 3 segments, not 2"),
        ("/{x:[a-z]+}", "/a1", "segment 1 is 'a1', not '{x:[a-z]+}'"),
        ("/{x:.+}/b", "/a/c/b", "segment 2 is 'c', not 'b'"),
        ("/{x:a+}", "/a\n", r"segment 1 is 'a\\n'"),
        ("/a/{rest*}", "/a", "nothing is left for {rest*}"),
        ("/a/{rest*}", "/a/", "nothing is left for {rest*}"),
        ("/v{x}", "/v..", "a capture would be a dot segment"),
        ("/v{x}", "/v..;a", "a capture would be a dot segment"),
    ],
)
def test_what_is_not_matched_and_why(source: str, path: str, why: str):
    assert pattern(source).match(split(path)) is None
    assert (pattern(source).mismatch(split(path)) or "").startswith(why.replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "must begin with a slash, not ''"),
        ("a/b", "must begin with a slash"),
        ("{x}", "must begin with a slash"),
        ("/a//b", "cannot have empty segments"),
        ("/a/../b", "dot segments"),
        ("/a b", "must be a normalised path"),
        ("/é", "must be a normalised path"),
        ("/a?b", "must be a normalised path"),
        ("/%41", "'%41' is not"),
        ("/%7e", "'%7e' is not"),
        ("/{x", "must pair its braces"),
        ("/x}", "must pair its braces"),
        ("/{X}", "must name captures in small letters"),
        ("/{}", "must name captures in small letters"),
        ("/{x}/{x}", "must capture each name once, not 'x' twice"),
        ("/{x|title}", "must change captures by one of upper, lower, not 'title'"),
        ("/{x*}/a", "can have {x*} only as its end"),
        ("/a{x*}", "can have {x*} only as its end, behind a slash"),
        ("/{x*:a}", "cannot give {x*}"),
        ("/{x:a/b}", "cannot have a slash"),
        ("/{x:.*}", "cannot let {x} be empty"),
        ("/{x:(}", "must have regular expressions; '(' is none"),
        ("/{x:[[a]}", "must have regular expressions"),
        ("/{x:a{99999999999}}", "must have regular expressions"),
    ],
)
def test_a_pattern_that_cannot_be_says_why(source: str, said: str):
    with pytest.raises(BadPattern) as caught:
        pattern(source)

    assert said in str(caught.value)


@given(st.text(alphabet="/{}ab*|:.[(+\\%2é\n", max_size=12))
def test_any_text_is_a_pattern_or_says_why_not(source: str):
    try:
        made = pattern(source)
    except BadPattern:
        return
    assert made.template.count("{") == len(made.names)


PATTERNS = st.lists(
    st.sampled_from(["a", "b", "{x}", "{y:[ab]}", "c{z}"]), min_size=1, max_size=3, unique=True
).map(lambda parts: "/" + "/".join(parts))
TAILED = st.tuples(PATTERNS, st.sampled_from(["", "/", "/{rest*}"])).map("".join)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "ca", ".", ""]), min_size=1, max_size=4).map(tuple)


@given(TAILED, PATHS)
def test_a_path_is_matched_or_there_is_a_reason(source: str, parts: tuple[str, ...]):
    made = pattern(source)

    assert (made.match(parts) is None) == (made.mismatch(parts) is not None)


@given(TAILED, TAILED, PATHS)
def test_what_a_covered_pattern_matches_its_cover_matches(
    one: str, other: str, parts: tuple[str, ...]
):
    wide, narrow = pattern(one), pattern(other)

    if wide.covers(narrow) and narrow.match(parts) is not None:
        assert wide.match(parts) is not None


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("/a", "/a", True),
        ("/{x}", "/a", True),
        ("/a", "/{x}", False),
        ("/{x}", "/{y}", True),
        ("/{x:[a-z]}", "/{y:[a-z]}", True),
        ("/{x:[a-z]}", "/{y:[0-9]}", False),
        ("/{x:[a-z]}", "/q", True),
        ("/{x:[a-z]}", "/7", False),
        ("/{x}", "/a/b", False),
        ("/{x}", "/", False),
        ("/{rest*}", "/a/{x}", True),
        ("/{rest*}", "/{other*}", True),
        ("/a/{rest*}", "/a/", False),
        ("/a/{rest*}", "/a", False),
        ("/a/{rest*}", "/{other*}", False),
    ],
)
def test_which_pattern_leaves_nothing_to_which(one: str, other: str, *, covers: bool):
    assert pattern(one).covers(pattern(other)) is covers


def test_a_template_has_its_captures_put_in():
    assert template("symbol:{x}-{y}", ("x", "y")).filled({"x": "A", "y": "B"}) == "symbol:A-B"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/{nix}", "must name captures of the path (x), not 'nix'"),
        ("/{x|upper}", "must name captures of the path (x), not 'x|upper'"),
        ("/{x", "must pair its braces"),
        ("x", "must begin with a slash"),
        ("/{x}?a=b", "must be a normalised path"),
        ("/../{x}", "dot segments"),
    ],
)
def test_a_target_that_cannot_be_says_why(source: str, said: str):
    with pytest.raises(BadPattern) as caught:
        target(source, ("x",))

    assert said in str(caught.value)
