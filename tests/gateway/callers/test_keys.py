"""Whose key it is: from memory, in step with the database."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from gateway_project.callers import keys, material
from gateway_project.callers.credentials import BadKey
from gateway_project.callers.keys import Caller
from gateway_project.callers.limits import Rate
from gateway_project.problems import ProblemError
from tests.coherence.nodes import SOON, in_memory, pair_settings
from tests.gateway.callers.support import texts
from tests.support.waiting import eventually
from tiercache.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def tiers(make_cache: Callable[..., Any]) -> Any:
    """An empty cache over both tiers."""
    return make_cache("tiered", KEY_PREFIX="gateway")


def refused(identify: Callable[..., Any], key: str) -> str:
    """Return why a key is refused; empty if it is not."""
    try:
        identify(key)
    except BadKey as exc:
        return exc.detail
    return ""


def test_a_key_says_who_calls(identify: Any, make_key: Any):
    row, key = make_key(tenant="acme", may_purge=True, rate="100/60s")

    assert identify(key) == Caller(row.prefix, "acme", may_purge=True, rate=Rate(100, 60.0))


def test_a_key_without_a_rate_leaves_it_to_the_route(identify: Any, make_key: Any):
    row, key = make_key()

    assert identify(key) == Caller(row.prefix, "default", may_purge=False, rate=None)


def test_a_request_without_a_key_is_nobodys(run: Any):
    async def once() -> Caller | None:
        return await keys.identify(Fields([("Accept", "*/*")]))

    assert run(once()) is None


def test_a_key_is_looked_up_once_and_then_answered_from_memory(
    identify: Any, make_key: Any, tiers: Any
):
    _, key = make_key()
    identify(key)
    before = tiers.stats()

    for _ in range(3):
        identify(key)

    after = tiers.stats()
    assert (after.memory_hits - before.memory_hits, after.misses - before.misses) == (3, 0)


def test_what_memory_has_of_a_key_is_not_copied_for_each_request(
    identify: Any, make_key: Any, tiers: Any
):
    row, key = make_key()
    identify(key)

    name = material.cache_key(row.prefix)
    assert tiers.get(name) is tiers.get(name)


def test_many_requests_with_a_key_ask_the_database_once(run: Any, make_key: Any, monkeypatch: Any):
    _, key = make_key()
    loads: list[str] = []
    load = keys._load

    def counted(prefix: str, context: Any) -> Any:
        loads.append(prefix)
        return load(prefix, context)

    async def at_once() -> list[Caller | None]:
        fields = Fields([("X-API-Key", key)])
        return await asyncio.gather(*(keys.identify(fields) for _ in range(20)))

    monkeypatch.setattr(keys, "_load", counted)
    callers = run(at_once())

    assert len(callers) == 20
    assert None not in callers
    assert len(loads) == 1


def test_another_key_with_the_same_prefix_is_unknown(identify: Any, make_key: Any):
    _, key = make_key()
    forged = key[:12] + material.draw()[12:]

    with pytest.raises(BadKey, match="unknown") as caught:
        identify(forged)
    assert caught.value.status == 401
    assert caught.value.fields.get("www-authenticate") == (
        'Bearer realm="gateway", error="invalid_token"'
    )
    assert refused(identify, key) == ""


def test_a_key_that_was_never_made_is_unknown_for_a_few_seconds_only(
    identify: Any, tiers: Any, valkey: Valkey
):
    key = material.draw()

    assert refused(identify, key) == "This key is unknown."

    name = material.cache_key(material.prefix_of(key))
    assert tiers.get(name) == ()
    assert 0 < valkey.client.pttl(tiers.make_key(name)) <= 5_000


def test_a_key_works_as_soon_as_it_is_made(identify: Any):
    row = keys.ApiKey(name="late")
    key = row.draw()
    assert refused(identify, key) == "This key is unknown."

    row.save()

    assert refused(identify, key) == ""


def test_a_malformed_key_reaches_neither_the_cache_nor_the_database(
    identify: Any, tiers: Any, no_table: None
):
    before = tiers.stats()

    assert "not a key" in refused(identify, "tck_junk")

    after = tiers.stats()
    assert (after.misses, after.redis_hits) == (before.misses, before.redis_hits)


def test_a_revoked_key_is_refused_at_once(identify: Any, make_key: Any):
    row, key = make_key()
    identify(key)

    row.revoke()

    assert refused(identify, key) == "This key was revoked."


def test_a_deleted_key_is_unknown_at_once(identify: Any, make_key: Any):
    row, key = make_key()
    identify(key)

    row.delete()

    assert refused(identify, key) == "This key is unknown."


def test_a_revocation_takes_effect_when_it_is_committed(identify: Any, make_key: Any):
    row, key = make_key()
    identify(key)

    with transaction.atomic():
        row.revoke()
        assert refused(identify, key) == ""

    assert refused(identify, key) == "This key was revoked."


def test_a_revocation_that_is_rolled_back_evicts_nothing(identify: Any, make_key: Any, tiers: Any):
    row, key = make_key()
    identify(key)

    with transaction.atomic():
        row.revoke()
        transaction.set_rollback(True)

    assert in_memory(tiers, material.cache_key(row.prefix))
    assert refused(identify, key) == ""


def test_a_revoked_key_is_refused_in_another_processs_memory(
    identify: Any, make_key: Any, make_caches: Any, valkey: Valkey, monkeypatch: Any
):
    other = make_caches(**pair_settings(valkey.url))["other"]
    monkeypatch.setattr(keys, "cache", other)
    row, key = make_key()
    identify(key)
    assert in_memory(other, material.cache_key(row.prefix))

    row.revoke()

    eventually(lambda: refused(identify, key) == "This key was revoked.", within=SOON)


def test_to_revoke_twice_keeps_the_first_time(make_key: Any):
    row, _ = make_key()

    assert row.revoke()
    first = row.revoked
    assert not row.revoke()
    assert row.revoked == first


def test_a_key_in_memory_is_refused_once_it_has_expired(identify: Any, make_key: Any):
    _, key = make_key(expires=timezone.now() + timedelta(seconds=0.3))
    assert refused(identify, key) == ""

    eventually(lambda: refused(identify, key) == "This key has expired.")


def test_who_has_only_the_prefix_is_not_told_what_became_of_a_key(identify: Any, make_key: Any):
    row, key = make_key()
    row.revoke()

    assert refused(identify, key[:12] + "x" * 35) == "This key is unknown."


def test_keys_are_checked_while_redis_is_away(identify: Any, make_key: Any, make_cache: Any):
    make_cache("away")
    row, key = make_key()
    assert refused(identify, key) == ""

    row.revoke()

    assert refused(identify, key) == "This key was revoked."


def test_while_the_database_fails_an_unknown_key_is_neither_let_in_nor_refused(
    identify: Any, make_key: Any, no_table: None
):
    with pytest.raises(ProblemError) as caught:
        identify(material.draw())

    assert caught.value.status == 503
    assert not isinstance(caught.value, BadKey)


def test_while_the_database_fails_a_known_key_goes_on_working(
    identify: Any, make_key: Any, tiers: Any, monkeypatch: Any, request: pytest.FixtureRequest
):
    monkeypatch.setattr(keys, "FRESH", 0.05)
    _, key = make_key()
    identify(key)
    request.getfixturevalue("no_table")

    def goes_on() -> bool:
        assert identify(key) is not None
        return tiers.stats().load_failures > 0

    eventually(goes_on)


def test_a_slow_database_holds_nobody_up_for_long(identify: Any, make_key: Any, monkeypatch: Any):
    _, key = make_key()
    load, answers = keys._load, threading.Event()

    def slowly(prefix: str, context: Any) -> Any:
        answers.wait(10)
        return load(prefix, context)

    monkeypatch.setattr(keys, "BUDGET", 0.05)
    monkeypatch.setattr(keys, "_load", slowly)
    with pytest.raises(ProblemError) as caught:
        identify(key)
    answers.set()

    assert caught.value.status == 503
    monkeypatch.setattr(keys, "BUDGET", 5.0)
    assert identify(key) is not None


def test_the_key_itself_is_in_no_database_and_in_no_cache(
    identify: Any, make_key: Any, valkey: Valkey
):
    _, key = make_key()
    identify(key)
    secret = key[12:]

    kept = texts(valkey)

    assert any(material.digest(key).encode() in value for value in kept)
    assert not any(secret.encode() in value for value in kept)
    with connection.cursor() as cursor:
        dump = "\n".join(cursor.connection.iterdump())
    assert material.digest(key) in dump
    assert secret not in dump
