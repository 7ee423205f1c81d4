"""Header fields as values: order and repeated lines are kept, and lists are split at commas."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.http.strategies import FIELDS
from tiercache.http.fields import Fields, is_token, members


def test_names_are_compared_in_any_case():
    fields = Fields([("Content-TYPE", "text/html")])

    assert fields.get("content-type") == "text/html"
    assert "content-type" in fields


def test_white_space_around_a_value_does_not_belong_to_it():
    assert Fields([("a", " \t1 2\t ")]).get("a") == "1 2"


def test_a_field_that_is_absent_has_no_value_and_no_members():
    fields = Fields([("a", "1")])

    assert (fields.get("b"), fields.lines("b"), fields.members("b")) == (None, (), ())


def test_lines_of_one_name_are_joined_by_commas_and_can_be_had_one_by_one():
    fields = Fields([("a", "1"), ("b", "2"), ("A", "3")])

    assert fields.get("a") == "1, 3"
    assert fields.lines("a") == ("1", "3")


def test_members_are_those_of_all_lines():
    assert Fields([("a", "1,2"), ("a", " 3")]).members("a") == ("1", "2", "3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ,\t,", []),
        ("a", ["a"]),
        ("a ,b,, c ", ["a", "b", "c"]),
        ('a="1, 2", b', ['a="1, 2"', "b"]),
        (r'a="\", \\", b', [r'a="\", \\"', "b"]),
        ('a="1, 2', ['a="1, 2']),
        (r"a\, b", ["a\\", "b"]),
    ],
)
def test_commas_separate_members_except_in_quoted_strings(text: str, expected: list[str]):
    assert list(members(text)) == expected


def test_a_replaced_field_has_the_new_lines_alone_and_the_rest_stays_in_order():
    fields = Fields([("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")])

    assert list(fields.replaced("a", "5", "6")) == [("b", "2"), ("c", "4"), ("a", "5"), ("a", "6")]


def test_a_field_replaced_by_nothing_is_gone():
    assert list(Fields([("a", "1"), ("b", "2")]).replaced("a")) == [("b", "2")]


def test_fields_can_be_left_out_or_picked_by_their_names():
    fields = Fields([("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")])

    assert list(fields.without({"a"})) == [("b", "2"), ("c", "4")]
    assert list(fields.only({"a", "c"})) == [("a", "1"), ("a", "3"), ("c", "4")]


def test_no_method_changes_the_fields_it_is_asked_of():
    fields = Fields([("a", "1"), ("b", "2")])

    fields.replaced("a", "3"), fields.without({"a"}), fields.only({"a"})

    assert list(fields) == [("a", "1"), ("b", "2")]


def test_fields_are_equal_if_their_lines_are_and_in_the_same_order():
    fields = Fields([("A", "1"), ("b", "2")])

    assert fields == Fields([("a", "1"), ("B", " 2")])
    assert hash(fields) == hash(Fields([("a", "1"), ("B", " 2")]))
    assert fields != Fields([("b", "2"), ("a", "1")])
    assert fields != [("a", "1"), ("b", "2")]


def test_the_number_of_fields_is_that_of_their_lines():
    assert len(Fields([("a", "1"), ("a", "2"), ("b", "3")])) == 3


def test_bytes_become_texts_of_one_character_each():
    fields = Fields.decoded([(b"X-Name", b"caf\xe9")])

    assert fields.get("x-name") == "caf\xe9"
    assert fields.encoded() == [(b"x-name", b"caf\xe9")]


@settings(deadline=None)
@given(fields=FIELDS)
def test_fields_sent_as_bytes_come_back_as_they_were(fields: Fields):
    assert Fields.decoded(fields.encoded()) == fields


@pytest.mark.parametrize("text", ["GET", "x-name", "!#$%&'*+-.^_`|~09"])
def test_a_text_of_token_characters_is_a_token(text: str):
    assert is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a:", "a\n", "caf\xe9", '"a"', "a,b", "(a)"])
def test_any_other_text_is_no_token(text: str):
    assert not is_token(text)
