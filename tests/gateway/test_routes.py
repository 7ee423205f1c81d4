"""The table of routes: what is asked of the upstream, and under which key it is kept."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from gateway_project.problems import ProblemError
from gateway_project.routes import ROUTES, Route, SymbolConverter

SERIES = Route("series", "", "/symbols/{symbol}/series", timeout=1, parameters=("from", "to"))
APPLE = {"symbol": "AAPL"}


def test_the_order_of_query_parameters_does_not_make_two_keys():
    one = SERIES.target(APPLE, QueryDict("to=2013-01-02&from=2013-01-01"))
    other = SERIES.target(APPLE, QueryDict("from=2013-01-01&to=2013-01-02"))

    assert one == other == "/symbols/AAPL/series?from=2013-01-01&to=2013-01-02"
    assert SERIES.key(one) == "api:v1:/symbols/AAPL/series?from=2013-01-01&to=2013-01-02"


def test_without_parameters_the_target_is_the_path():
    assert SERIES.target(APPLE, QueryDict("")) == "/symbols/AAPL/series"


def test_no_text_of_a_caller_leaves_its_place_in_the_target():
    assert SERIES.target(APPLE, QueryDict("from=1%26to=2%0d%0aX: y")) == (
        "/symbols/AAPL/series?from=1%26to%3D2%0D%0AX%3A+y"
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("form=2013-01-01", "Unknown query parameter 'form'; allowed are from, to."),
        ("from=1&from=2", "from is given twice"),
        (f"to={'1' * 33}", "to is longer than 32 characters"),
    ],
)
def test_other_parameters_are_refused(query: str, said: str):
    with pytest.raises(ProblemError, match=said) as caught:
        SERIES.target(APPLE, QueryDict(query))

    assert caught.value.status == 400


def test_the_longest_possible_key_is_one_that_every_cache_takes():
    captures = {"symbol": "A" * 12, "day": "1" * 32}
    for route in ROUTES:
        query = "&".join(f"{name}={'%0A' * 32}" for name in route.parameters)
        key = route.key(route.target(captures, QueryDict(query)))
        assert len(key) < 250 - len(":gateway:1:"), route.name
        assert key.isascii()
        assert key.isprintable()


def test_letters_of_a_symbol_count_as_capitals():
    assert SymbolConverter().to_python("brk.b") == "BRK.B"
    assert SymbolConverter().to_url("BRK.B") == "BRK.B"
