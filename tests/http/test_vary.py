"""Secondary keys: which requests get the same of several responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import vary
from tiercache.http.fields import Fields

NAMES = st.lists(st.sampled_from(["accept-encoding", "accept-language", "foo", "bar", "a:b"]))
VALUES = st.one_of(
    st.none(),
    st.text(),
    st.text(st.sampled_from('gzip,br;q=0.1 "*x-\\[]')),
    st.lists(st.sampled_from(["gzip", "br;q=0", "*", "identity;q=0", "en", "de;q=0.5"])).map(
        ", ".join
    ),
)
REQUESTS = st.fixed_dictionaries(
    dict.fromkeys(("accept-encoding", "accept-language", "foo", "bar", "other"), VALUES)
)


def asking(values: dict[str, str | None]) -> Fields:
    return Fields((name, value) for name, value in values.items() if value is not None)


def key(names: str, *lines: tuple[str, str]) -> str:
    return vary.key(names.split(), Fields(lines))


def test_what_does_not_vary_has_no_secondary_key() -> None:
    assert key("", ("foo", "1")) == ""


def test_requests_with_the_same_values_have_the_same_key() -> None:
    assert key("foo", ("Foo", "1")) == key("foo", ("foo", "1"))


@pytest.mark.parametrize(
    "lines", [[("foo", "2")], [("foo", "")], [], [("bar", "1")], [("foo", "1"), ("foo", "1")]]
)
def test_requests_with_other_values_have_other_keys(lines: list[tuple[str, str]]) -> None:
    assert key("foo", ("foo", "1")) != key("foo", *lines)


def test_an_absent_field_is_not_an_empty_one() -> None:
    assert key("foo") != key("foo", ("foo", ""))


def test_a_field_that_is_absent_in_both_is_the_same() -> None:
    assert key("foo bar", ("foo", "1")) == key("foo bar", ("foo", "1"), ("other", "2"))


def test_nothing_else_of_the_request_enters() -> None:
    plain = key("foo", ("foo", "1"))
    assert plain == key("foo", ("foo", "1"), ("x-forwarded-host", "evil"), ("accept", "a/b"))


def test_case_order_and_repetition_of_the_names_do_not_matter() -> None:
    lines = [("foo", "1"), ("bar", "2")]
    assert key("Foo BAR foo", *lines) == key("bar foo", *lines)


def test_a_star_among_the_names_does_not_count() -> None:
    assert key("* foo", ("foo", "1"), ("*", "2")) == key("foo", ("foo", "1"))
    assert key("*") == ""


def test_another_vary_gives_another_key() -> None:
    assert key("foo", ("foo", "1")) != key("foo bar", ("foo", "1"))


def test_values_do_not_flow_from_one_name_to_the_next() -> None:
    first = [("bar", '1"], ["foo", "2'), ("foo", "")]
    second = [("bar", "1"), ("foo", '2"], ["foo", "')]
    assert key("foo bar", *first) != key("foo bar", *second)


@pytest.mark.parametrize(
    ("one", "other"), [("1,2", " 1, 2 "), ("1, 2", "1 ,,2,"), ('"a, b",c', '"a, b" , c')]
)
def test_white_space_around_commas_does_not_matter(one: str, other: str) -> None:
    assert key("foo", ("foo", one)) == key("foo", ("foo", other))


def test_white_space_in_quotes_matters() -> None:
    assert key("foo", ("foo", '"a,b"')) != key("foo", ("foo", '"a, b"'))


def test_two_lines_are_one_list() -> None:
    assert key("foo", ("foo", "1"), ("foo", "2")) == key("foo", ("foo", "1, 2"))


@pytest.mark.parametrize("other", ["eN, De", " en ,   de"])
def test_languages_do_not_differ_by_case_and_white_space(other: str) -> None:
    one = key("accept-language", ("accept-language", "en, de"))
    assert one == key("accept-language", ("accept-language", other))


def test_the_order_of_languages_matters() -> None:
    assert vary.languages("de, en") != vary.languages("en, de")


@pytest.mark.parametrize(
    ("value", "reduced"),
    [
        ("gzip, deflate, br, zstd", "br, gzip, zstd"),
        ("zstd;q=0.1, BR ; Q=1.0, gzip;q=0.000", "br, zstd"),
        ("x-gzip", "gzip"),
        ("*", "br, gzip, zstd"),
        ("*;q=0.5, br;q=0", "gzip, zstd"),
        ("deflate", "identity"),
        ("identity", "identity"),
        ("", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip, identity;q=0", "gzip, identity;q=0"),
        ("gzip, *;q=0", "gzip, identity;q=0"),
        ("identity;q=0.5, *;q=0", "identity"),
        ("*;q=0", "identity;q=0"),
        ("gzip;q=2, br;level=3, zstd;q=", "identity"),
        ("gzip;q=0, gzip", "gzip"),
    ],
)
def test_codings_are_reduced_to_those_that_are_accepted(value: str, reduced: str) -> None:
    assert vary.codings(value) == reduced


def test_an_upstream_sees_what_the_key_knows() -> None:
    asked = Fields([("accept-encoding", "deflate, gzip"), ("foo", "1 , 2")])
    assert vary.sent(asked) == Fields([("foo", "1 , 2"), ("accept-encoding", "gzip")])


def test_an_upstream_is_not_told_codings_that_the_caller_did_not_tell() -> None:
    assert vary.sent(Fields()) == Fields()


def test_a_route_may_normalise_a_field_in_its_own_way() -> None:
    own = {"foo": str.upper}
    one, other = Fields([("foo", "a")]), Fields([("foo", "A")])
    assert vary.key(["foo"], one, own) == vary.key(["foo"], other, own)
    assert vary.key(["foo"], one) != vary.key(["foo"], other)


@given(st.one_of(st.text(), st.text(st.sampled_from('gzipbr*identy;q=01.,x- "\\\t'))))
def test_normalising_again_changes_nothing(value: str) -> None:
    for normalise in (vary.folded, vary.languages, vary.codings):
        assert normalise(normalise(value)) == normalise(value)


@given(NAMES, REQUESTS, REQUESTS)
def test_keys_are_equal_if_and_only_if_the_normalised_values_are(
    names: list[str], one: dict[str, str | None], other: dict[str, str | None]
) -> None:
    first, second = asking(one), asking(other)

    def normalised(fields: Fields) -> dict[str, str | None]:
        told = {name: vary.sent(fields).get(name) for name in names}
        return {name: None if value is None else vary.folded(value) for name, value in told.items()}

    is_same = normalised(first) == normalised(second)
    assert (vary.key(names, first) == vary.key(names, second)) is is_same
    assert vary.key(names, vary.sent(first)) == vary.key(names, first)


@given(NAMES, NAMES, REQUESTS)
def test_keys_of_different_names_differ(
    one: list[str], other: list[str], values: dict[str, str | None]
) -> None:
    asked = asking(values)
    assert (vary.key(one, asked) == vary.key(other, asked)) is (set(one) == set(other))
