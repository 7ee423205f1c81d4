"""The table: which route a request has, and what it makes of the captures."""

from __future__ import annotations

import pytest

from gateway_project.routing.table import Matched, NoRoute, WrongMethod
from tests.gateway.routing.support import route, table

SYMBOLS = {"path": "/symbols/{symbol|upper}/series", "target": "/v2/{symbol}"}


def name_of(found: object) -> str:
    assert isinstance(found, Matched), found
    return found.route.name


def test_the_first_match_of_the_file_wins():
    made = table({"path": "/a/{x}"}, {"path": "/{x}/{y}"}, {"path": "/{rest*}"})

    assert name_of(made.match("/a/b", "GET")) == "r0"
    assert name_of(made.match("/b/b", "GET")) == "r1"
    assert name_of(made.match("/b", "GET")) == "r2"


def test_a_wide_route_before_a_narrow_one_wins():
    made = table({"path": "/{x}", "methods": ["GET"]}, {"path": "/a"})

    assert name_of(made.match("/a", "GET")) == "r0"
    assert name_of(made.match("/a", "HEAD")) == "r1"


def test_every_one_of_many_routes_is_found():
    made = table(*({"path": f"/p{number}/{{x}}/end"} for number in range(300)))

    for number in (0, 150, 299):
        assert name_of(made.match(f"/p{number}/a/end", "GET")) == f"r{number}"


def test_a_request_is_compared_with_few_of_many_routes():
    made = table(*({"path": f"/p{number}/{{x}}/end"} for number in range(300)))

    assert len(list(made._candidates(("p7", "a", "end")))) == 1


def test_another_method_gets_those_that_are_allowed():
    made = table({"path": "/a", "methods": ["POST"]}, {"path": "/{x}"})

    assert made.match("/a", "PUT") == WrongMethod(("GET", "HEAD", "POST"))


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/api/symbol", "/api/symbols"),
        ("/api/symbols/A/serie", "/api/symbols/{symbol}/series"),
        ("/nothing/like/it", None),
        ("/" + "a" * 4000, None),
    ],
)
def test_an_unknown_path_gets_the_nearest(path: str, nearest: str | None):
    made = table(
        {"path": "/api/symbols"},
        {"path": "/api/symbols/{symbol:[A-Za-z]{1,12}}/series"},
        {"path": "/api/symbols/{symbol}/days/{day}"},
    )

    assert made.match(path, "GET") == NoRoute(nearest)


def test_a_change_of_a_capture_is_in_the_target_the_key_and_the_tags():
    one = route(**SYMBOLS, tags=["symbol:{symbol}", "all"])
    captures = one.match("/symbols/aapl/series")

    assert captures == {"symbol": "AAPL"}
    assert one.target(captures) == "/v2/AAPL"
    assert one.key_path(captures) == "r0:/v2/AAPL"
    assert one.tags(captures) == ("symbol:AAPL", "all")


def test_two_routes_to_one_target_share_no_key():
    made = table({"path": "/a", "target": "/x"}, {"path": "/b", "target": "/x"})
    one, other = made.routes

    assert one.target({}) == other.target({})
    assert one.key_path({}) != other.key_path({})


def test_without_a_target_the_path_is_asked_for():
    one = route(path="/a/{x|upper:[a-z]+}/{rest*}")

    assert one.target(one.match("/a/b/c/d")) == "/a/B/c/d"


def test_a_route_is_found_by_its_name():
    made = table({"path": "/a"}, {"path": "/b"})

    assert made.route("r1") is made.routes[1]
    assert made.route("r2") is None
