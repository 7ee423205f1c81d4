"""The routes file: what it says, and every mistake of it at once, with its line."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.callers.limits import Rate
from gateway_project.routing import options
from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.reading import load, read
from gateway_project.routing.table import DEFAULT_PASS_HEADERS, PoolEntry, Route
from tests.gateway.routing.support import POOL, mistakes, route, routes, table, toml
from tiercache.http.rules import Rules

ROUTES = Path(options.__file__).parents[1] / "routes.toml"


def test_the_project_s_own_file_is_right(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_UPSTREAMS", "http://a:1/, http://b:2")
    made = load(ROUTES)

    assert [one.name for one in made.routes] == ["symbols", "series", "day", "summary", "movers"]
    assert made.pools["prices"].servers == ("http://a:1", "http://b:2")
    assert made.pools["prices"].variable == "GATEWAY_UPSTREAMS"
    assert all(one.rules.stale_if_error == 86_400 for one in made.routes)


def test_the_example_in_the_project_s_file_is_right():
    source, _, example = ROUTES.read_text().partition("# All that else there is:\n")
    shown = "\n".join(line.removeprefix("# ") for line in example.splitlines())

    assert [one.name for one in read(source + shown).routes[-1:]] == ["orders"]
    assert set(options.ROUTE) == {
        name for name in options.ROUTE if re.search(rf"^{name} =", source + shown, re.MULTILINE)
    }


def test_what_is_not_said_has_its_default():
    one = route()

    assert one.methods == {"GET", "HEAD"}
    assert one.rules == Rules()
    assert one.pass_headers == DEFAULT_PASS_HEADERS
    assert one.query.names is None


def test_a_variable_that_is_not_set_names_no_servers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("A_VARIABLE", raising=False)

    made = read(routes({"path": "/"}).replace('["http://127.0.0.1:9001"]', '"$A_VARIABLE"'))

    assert made.pools["main"] == PoolEntry("main", (), (), "A_VARIABLE")


@pytest.mark.parametrize(
    ("given_", "field", "value"),
    [
        ({"methods": ["POST"]}, "methods", frozenset({"POST"})),
        ({"lifetime": 5}, "rules", Rules(lifetime=5.0)),
        ({"stale_while_revalidate": 5}, "rules", Rules(stale_while_revalidate=5.0)),
        ({"statuses": [200, 404]}, "rules", Rules(statuses=frozenset({200, 404}))),
        ({"store_anyway": ["private"]}, "rules", Rules(store_anyway=frozenset({"private"}))),
        ({"obey_callers": True}, "rules", Rules(obey_callers=True)),
        ({"vary": ["X-B", "accept"]}, "vary", ("accept", "x-b")),
        ({"pass_headers": ["X-A"]}, "pass_headers", frozenset({"x-a"})),
        ({"budget": 2}, "budget", 2.0),
        ({"largest_request": 10}, "largest_request", 10),
        ({"largest_request": "1 MiB"}, "largest_request", 1048576),
        ({"largest_stored": "0.5KiB"}, "largest_stored", 512),
        ({"requires_key": True}, "requires_key", True),
        ({"rate": "100/60s"}, "rate", Rate(100, 60.0)),
        ({"tenant": "key"}, "tenant", "key"),
    ],
)
def test_what_an_option_means(given_: dict[str, Any], field: str, value: Any):
    assert getattr(route(**given_), field) == value
    assert getattr(table({"path": "/"}, defaults=given_).routes[0], field) == value


def test_a_route_s_own_option_counts_more_than_the_default():
    one = table({"path": "/", "lifetime": 1}, defaults={"lifetime": 2, "keep": 3}).routes[0]

    assert (one.rules.lifetime, one.rules.keep) == (1.0, 3.0)


def test_pools_have_the_options_that_the_file_gives():
    source = POOL + 'policy = "spread"\ntimeout = 3\n[[routes]]\nname="r"\npath="/"\npool="main"'

    assert read(source).pools["main"].options == (("policy", "spread"), ("timeout", 3.0))


def test_a_file_of_certificates_is_looked_for_beside_the_routes(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("")
    file = tmp_path / "routes.toml"
    file.write_text(routes({"path": "/"}).replace("[defaults]", 'trust = "ca.pem"\n[defaults]'))

    assert load(file).pools["main"].options == (("trust", tmp_path / "ca.pem"),)


MANY = """
colour = 1
[pools.main]
servers = ["localhost:1"]
timout = 3
back_off = 5
back_off_most = 1
http1 = false
http2 = false
trust = "nope.pem"
[pools.Other]
servers = "$1"
[pools.none]
[defaults]
lifetime = "soon"
pool = "mian"
[[routes]]
name = "a"
path = "/a/{x}"
tags = ["x:{nix}"]
[[routes]] # the text has a brace: {
name = "a"
path = "/a/{y}"
"lifetme" = 3
rate = "fast"
largest_stored = '''
1 MB'''
methods = [
    "get",
]
[[routes]]
name = "c"
path = "x"
target = "y"
"""


def test_all_mistakes_are_told_at_once_with_their_lines():
    told = [
        (line, re.split(" must be| must begin| Known are", said)[0])
        for line, said in mistakes(MANY)
    ]

    assert told == [
        (2, "unknown option 'colour'."),
        (4, "pool 'main': servers"),
        (5, "pool 'main': unknown option 'timout'. Did you mean 'timeout'?"),
        (7, "pool 'main': back_off_most"),
        (8, "pool 'main': http1 and http2 cannot both be false"),
        (10, "pool 'main': trust"),
        (11, "pool 'Other': its name"),
        (12, "pool 'Other': servers"),
        (13, "pool 'none': must have servers"),
        (15, "defaults: lifetime"),
        (16, "defaults: pool"),
        (20, "route 'a': tags must name captures of the path (x), not 'nix'"),
        (22, "route 'a': another route has this name already"),
        (23, "route 'a': can never be reached: 'a' before it takes all that it could"),
        (24, "route 'a': unknown option 'lifetme'. Did you mean 'lifetime'?"),
        (25, "route 'a': rate"),
        (26, "route 'a': largest_stored"),
        (28, "route 'a': methods"),
        (33, "route 'c': path"),
    ]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("a = [\n 1,\n", 1, "is not TOML: "),
        ("a = 1\nb = = 1", 2, "is not TOML: "),
        ("[[routes]]\n[routes]\n", 2, "is not TOML: "),
        (f"a = {'1' * 5000}", 1, "is not TOML: "),
        (f"a = {'[' * 100_000}", 1, "is not TOML: "),
        ("", 1, "there must be a pool: a table such as [pools.main]"),
        (POOL, 1, "there must be routes: tables under [[routes]]"),
        ("pools = 1", 1, "pools: must be a table of options"),
        ("\npools = {main = 1}", 2, "pool 'main': must be a table of options"),
        (f"routes = [\n1]\n{POOL}", 1, "route number 1: must be a table of options"),
        (f"{POOL}[[routes]]\npath = '/'", 3, "route number 1: must have a name and a pool"),
        (f"{POOL}[defaults]\npath = '/'", 4, "defaults: unknown option 'path'."),
    ],
)
def test_a_file_that_is_wrong_altogether(source: str, line: int, said: str):
    assert any(at == line and text.startswith(said) for at, text in mistakes(source)), mistakes(
        source
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lifetime", -1),
        ("lifetime", float("nan")),
        ("lifetime", float("inf")),
        ("lifetime", True),
        ("lifetime", 10**400),
        ("budget", 0),
        ("statuses", [206]),
        ("statuses", [200, 200]),
        ("statuses", [100]),
        ("statuses", ["200"]),
        ("store_anyway", ["status"]),
        ("methods", []),
        ("methods", ["CONNECT"]),
        ("vary", ["a b"]),
        ("query", "from"),
        ("query", [""]),
        ("unknown_query", "keep"),
        ("largest_stored", 0),
        ("largest_stored", "1 parsec"),
        ("largest_stored", "-1 MiB"),
        ("rate", "100"),
        ("tenant", "user"),
        ("requires_key", 1),
        ("tags", ["{x}"]),
        ("pool", "Main"),
        ("path", "/é"),
        ("name", "A b"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_option(name: str, value: Any):
    told = mistakes(routes({"path": "/", name: value}))

    assert len(told) == 1, told
    assert f": {name} must " in told[0][1]


@pytest.mark.parametrize(
    "address", ["localhost:80", "ftp://a", "http://", "http://a?b", "http://a\tb", "http://a b", ""]
)
def test_a_server_is_the_address_of_one(address: str):
    told = mistakes(routes({"path": "/"}).replace('"http://127.0.0.1:9001"', toml(address)))

    assert [line for line, _ in told] == [2]
    assert "servers must be a list of addresses" in told[0][1]


def test_a_variable_with_a_bad_address_is_a_mistake(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_VARIABLE", "localhost:80")
    told = mistakes(routes({"path": "/"}).replace('["http://127.0.0.1:9001"]', '"$A_VARIABLE"'))

    assert "A_VARIABLE must list addresses such as http://127.0.0.1:9001" in told[0][1]


def test_the_file_and_the_line_begin_each_line_of_the_message():
    with pytest.raises(BadRoutes) as caught:
        read(MANY, "/etc/gateway/routes.toml")

    lines = str(caught.value).splitlines()
    assert lines[0].startswith("/etc/gateway/routes.toml:2: unknown option 'colour'. Known are")
    assert len(lines) == len(caught.value.mistakes)


def test_a_mistake_of_the_defaults_is_told_once():
    told = mistakes(routes({"path": "/a"}, {"path": "/b"}, defaults={"pool": "mian"}))

    assert [said for _, said in told] == ['defaults: pool must be one of main, not "mian"']


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"path": "/a"}, {"path": "/a"}),
        ({"path": "/{x}"}, {"path": "/{y}"}),
        ({"path": "/{rest*}"}, {"path": "/a/b"}),
        ({"path": "/a", "methods": ["GET", "POST"]}, {"path": "/a", "methods": ["POST"]}),
    ],
)
def test_a_route_that_cannot_be_reached_is_a_mistake(one: dict[str, Any], other: dict[str, Any]):
    assert "can never be reached" in mistakes(routes(one, other))[0][1]


def test_a_route_that_several_others_leave_no_method_is_a_mistake():
    told = mistakes(
        routes(
            {"path": "/a", "methods": ["GET"]}, {"path": "/a", "methods": ["HEAD"]}, {"path": "/a"}
        )
    )

    assert "can never be reached: 'r0', 'r1' before it" in told[0][1]


def test_a_file_that_is_missing_is_one_mistake(tmp_path: Path):
    with pytest.raises(BadRoutes, match=r"nix\.toml:1: cannot be read: No such file"):
        load(tmp_path / "nix.toml")


def test_a_file_that_is_not_utf_8_is_one_mistake(tmp_path: Path):
    (tmp_path / "routes.toml").write_bytes(b"a = '\xff'")

    with pytest.raises(BadRoutes, match="must be UTF-8; the byte at offset 5 is not"):
        load(tmp_path / "routes.toml")


SCALARS = (
    st.text(max_size=8)
    | st.sampled_from(["/", "/{x}", "/{x*}", "$A", "$", "main", "first", "1 MiB", "GET", "1/1s"])
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates(min_value=date(1000, 1, 1))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
).filter(lambda value: "\\ud" not in toml(value))  # TOML has no surrogates


@given(st.sampled_from(sorted(options.ROUTE)), VALUES)
def test_any_value_of_a_route_s_option_is_right_or_a_mistake(name: str, value: Any):
    source = routes({"path": "/", name: value}, {"path": "/other"}, defaults={"lifetime": 3})

    assert mistakes(source) or isinstance(read(source).routes[0], Route)


@given(st.sampled_from(sorted(options.POOL)), VALUES)
def test_any_value_of_a_pool_s_option_is_right_or_a_mistake(name: str, value: Any):
    lines = {"servers": '["http://a"]', name: toml(value)}
    pool = "\n".join(f"{one} = {text}" for one, text in lines.items())
    source = f'[pools.p]\n{pool}\n[[routes]]\nname = "r"\npath = "/"\npool = "p"'

    assert mistakes(source) or read(source).pools["p"]


@given(st.sampled_from(["pools", "defaults", "routes", "more"]), VALUES)
def test_any_value_of_a_table_is_right_or_a_mistake(name: str, value: Any):
    assert mistakes(f"{name} = {toml(value)}")


@given(st.text(alphabet="[]{}=\"'#\n\\.ab1 \t", max_size=40))
def test_any_text_is_a_mistake(source: str):
    assert mistakes(source)


@pytest.mark.parametrize(
    ("servers", "options", "said"),
    [
        ("http://a:1,http://a:1/", "", "no address twice"),
        ("http://user:password@a:1", "", "GATEWAY_UPSTREAMS"),
        ("http://a:1", "back_off = 60", "back_off_most"),
        ("", "back_off = 60", "back_off_most"),
    ],
)
def test_what_no_pool_can_be_made_of_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, servers: str, options: str, said: str
):
    """It is told when the file is read, and not by the first request."""
    monkeypatch.setenv("GATEWAY_UPSTREAMS", servers)
    text = f"""
[pools.main]
servers = "$GATEWAY_UPSTREAMS"
{options}
[[routes]]
name = "all"
path = "/{{rest*}}"
pool = "main"
"""
    with pytest.raises(BadRoutes, match=said):
        read(text)
