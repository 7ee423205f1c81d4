"""Tokens: what was previewed is what is evicted, once, soon, by the same user."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core import signing
from django.test import override_settings

from tiercache.models import Eviction
from tiercache.operations import auditing, tokens
from tiercache.operations.auditing import Actor
from tiercache.operations.evicting import Selection, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

NEWS = Selection(tag="news")


def made(user: str = "7", previewed: int | None = 3) -> str:
    return tokens.make(user, "default", NEWS, "all", previewed)


def test_a_token_allows_what_it_was_made_for():
    claim = tokens.check(made(), "7", "default", Selection(tag="news"), "all")
    assert claim.previewed == 3
    assert claim.nonce != tokens.check(made(), "7", "default", NEWS, "all").nonce


@pytest.mark.parametrize(
    ("token", "user", "alias", "selection", "tier", "error"),
    [
        (lambda: "", "7", "default", NEWS, "all", tokens.TokenMissing),
        (lambda: "nonsense", "7", "default", NEWS, "all", tokens.TokenForged),
        (lambda: made()[:-1], "7", "default", NEWS, "all", tokens.TokenForged),
        (lambda: signing.dumps([]), "7", "default", NEWS, "all", tokens.TokenForged),
        (made, "8", "default", NEWS, "all", tokens.TokenOfAnother),
        (made, "7", "other", NEWS, "all", tokens.TokenForAnother),
        (made, "7", "default", Selection(tag="more"), "all", tokens.TokenForAnother),
        (made, "7", "default", Selection(everything=True), "all", tokens.TokenForAnother),
        (made, "7", "default", NEWS, "memory", tokens.TokenForAnother),
    ],
)
def test_a_token_allows_nothing_else(
    token: Callable[[], str], user: str, alias: str, selection: Any, tier: Any, error: Any
):
    with pytest.raises(error) as caught:
        tokens.check(token(), user, alias, selection, tier)
    assert str(caught.value)


def test_a_token_of_another_site_is_refused():
    token = made()
    with override_settings(SECRET_KEY="another"), pytest.raises(tokens.TokenForged):
        tokens.check(token, "7", "default", NEWS, "all")


@pytest.mark.parametrize(("age", "fits"), [(tokens.LIFE - 5, True), (tokens.LIFE + 5, False)])
def test_a_token_lives_five_minutes(monkeypatch: pytest.MonkeyPatch, age: int, fits: bool):
    token, now = made(), time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + age)
    if fits:
        assert tokens.check(token, "7", "default", NEWS, "all").nonce
        return
    with pytest.raises(tokens.TokenExpired, match="5 minutes"):
        tokens.check(token, "7", "default", NEWS, "all")


def twice(cache: Any) -> None:
    """Evict by one token twice, and expect the second time to do nothing."""
    nonce = tokens.check(made(), "7", "default", NEWS, "all").nonce
    cache.set("page", 1, tags=["news"])
    carry_out(cache, NEWS, "all", actor=Actor("me"), origin="page", nonce=nonce)
    cache.set("page", 2, tags=["news"])
    with pytest.raises(tokens.TokenUsed):
        carry_out(cache, NEWS, "all", actor=Actor("me"), origin="page", nonce=nonce)
    assert cache.get("page") == 2


@pytest.mark.django_db
def test_a_token_is_used_once(make_cache: Any):
    twice(make_cache())
    assert Eviction.objects.count() == 1


def test_a_token_is_used_once_without_a_table_as_well(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(auditing.apps, "is_installed", lambda _: False)
    twice(make_cache())


def test_nonces_are_forgotten_in_the_end():
    now = [0.0]
    nonces = auditing._Nonces(lambda: now[0])
    nonces.use("a")
    now[0] = auditing.KEPT_NONCES + 1
    nonces.use("b")
    assert list(nonces._used) == ["b"]
