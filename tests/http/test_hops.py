"""What ends at the gateway, and what it adds: Connection, Via, Forwarded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import hops
from tiercache.http.fields import Fields

NAMES = st.sampled_from(["Connection", "Host", "X-A", "TE", "X-B", "Accept", "Keep-Alive", ""])
LINES = st.lists(st.tuples(NAMES, st.one_of(st.text(), st.lists(NAMES).map(", ".join))), max_size=8)


@pytest.mark.parametrize("name", sorted(hops.HOP_BY_HOP))
def test_fields_of_one_connection_end_here(name: str) -> None:
    assert hops.end_to_end(Fields([(name, "x"), ("etag", '"a"')])) == Fields([("etag", '"a"')])


@pytest.mark.parametrize("named", ["a, b", "B,A", "close, a ,\tb", ",,a,b"])
def test_fields_that_connection_names_end_here(named: str) -> None:
    fields = Fields([("Connection", named), ("a", "1"), ("b", "2"), ("c", "3")])
    assert hops.end_to_end(fields) == Fields([("c", "3")])


def test_every_line_of_connection_counts() -> None:
    fields = Fields([("Connection", "a"), ("Connection", "b"), ("a", "1"), ("b", "2")])
    assert hops.end_to_end(fields) == Fields()


def test_a_quote_in_connection_hides_nothing() -> None:
    assert hops.end_to_end(Fields([("Connection", '"x, a'), ("a", "1")])) == Fields()


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Authorization",
        "Cookie",
        "Cache-Control",
        "X-Api-Key",
        "X-Forwarded-For",
        "Accept-Encoding",
        "Content-Length",
        "If-None-Match",
        "Set-Cookie",
        "Vary",
    ],
)
def test_connection_cannot_take_away_what_is_for_everybody(name: str) -> None:
    fields = Fields([("Connection", f"close, {name}"), (name, "x")])
    assert hops.end_to_end(fields) == Fields([(name, "x")])


def test_connection_cannot_take_away_what_a_route_keys_by() -> None:
    fields = Fields([("Connection", "X-Tenant, X-Other"), ("X-Tenant", "a"), ("X-Other", "b")])
    assert hops.end_to_end(fields, {"x-tenant"}) == Fields([("X-Tenant", "a")])


@given(LINES)
def test_what_goes_on_does_not_change_when_it_is_looked_at_again(
    lines: list[tuple[str, str]],
) -> None:
    once = hops.end_to_end(Fields(lines))
    assert hops.end_to_end(once) == once
    assert not any(name in hops.HOP_BY_HOP for name, _ in once)


def test_via_begins_with_the_gateway() -> None:
    assert hops.via(Fields(), "gate", "1.1") == Fields([("via", "1.1 gate")])


def test_via_ends_with_the_gateway() -> None:
    fields = Fields([("Via", "1.0 fred"), ("Via", "1.1 p.example.net (a, b)")])
    expected = "1.0 fred, 1.1 p.example.net (a, b), 2 gate"
    assert hops.via(fields, "gate", "2").lines("via") == (expected,)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ("1.1 gate", True),
        ("1.0 fred, HTTP/1.1 Gate (mine)", True),
        ("1.0 fred,2 gate", True),
        ("1.1 gateway", False),
        ("1.1 fred (gate)", False),
        ("1.1 fred (a, 1.1 gate)", False),
        ("1.1 gate(a)", True),
        ("gate", False),
        ("", False),
    ],
)
def test_a_request_that_was_here_before_is_known_by_via(passed: str, expected: bool) -> None:
    assert hops.passes(Fields([("Via", passed)]), "gate") == expected


def test_a_request_without_via_was_not_here_before() -> None:
    assert not hops.passes(Fields(), "gate")


@given(st.text(max_size=3), st.text(max_size=3))
def test_what_via_is_given_it_knows_again(before: str, after: str) -> None:
    assert hops.passes(hops.via(Fields([("via", "1.0 a")]), "gate", "1.1"), "gate")
    hops.passes(Fields([("via", f"{before} gate{after}")]), "gate")


def told(*lines: tuple[str, str], is_trusted: bool, peer: str | None = "192.0.2.7") -> Fields:
    fields = Fields([("Host", "api.example"), *lines])
    return hops.forwarded(fields, peer=peer, scheme="http", is_trusted=is_trusted)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_peer_is_told_in_both_ways(is_trusted: bool) -> None:
    assert told(is_trusted=is_trusted) == Fields(
        [
            ("host", "api.example"),
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", 'for=192.0.2.7;host="api.example";proto=http'),
            ("x-forwarded-host", "api.example"),
            ("x-forwarded-proto", "http"),
        ]
    )


@pytest.mark.parametrize(
    "name", [*sorted(hops.CLAIMS), "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port"]
)
def test_what_a_peer_claims_is_said_anew_unless_it_is_trusted(name: str) -> None:
    assert told((name, "for=10.0.0.1"), is_trusted=False) == told(is_trusted=False)


def test_a_trusted_list_of_addresses_is_continued() -> None:
    found = told(("X-Forwarded-For", "10.0.0.1"), is_trusted=True)
    assert found.lines("x-forwarded-for") == ("10.0.0.1, 192.0.2.7",)


def test_forwarded_is_not_begun_behind_a_list_of_the_older_kind() -> None:
    assert "forwarded" not in told(("X-Forwarded-For", "10.0.0.1"), is_trusted=True)


def test_a_trusted_forwarded_is_continued() -> None:
    found = told(("Forwarded", "for=10.0.0.1"), ("X-Forwarded-For", "10.0.0.1"), is_trusted=True)
    expected = 'for=10.0.0.1, for=192.0.2.7;host="api.example";proto=http'
    assert found.lines("forwarded") == (expected,)


@pytest.mark.parametrize(
    ("name", "value"), [("x-forwarded-host", "www.example"), ("x-forwarded-proto", "https")]
)
def test_a_trusted_host_and_scheme_are_kept(name: str, value: str) -> None:
    assert told((name, value), is_trusted=True).lines(name) == (value,)


@pytest.mark.parametrize(
    ("peer", "node", "address"),
    [
        ("2001:db8::1", 'for="[2001:db8::1]"', "2001:db8::1"),
        (None, "for=unknown", "unknown"),
        ("", "for=unknown", "unknown"),
    ],
)
def test_a_peer_with_another_address_is_told(peer: str | None, node: str, address: str) -> None:
    found = told(is_trusted=False, peer=peer)
    assert (found.get("forwarded") or "").startswith(f"{node};")
    assert found.get("x-forwarded-for") == address


def test_a_request_without_host_has_none_forwarded() -> None:
    found = hops.forwarded(Fields(), peer="192.0.2.7", scheme="https", is_trusted=False)
    assert found.get("forwarded") == "for=192.0.2.7;proto=https"
    assert "x-forwarded-host" not in found


def test_a_host_cannot_end_its_quotes() -> None:
    fields = Fields([("Host", 'a";for=10.0.0.1;x="\\')])
    found = hops.forwarded(fields, peer="192.0.2.7", scheme="http", is_trusted=False)
    expected = r'for=192.0.2.7;host="a\";for=10.0.0.1;x=\"\\";proto=http'
    assert found.get("forwarded") == expected


@given(LINES, st.booleans())
def test_no_fields_make_forwarding_raise(lines: list[tuple[str, str]], is_trusted: bool) -> None:
    found = hops.forwarded(Fields(lines), peer="::1", scheme="http", is_trusted=is_trusted)
    assert (found.get("x-forwarded-for") or "").endswith("::1")
