"""The record of evictions: written before anything is done, finished whatever happens."""

from __future__ import annotations

import logging
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.test_processes import run
from tiercache import signals
from tiercache.models import Eviction
from tiercache.operations import auditing
from tiercache.operations.auditing import Actor
from tiercache.operations.evicting import Outcome, Selection, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Valkey


def evict(cache: Any, name: str = "key", **more: Any) -> Outcome:
    cache.set(name, 1)
    selection = Selection.of_names(cache, [name])
    actor = Actor("somebody", "7")
    return carry_out(cache, selection, "all", actor=actor, origin="page", **more)


@pytest.mark.django_db
def test_a_row_tells_who_what_and_how_many(make_cache: Any):
    cache = make_cache()
    outcome = evict(cache, previewed=5)
    row = Eviction.objects.get()
    assert (row.actor, row.actor_id, row.origin) == ("somebody", "7", "page")
    assert (row.cache, row.tier) == ("default", "all")
    assert row.selection == f"keys {cache.make_key('key')}"
    assert (row.previewed, row.removed, row.dropped) == (5, 1, None)
    assert (row.asked, row.confirmed, row.silent, row.error) == (1, 1, "", "")
    assert row.seconds == pytest.approx(outcome.seconds)
    assert outcome.audited is True


@pytest.mark.django_db
def test_the_row_is_there_before_anything_is_done(make_cache: Any):
    rows: list[Any] = []
    evict(make_cache(), progress=lambda _: rows.append(Eviction.objects.values().get()))
    assert [row["removed"] for row in rows] == [None]


@pytest.mark.django_db
def test_a_transaction_outlives_a_nonce_that_was_used(make_cache: Any):
    cache = make_cache()
    evict(cache, nonce="once")
    with transaction.atomic():
        with pytest.raises(auditing.TokenUsed):
            evict(cache, nonce="once")
        assert Eviction.objects.count() == 1


@pytest.mark.django_db
def test_texts_of_any_length_fit(make_cache: Any):
    cache = make_cache("memory")
    names = [f"{'k' * 200}{number}" for number in range(100)]
    carry_out(
        cache,
        Selection.of_names(cache, names),
        "memory",
        actor=Actor("n" * 500),
        origin="API",
    )
    row = Eviction.objects.get()
    assert row.selection.endswith("and 80 more")
    assert len(row.actor) == 150


# Where there is no table


@pytest.mark.parametrize(
    "trouble", [DatabaseError("no such table"), IntegrityError("x"), ImproperlyConfigured("dummy")]
)
@pytest.mark.django_db
def test_an_eviction_goes_on_without_the_database(
    make_cache: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Exception,
):
    def fail(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(Eviction, "save", fail)
    outcome = evict(make_cache())
    assert outcome.removed == 1
    assert str(trouble) in str(outcome.audited)
    assert "tiercache.audit.failed" in caplog.text


@pytest.fixture
def no_table(db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.delete_model(Eviction)
    yield
    with connection.schema_editor() as editor:
        editor.create_model(Eviction)


@pytest.mark.django_db(transaction=True)
def test_an_eviction_goes_on_without_the_table(make_cache: Any, no_table: None):
    outcome = evict(make_cache())
    assert (outcome.removed, outcome.complete) == (1, True)
    assert "no such table" in str(outcome.audited)


def test_an_eviction_goes_on_where_the_app_is_not_installed(valkey: Valkey):
    run(
        """
        import django
        django.setup()
        from tiercache.operations.auditing import Actor
        from tiercache.operations.evicting import Selection, carry_out

        settle()
        cache.set("key", 1)
        selection = Selection.of_names(cache, ["key"])
        outcome = carry_out(cache, selection, "all", actor=Actor("me"), origin="API")
        assert outcome.removed == 1 and outcome.complete
        assert "INSTALLED_APPS" in outcome.audited
        """,
        valkey.url,
    )


# What else tells of it


@pytest.mark.django_db
def test_each_eviction_is_logged(make_cache: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "tiercache"):
        evict(make_cache())
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == auditing.EVENT]
    facts = vars(record)
    assert (facts["cache"], facts["actor"], facts["removed"]) == ("default", "somebody", 1)
    assert record.getMessage().startswith("tiercache.evicted: keys ")


@pytest.mark.django_db
def test_each_eviction_is_signalled(make_cache: Any):
    told: list[dict[str, Any]] = []

    def hear(**facts: Any) -> None:
        told.append(facts)
        raise ZeroDivisionError

    signals.evicted.connect(hear)
    try:
        cache = make_cache()
        evict(cache)
    finally:
        signals.evicted.disconnect(hear)
    (facts,) = told
    assert facts["cache"] == "default"
    assert (facts["tier"], facts["origin"], facts["actor"]) == ("all", "page", "somebody")
    assert (facts["removed"], facts["dropped"]) == (1, None)
    assert (facts["confirmed"], facts["silent"]) == ((cache._node.id,), ())


# The table


@pytest.mark.django_db
def test_there_is_a_right_for_each_thing_and_no_other():
    rights = Permission.objects.filter(content_type__app_label="tiercache")
    assert set(rights.values_list("codename", flat=True)) == {
        "view_stats",
        "view_keys",
        "view_values",
        "evict",
        "clear",
    }


@pytest.mark.django_db
def test_the_migrations_make_the_model():
    call_command("makemigrations", "tiercache", check=True, dry_run=True, stdout=StringIO())
