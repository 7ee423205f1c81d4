"""Which key a request offers, and which offers are refused."""

from __future__ import annotations

import pytest

from gateway_project.callers.credentials import BadKey, no_key, offered_key
from tiercache.http.fields import Fields

KEY = "tck_" + "a" * 43
OTHER = "tck_" + "b" * 43


@pytest.mark.parametrize(
    "lines",
    [
        [("Authorization", f"Bearer {KEY}")],
        [("authorization", f"bearer   {KEY}")],
        [("X-API-Key", KEY)],
        [("X-API-Key", f" {KEY} ")],
        [("Authorization", f"Bearer {KEY}"), ("X-API-Key", KEY)],
        [("Authorization", "Basic dTpw"), ("X-API-Key", KEY)],
    ],
)
def test_a_key_is_taken_from_either_field(lines: list[tuple[str, str]]):
    assert offered_key(Fields(lines)) == KEY


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("Authorization", "Basic dTpw")],
        [("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x")],
        [("Authorization", KEY)],
        [("Authorization", f"Basic {KEY}")],
        [("Authorization", "")],
    ],
)
def test_what_is_meant_for_the_upstream_is_no_key_of_ours(lines: list[tuple[str, str]]):
    assert offered_key(Fields(lines)) is None


@pytest.mark.parametrize(
    "lines",
    [
        [("Authorization", f"Bearer {KEY}"), ("X-API-Key", OTHER)],
        [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {OTHER}")],
        [("X-API-Key", KEY), ("X-API-Key", OTHER)],
    ],
)
def test_two_different_keys_are_refused(lines: list[tuple[str, str]]):
    with pytest.raises(BadKey, match="two different keys") as caught:
        offered_key(Fields(lines))

    assert caught.value.status == 400
    assert caught.value.fields.get("www-authenticate") == (
        'Bearer realm="gateway", error="invalid_request"'
    )


@pytest.mark.parametrize(
    "line",
    [
        ("X-API-Key", ""),
        ("X-API-Key", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
        ("X-API-Key", f"Bearer {KEY}"),
        ("Authorization", "Bearer tck_short"),
        ("Authorization", f"Bearer {KEY}, Bearer {KEY}"),
        ("Authorization", f"Bearer tck_{'é' * 43}"),
    ],
)
def test_what_is_malformed_is_refused_without_being_repeated(line: tuple[str, str]):
    with pytest.raises(BadKey, match="not a key") as caught:
        offered_key(Fields([line]))

    assert caught.value.status == 401
    assert caught.value.fields.get("www-authenticate") == (
        'Bearer realm="gateway", error="invalid_token"'
    )
    assert "aaaa" not in caught.value.detail


def test_who_offers_no_key_where_one_is_needed_is_told_how():
    refusal = no_key()

    assert (refusal.status, refusal.fields.get("www-authenticate")) == (
        401,
        'Bearer realm="gateway"',
    )
    assert "Authorization: Bearer tck_" in refusal.detail
