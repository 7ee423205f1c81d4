"""Conditional requests: what a caller gets, what an upstream is asked, what a 304 changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import conditional, dates
from tiercache.http.fields import Fields

NOW = 1_700_000_000.0
DAY = 86_400.0
TAGGED = Fields([("ETag", '"a"'), ("Last-Modified", dates.formatted(NOW - DAY))])
LINES = st.lists(
    st.tuples(
        st.sampled_from(
            ["If-None-Match", "If-Modified-Since", "ETag", "Last-Modified", "Date", "Connection"]
        ),
        st.one_of(
            st.sampled_from(['"a"', 'W/"a"', "*", "a", "etag", dates.formatted(NOW)]), st.text()
        ),
    ),
    max_size=6,
)

DATED = dates.formatted(NOW)


def asking(**fields: str) -> Fields:
    return Fields((name.replace("_", "-"), value) for name, value in fields.items())


def outcome(asked: Fields, answered: Fields = TAGGED) -> str:
    return conditional.evaluate("GET", asked, 200, answered, NOW)


@pytest.mark.parametrize("listed", ['"a"', 'W/"a"', '"x", "a"', "*"])
def test_a_tag_that_the_caller_has_is_not_sent_again(listed: str) -> None:
    assert outcome(asking(if_none_match=listed)) == "not-modified"


@pytest.mark.parametrize("listed", ['"b"', "a", ""])
def test_a_tag_that_the_caller_does_not_have_is_sent(listed: str) -> None:
    assert outcome(asking(if_none_match=listed)) == "send"


def test_several_lines_of_if_none_match_are_one_list() -> None:
    asked = Fields([("If-None-Match", '"x"'), ("If-None-Match", '"a"')])
    assert outcome(asked) == "not-modified"


@pytest.mark.parametrize("listed", ['"b"', "malformed", ""])
def test_if_none_match_counts_and_if_modified_since_does_not(listed: str) -> None:
    asked = asking(if_none_match=listed, if_modified_since=dates.formatted(NOW))
    assert outcome(asked) == "send"


def test_if_none_match_counts_though_if_modified_since_is_too_early() -> None:
    early = dates.formatted(NOW - 9 * DAY)
    assert outcome(asking(if_none_match='"a"', if_modified_since=early)) == "not-modified"


@pytest.mark.parametrize(
    ("since", "expected"), [(-1, "send"), (0, "not-modified"), (1, "not-modified")]
)
@pytest.mark.parametrize(
    ("answered", "received"),
    [
        (
            Fields([("Last-Modified", dates.formatted(NOW)), ("Date", dates.formatted(NOW + DAY))]),
            NOW + 2 * DAY,
        ),
        (Fields([("Date", dates.formatted(NOW))]), NOW + DAY),
        (Fields([("Last-Modified", "yesterday"), ("Date", dates.formatted(NOW))]), NOW + DAY),
        (Fields([("Date", "today")]), NOW),
        (Fields(), NOW),
    ],
    ids=["last-modified", "date", "malformed last-modified", "malformed date", "reception"],
)
def test_if_modified_since_compares_with_the_best_date_there_is(
    since: int, expected: str, answered: Fields, received: float
) -> None:
    asked = asking(if_modified_since=dates.formatted(NOW + since))
    assert conditional.evaluate("GET", asked, 200, answered, received) == expected


@pytest.mark.parametrize("since", ["", "tomorrow", f"{dates.formatted(NOW)}, x"])
def test_an_if_modified_since_that_is_no_date_counts_nothing(since: str) -> None:
    assert outcome(asking(if_modified_since=since)) == "send"


def test_an_if_modified_since_in_the_old_form_counts() -> None:
    answered = Fields([("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")])
    asked = asking(if_modified_since="Sunday, 06-Nov-94 08:49:37 GMT")
    assert outcome(asked, answered) == "not-modified"


@pytest.mark.parametrize("status", [204, 206, 301, 404, 500])
def test_only_a_200_has_conditions(status: int) -> None:
    asked = asking(if_none_match="*")
    assert conditional.evaluate("GET", asked, status, TAGGED, NOW) == "send"


@pytest.mark.parametrize(("method", "expected"), [("HEAD", "not-modified"), ("POST", "send")])
def test_only_get_and_head_have_conditions(method: str, expected: str) -> None:
    assert conditional.evaluate(method, asking(if_none_match="*"), 200, TAGGED, NOW) == expected


@pytest.mark.parametrize(
    ("name", "is_forwarded"),
    [
        ("If-Match", True),
        ("If-Unmodified-Since", True),
        ("If-None-Match", False),
        ("If-Range", False),
    ],
)
def test_conditions_for_the_origin_are_passed_on(name: str, is_forwarded: bool) -> None:
    assert conditional.is_forwarded(Fields([(name, "*")])) is is_forwarded


def test_a_304_has_the_fields_that_guide_caches_and_no_others() -> None:
    kept = [
        ("cache-control", "max-age=1"),
        ("content-location", "/a"),
        ("date", "d"),
        ("etag", '"a"'),
        ("expires", "e"),
        ("vary", "accept"),
        ("access-control-allow-origin", "*"),
    ]
    others = [("content-type", "a/b"), ("content-length", "3"), ("last-modified", "m"), ("x", "y")]
    assert conditional.not_modified_fields(Fields([*others, *kept])) == Fields(kept)


def test_a_304_has_last_modified_where_there_is_no_etag() -> None:
    fields = Fields([("last-modified", "m")])
    assert conditional.not_modified_fields(fields) == fields


def test_an_upstream_is_asked_with_both_validators() -> None:
    modified = TAGGED.get("last-modified") or ""
    expected = asking(if_none_match='"a"', if_modified_since=modified)
    assert conditional.validators(TAGGED) == expected


@pytest.mark.parametrize("tag", ['"a"', 'W/"a"', '"ü"'])
def test_an_upstream_is_asked_for_the_tag_as_it_was(tag: str) -> None:
    assert conditional.validators(Fields([("ETag", tag)])) == asking(if_none_match=tag)


@pytest.mark.parametrize(
    "stored", [Fields(), Fields([("ETag", "a")]), Fields([("ETag", '"a"'), ("ETag", '"b"')])]
)
def test_an_upstream_is_not_asked_without_one_well_formed_validator(stored: Fields) -> None:
    assert conditional.validators(stored) == Fields()


def test_what_is_to_be_stored_is_asked_for_without_conditions_and_range() -> None:
    kept = ("accept", "*/*")
    asked = Fields([kept, *((name, "x") for name in conditional.CONDITIONAL)])
    assert conditional.stripped(asked) == Fields([kept])


@pytest.mark.parametrize(
    ("stored", "fresh", "selects"),
    [
        ([("etag", '"a"')], [("etag", '"a"')], True),
        ([("etag", '"a"')], [("etag", '"b"')], False),
        ([("etag", 'W/"a"')], [("etag", '"a"')], False),
        ([("etag", 'W/"a"')], [("etag", 'W/"a"')], True),
        ([("etag", '"a"')], [("etag", 'W/"a"')], True),
        ([("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], [("etag", '"a"')], False),
        ([], [("etag", '"a"')], False),
    ],
)
def test_a_304_with_a_tag_is_about_what_has_that_tag(
    stored: list[tuple[str, str]], fresh: list[tuple[str, str]], selects: bool
) -> None:
    assert conditional.selects(Fields(stored), Fields(fresh)) is selects


@pytest.mark.parametrize(("seconds", "selects"), [(-DAY, True), (0, False)])
def test_a_304_without_a_tag_is_about_what_was_last_modified_then(
    seconds: float, selects: bool
) -> None:
    fresh = Fields([("last-modified", dates.formatted(NOW + seconds))])
    assert conditional.selects(TAGGED, fresh) is selects


def test_the_tag_of_a_304_counts_before_its_last_modified() -> None:
    fresh = TAGGED.replaced("etag", '"b"')
    assert not conditional.selects(TAGGED, fresh)


@pytest.mark.parametrize("stored", [("age", "3"), ("etag", '"a"'), ("last-modified", DATED)])
def test_a_304_without_validators_is_about_what_was_asked_for(stored: tuple[str, str]) -> None:
    assert conditional.selects(Fields([stored]), Fields())


@pytest.mark.parametrize(
    "name",
    ["cache-control", "content-type", "content-foo", "etag", "expires", "set-cookie", "x-frame"],
)
def test_a_304_updates_a_field(name: str) -> None:
    merged = conditional.merged(Fields([(name, "old")]), Fields([(name, "new")]))
    assert merged.lines(name) == ("new",)


@pytest.mark.parametrize("name", ["content-length", "content-encoding", "content-range"])
def test_a_304_does_not_update_what_describes_the_stored_content(name: str) -> None:
    stored = Fields([(name, "old")])
    assert conditional.merged(stored, Fields([(name, "new")])) == stored


@pytest.mark.parametrize("name", ["connection", "keep-alive", "proxy-authenticate", "upgrade"])
def test_a_304_does_not_bring_fields_of_its_connection(name: str) -> None:
    assert name not in conditional.merged(Fields(), Fields([(name, "new")]))


def test_a_304_does_not_bring_what_its_connection_names() -> None:
    fresh = Fields([("connection", "x-own"), ("x-own", "new")])
    assert conditional.merged(Fields([("x-own", "old")]), fresh).lines("x-own") == ("old",)


def test_a_304_leaves_what_it_does_not_have() -> None:
    stored = Fields([("x-test", "a"), ("link", "1"), ("link", "2")])
    assert conditional.merged(stored, Fields([("date", "d")])) == Fields([*stored, ("date", "d")])


def test_all_lines_of_a_304_take_the_place_of_all_that_were_stored() -> None:
    stored = Fields([("link", "1"), ("link", "2")])
    fresh = Fields([("link", "3"), ("link", "4"), ("link", "5")])
    assert conditional.merged(stored, fresh).lines("link") == ("3", "4", "5")


def test_the_age_and_the_date_of_the_earlier_transfer_are_gone() -> None:
    stored = Fields([("age", "300"), ("date", "old"), ("x", "y")])
    assert conditional.merged(stored, Fields()) == Fields([("x", "y")])
    assert conditional.merged(stored, Fields([("date", "new")])).get("date") == "new"


@given(st.text(), LINES, st.integers(), LINES)
def test_no_fields_make_the_decisions_raise(
    method: str, asked: list[tuple[str, str]], status: int, answered: list[tuple[str, str]]
) -> None:
    request, response = Fields(asked), Fields(answered)
    for one_method, one_status in ((method, status), ("GET", 200)):
        found = conditional.evaluate(one_method, request, one_status, response, NOW)
        assert found in ("send", "not-modified")
    conditional.validators(response)
    conditional.selects(response, request)
    merged = conditional.merged(response, request)
    assert conditional.merged(merged, request) == merged


@given(LINES)
def test_what_an_upstream_is_asked_with_is_current_for_what_is_stored(
    answered: list[tuple[str, str]],
) -> None:
    stored = Fields(answered)
    validators = conditional.validators(stored)
    if "if-none-match" in validators:
        assert outcome(validators, stored) == "not-modified"
