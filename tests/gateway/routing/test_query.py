"""Query parameters: those that count, those that are dropped, those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.routing.query import Pairs, QueryRules, RefusedQuery

IGNORED = ("utm_*", "gclid")
STRICT = QueryRules(names=("from", "to"), ignored=IGNORED, longest=4)
ANY = QueryRules(ignored=IGNORED)
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))).map(tuple)


def test_those_that_count_come_in_one_order():
    assert STRICT.counted((("to", "2"), ("from", "1"))) == (("from", "1"), ("to", "2"))


@given(PAIRS)
def test_values_of_one_name_keep_their_order(pairs: Pairs):
    counted = ANY.counted(pairs)

    for name in "abc":
        assert [one for one in counted if one[0] == name] == [p for p in pairs if p[0] == name]


@pytest.mark.parametrize("rules", [STRICT, ANY])
def test_ignored_ones_are_dropped(rules: QueryRules):
    assert rules.counted((("utm_source", "long enough"), ("gclid", ""))) == ()


def test_a_name_that_counts_is_not_ignored():
    assert QueryRules(names=("utm_id",), ignored=IGNORED).counted((("utm_id", "1"),))


def test_case_makes_another_name():
    with pytest.raises(RefusedQuery):
        STRICT.counted((("From", "1"),))


@pytest.mark.parametrize(
    ("rules", "said", "allowed"),
    [
        (STRICT, "Unknown query parameter 'form'; allowed are from, to.", ("from", "to")),
        (QueryRules(names=()), "Unknown query parameter 'form'; none is allowed here.", ()),
    ],
)
def test_an_unknown_one_is_refused(rules: QueryRules, said: str, allowed: tuple[str, ...]):
    with pytest.raises(RefusedQuery) as caught:
        rules.counted((("form", "1"),))

    assert str(caught.value) == said
    assert (caught.value.parameter, caught.value.allowed) == ("form", allowed)


def test_an_unknown_one_can_be_dropped():
    rules = QueryRules(names=("a",), unknown="drop")

    assert rules.counted((("b", "1"), ("a", "2"))) == (("a", "2"),)


def test_a_long_value_is_refused():
    with pytest.raises(RefusedQuery, match="to is longer than 4 characters") as caught:
        STRICT.counted((("to", "12345"),))

    assert caught.value.parameter == "to"
