"""In a transaction changes wait for its commit, go with its rollback, and are seen inside."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from tests.coherence.nodes import hold, pair_settings
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import on_commit, sources, transactions
from tiercache.pending import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = ("key", "list", "number", "tagged", "nothing")
BEFORE = {"key": "old", "list": ["old"], "number": 5, "tagged": "old"}


class Case(NamedTuple):
    call: Callable[[Any], Any]
    answer: Any
    inside: dict[str, Any]
    committed: dict[str, Any] | None = None


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in BEFORE.items() if key not in keys}


CASES = {
    "set": Case(lambda c: c.set("key", ["new"]), True, {**BEFORE, "key": ["new"]}),
    "set new": Case(lambda c: c.set("nothing", 1, nx=True), True, {**BEFORE, "nothing": 1}),
    "set new, in vain": Case(lambda c: c.set("key", 1, nx=True), False, BEFORE),
    "set old": Case(lambda c: c.set("key", 1, xx=True), True, {**BEFORE, "key": 1}),
    "set old, in vain": Case(lambda c: c.set("nothing", 1, xx=True), False, BEFORE),
    "set expired": Case(lambda c: c.set("key", 1, timeout=0), True, without("key")),
    "set tagged": Case(lambda c: c.set("nothing", 1, tags=["tag"]), True, {**BEFORE, "nothing": 1}),
    "add": Case(lambda c: c.add("nothing", 1), True, {**BEFORE, "nothing": 1}),
    "add in vain": Case(lambda c: c.add("list", 1), False, BEFORE),
    "set_many": Case(
        lambda c: c.set_many({"key": 1, "nothing": [2]}), [], {**BEFORE, "key": 1, "nothing": [2]}
    ),
    "set_many expired": Case(lambda c: c.set_many({"key": 1}, timeout=-1), [], without("key")),
    "delete": Case(lambda c: c.delete("list"), True, without("list")),
    "delete in vain": Case(lambda c: c.delete("nothing"), False, BEFORE),
    "delete_many": Case(lambda c: c.delete_many(["key", "list"]), None, without("key", "list")),
    "touch": Case(lambda c: c.touch("list", 60), True, BEFORE),
    "touch in vain": Case(lambda c: c.touch("nothing", 60), False, BEFORE),
    "touch to its end": Case(lambda c: c.touch("key", 0), True, without("key")),
    "incr": Case(lambda c: c.incr("number", 2), 7, {**BEFORE, "number": 7}),
    "incr of nothing": Case(
        lambda c: c.incr("nothing", ignore_key_check=True), 1, {**BEFORE, "nothing": 1}
    ),
    "decr": Case(lambda c: c.decr("number"), 4, {**BEFORE, "number": 4}),
    "evict_tags": Case(lambda c: c.evict_tags("tag"), 0, without("tagged")),
    "clear": Case(lambda c: c.clear(), None, {}),
    "delete_pattern": Case(lambda c: c.delete_pattern("k*"), 0, without("key")),
    "get_or_set": Case(
        lambda c: c.get_or_set("nothing", lambda: [1]), [1], {**BEFORE, "nothing": [1]}, BEFORE
    ),
    "get_or_set_many": Case(
        lambda c: c.get_or_set_many(["nothing", "key", "absent"], lambda keys: {keys[0]: [1]}),
        {"nothing": [1], "key": "old"},
        {**BEFORE, "nothing": [1]},
        BEFORE,
    ),
    "refresh": Case(
        lambda c: c.refresh("key", lambda: [1]), [1], {**BEFORE, "key": [1]}, without("key")
    ),
}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert transactions.blocks == 0
    if sources.watching:
        gc.collect()  # an exception's frames may hold what they were about
    # The transaction of a `TestCase` ends after this.
    assert sources.watching == 0 or connection.in_atomic_block


@pytest.fixture
def second_database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """A database beside the default one; in a file, since one in memory cannot be closed."""
    conf = {**connections.settings["default"], "NAME": str(tmp_path / "second.sqlite3")}
    connections.settings["second"] = conf
    # Not by way of `ensure_connection`: Django's test cases refuse databases that they do not know.
    connections["second"].connect()
    yield "second"
    connections["second"].close()
    del connections["second"], connections.settings["second"]


@pytest.fixture(
    params=[("tiered", "block"), ("tiered", "option"), ("memory", "option"), ("away", "block")],
    ids="-".join,
)
def setting(request: pytest.FixtureRequest) -> Any:
    """Over which tiers, and whether by a block around the calls or by the option of the cache."""
    return request.param


@pytest.fixture
def way(setting: tuple[str, str]) -> str:
    return setting[1]


@pytest.fixture
def filled(make_cache: Any, setting: tuple[str, str]) -> Any:
    tiers, way = setting
    cache = make_cache(tiers, OPTIONS={"ON_COMMIT": way == "option"})
    for key, value in BEFORE.items():
        cache.set(key, value, tags=["tag"] if key == "tagged" else ())
    return cache


def deferring(way: str) -> Any:
    return on_commit() if way == "block" else nullcontext()


def elsewhere(look: Callable[[], Any]) -> Any:
    """Return what another thread sees, which has a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


def hang_up() -> None:
    """Close this thread's connection, as the end of a request does."""
    connections["default"].close()


def seen(cache: Any) -> dict[str, Any]:
    """Return what is there, all ways of looking agreeing on it."""
    values = cache.get_many(KEYS)
    assert {key: cache.get(key) for key in values} == values
    assert {key for key in KEYS if cache.has_key(key)} == set(values)
    assert {key for key in KEYS if cache.ttl(key) != 0} == set(values)
    assert [cache.get(key, "none") for key in KEYS if key not in values] == ["none"] * (
        len(KEYS) - len(values)
    )
    return values


class Undo(Exception):
    pass


@pytest.mark.parametrize("name", CASES)
def test_a_change_waits_for_the_commit(filled: Any, way: str, name: str) -> None:
    """It is seen inside at once, by others after the commit, and until then by nobody else."""
    call, answer, inside, committed = CASES[name]
    with transaction.atomic(), deferring(way):
        assert call(filled) == answer
        assert seen(filled) == inside
        assert elsewhere(lambda: seen(filled)) == BEFORE
    expected = inside if committed is None else committed
    assert seen(filled) == expected
    assert elsewhere(lambda: seen(filled)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_change_goes_with_its_rollback(filled: Any, way: str, name: str) -> None:
    """What a transaction, or one of its savepoints, is rolled back with has never been."""
    call, answer, inside, _ = CASES[name]
    with transaction.atomic(), deferring(way):
        with suppress(Undo), transaction.atomic():
            assert call(filled) == answer
            assert seen(filled) == inside
            raise Undo
        assert seen(filled) == BEFORE
    assert seen(filled) == BEFORE
    with suppress(Undo), transaction.atomic(), deferring(way):
        assert call(filled) == answer
        raise Undo
    assert seen(filled) == BEFORE


@pytest.mark.parametrize("name", CASES)
def test_without_a_transaction_a_change_is_applied_at_once(
    filled: Any, way: str, name: str
) -> None:
    """A block or the option alone defers nothing."""
    call, _, inside, _ = CASES[name]
    with deferring(way):
        call(filled)
        assert connection.run_on_commit == []
        # What was loaded is for everybody then.
        assert elsewhere(lambda: seen(filled)) == inside


@pytest.mark.parametrize("name", CASES)
def test_it_is_off_by_default(make_cache: Any, name: str) -> None:
    """Neither a block nor the option: a transaction makes no difference, rolled back or not."""
    cache = make_cache()
    for key, value in BEFORE.items():
        cache.set(key, value, tags=["tag"] if key == "tagged" else ())
    with suppress(Undo), transaction.atomic():
        CASES[name].call(cache)
        assert connection.run_on_commit == []
        raise Undo
    assert seen(cache) == CASES[name].inside


def test_another_node_sees_nothing_before_the_commit(make_caches: Any, valkey: Any) -> None:
    """Its copies stay until then, and go right after."""
    made = make_caches(**pair_settings(valkey.url))
    here, there = made["default"], made["other"]
    here.set_many({"key": 1, "gone": 1})
    here.set("tagged", 1, tags=["tag"])
    hold(there, "key", "gone", "tagged")
    with transaction.atomic(), on_commit():
        here.set("key", 2)
        here.delete("gone")
        here.evict_tags("tag")
        here.get_or_set("loaded", lambda: "uncommitted")
        hold(there, "key", "gone", "tagged")
        assert there.get_many(["key", "gone", "tagged", "loaded"]) == {
            "key": 1,
            "gone": 1,
            "tagged": 1,
        }
    eventually(lambda: there.get_many(["key", "gone", "tagged"]) == {"key": 2}, within=1.0)
    assert there.get("loaded") is None


# Savepoints, and transactions that end in other ways


@pytest.mark.parametrize("held", [False, True], ids=["dropped", "held by somebody"])
def test_savepoints_keep_what_was_before(cache: Any, held: bool) -> None:
    """A rollback brings back what the transaction had changed before the savepoint."""
    holder = []
    cache.set("key", 0)
    with transaction.atomic(), on_commit():
        cache.set("key", 1)
        with suppress(Undo), transaction.atomic():
            cache.set("key", 2)
            with transaction.atomic():
                cache.incr("key")
            assert cache.get("key") == 3
            if held:
                holder.extend(connection.run_on_commit)
            raise Undo
        # As many as were dropped, so that the list is as long as it was.
        transaction.on_commit(lambda: None)
        transaction.on_commit(lambda: None)
        assert cache.get("key") == 1
        cache.set("other", 4)
        cache.set("key", 5)
        assert cache.get_many(["key", "other"]) == {"key": 5, "other": 4}
        assert elsewhere(lambda: cache.get("key")) == 0
    assert cache.get_many(["key", "other"]) == {"key": 5, "other": 4}


@pytest.mark.parametrize("broken", ["set_rollback", "inner block without a savepoint"])
def test_a_transaction_that_cannot_commit_applies_nothing(cache: Any, broken: str) -> None:
    """However it was broken, and though no exception leaves it."""
    cache.set("key", 0)
    with transaction.atomic(), on_commit():
        cache.set("key", 1)
        if broken == "set_rollback":
            transaction.set_rollback(True)
        else:
            with suppress(Undo), transaction.atomic(savepoint=False):
                cache.set("key", 2)
                raise Undo
        cache.set("other", 1)
    assert cache.get_many(["key", "other"]) == {"key": 0}


def test_a_closed_connection_applies_nothing(cache: Any, second_database: str) -> None:
    """What waited is gone with it: in the block, after it, and in the next one."""
    cache.set("key", 0)
    with transaction.atomic(using=second_database), on_commit(second_database):
        cache.set("key", 1)
        connections[second_database].close()
        assert cache.get("key") == 0
        cache.set("other", 1)
    assert cache.get_many(["key", "other"]) == {"key": 0}
    connections[second_database].connect()
    with transaction.atomic(using=second_database), on_commit(second_database):
        assert cache.get_many(["key", "other"]) == {"key": 0}
    assert cache.get_many(["key", "other"]) == {"key": 0}


def test_durable_blocks_and_those_after_each_other(cache: Any) -> None:
    """Each transaction has its own changes."""
    with on_commit():
        with transaction.atomic(durable=True):
            cache.set("key", 1)
            assert elsewhere(lambda: cache.get("key")) is None
        assert elsewhere(lambda: cache.get("key")) == 1
        with suppress(Undo), transaction.atomic(durable=True):
            assert cache.incr("key") == 2
            raise Undo
        assert cache.get("key") == 1


def test_without_autocommit_changes_are_applied_at_once(cache: Any) -> None:
    """Django calls nothing after such a commit."""
    transaction.set_autocommit(False)
    try:
        with on_commit():
            cache.set("key", 1)
            assert elsewhere(lambda: cache.get("key")) == 1
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


# What is seen inside


def test_what_one_reader_does_to_a_value_nobody_else_sees(cache: Any) -> None:
    """Values are serialized when they are set, and each reader gets one of its own."""
    value = [1]
    with transaction.atomic(), on_commit():
        cache.set("key", value)
        loaded = cache.get_or_set("loaded", lambda: [1])
        value.append(2)
        loaded.append(2)
        cache.get("key").append(3)
        cache.get_many(["key"])["key"].append(4)
        cache.get_or_set("loaded", list).append(5)
        assert cache.get_many(["key", "loaded"]) == {"key": [1], "loaded": [1]}
    assert cache.get("key") == [1]


@pytest.mark.parametrize("many", [False, True], ids=["set", "set_many"])
def test_a_value_that_cannot_be_serialized_is_refused_at_once(cache: Any, many: bool) -> None:
    """Where the call is made, not at the commit; nothing waits then."""
    with transaction.atomic(), on_commit():
        with pytest.raises((AttributeError, TypeError)):
            cache.set_many({"a": 1, "key": lambda: 1}) if many else cache.set("key", lambda: 1)
        assert connection.run_on_commit == []


def test_evictions_and_what_is_set_around_them(cache: Any) -> None:
    """What was set before is gone, what is set afterwards is there: inside and at the commit."""
    with transaction.atomic(), on_commit():
        cache.set("before", 1, tags=["tag"])
        cache.get_or_set("loaded", 1, tags=["tag"])
        cache.set("other", 1, tags=["another"])
        cache.evict_tags("tag")
        cache.set("after", 1, tags=["tag"])
        keys = ["before", "after", "other", "loaded"]
        assert cache.get_many(keys) == {"after": 1, "other": 1}
        assert cache.touch("after") is True
        assert cache.incr("other") == 2
        with suppress(Undo), transaction.atomic():
            cache.evict_tags("another", "tag")
            assert cache.get_many(keys) == {}
            raise Undo
        assert cache.get_many(keys) == {"after": 1, "other": 2}
    assert cache.get_many(keys) == {"after": 1, "other": 2}


def test_clear_and_what_is_set_around_it(cache: Any) -> None:
    """As with evictions; and keys of other prefixes stay."""
    cache.set("cached", 1)
    with transaction.atomic(), on_commit():
        cache.set("before", 1)
        cache.clear()
        cache.set("after", 1)
        cache.delete_pattern("aft?r-*")
        assert cache.get_many(["cached", "before", "after"]) == {"after": 1}
        assert cache.add("cached", 2) is True
    assert cache.get_many(["cached", "before", "after"]) == {"after": 1, "cached": 2}


def test_a_changed_key_is_not_read_from_the_cache(cache: Any) -> None:
    """What others do to it meanwhile is not seen, and is overtaken by the commit."""
    cache.set("key", 1)
    with transaction.atomic(), on_commit():
        cache.delete("key")
        elsewhere(lambda: cache.set("key", 2))
        assert cache.get("key") is None
        assert cache.get_or_set("key", 9) == 9
        cache.set("key", 3)
        elsewhere(lambda: cache.delete("key"))
        assert cache.get("key") == 3
    assert cache.get("key") == 3


def test_a_timeout_counts_inside(cache: Any) -> None:
    """`ttl` tells what `set` and `touch` said, and what has run out is gone."""
    with transaction.atomic(), on_commit():
        cache.set("key", 1, timeout=50)
        assert 0 < cache.ttl("key") <= 50
        cache.touch("key", 500)
        assert 50 < cache.ttl("key") <= 500
        cache.incr("key")
        assert 50 < cache.ttl("key") <= 500
        cache.set("key", 1, timeout=None)
        assert cache.ttl("key") is None
        cache.set("short", 1, timeout=0.01)
        eventually(lambda: cache.get("short") is None)
    assert cache.ttl("key") is None


def test_a_value_that_cannot_be_added_to(cache: Any) -> None:
    """As outside: ValueError for nothing, TypeError for the wrong kind; nothing waits."""
    cache.set("text", "text")
    with transaction.atomic(), on_commit():
        with pytest.raises(ValueError, match="nothing"):
            cache.incr("nothing")
        with pytest.raises(TypeError):
            cache.incr("text")
        assert connection.run_on_commit == []


def test_two_aliases_of_one_store_see_the_same(make_caches: Any, valkey: Any) -> None:
    """The transaction's changes are the keys', whichever alias they were made by."""
    conf = settings_for("tiered", valkey.url)
    made = make_caches(
        one={**conf, "TIMEOUT": 5, "OPTIONS": {**conf["OPTIONS"], "ON_COMMIT": True}}, two=conf
    )
    made["two"].set("key", [1])
    assert made["two"].get("key") == [1]
    with transaction.atomic():
        made["one"].set("key", 2)
        assert made["two"].get("key") == 2
        assert made["two"].get_many(["key"]) == {"key": 2}
        assert elsewhere(lambda: made["two"].get("key")) == [1]


def test_after_the_block_the_transaction_still_sees_its_changes(cache: Any) -> None:
    """A later change of the same key waits behind them, others are applied at once."""
    cache.set("key", 0)
    with transaction.atomic():
        with on_commit():
            cache.set("key", 1)
            cache.set("tagged", 1, tags=["tag"])
        assert cache.get("key") == 1
        cache.set("key", 2)
        cache.set("other", 1)
        assert cache.evict_tags("tag") == 0
        assert cache.get("key") == 2
        assert elsewhere(lambda: cache.get_many(["key", "other"])) == {"key": 0, "other": 1}
    assert cache.get_many(["key", "other", "tagged"]) == {"key": 2, "other": 1}


def test_a_watched_look_up_tells_its_tier(make_cache: Any) -> None:
    """What the transaction holds came from memory; a miss inside is one."""
    cache = make_cache()
    cache.set("gone", 1)
    with transaction.atomic(), on_commit(), sources.watch() as told:
        cache.set("key", [1])
        cache.delete("gone")
        cache.get("key")
        assert told.tier == "memory"
        cache.get("gone")
        assert told.tier == "miss"
        cache.get_or_set("loaded", 1)
        assert told.tier == "loaded"


# Loads


def test_a_value_is_computed_once_for_the_transaction_alone(cache: Any) -> None:
    """It may have seen rows that are not committed, so nobody else gets it, then or later."""
    calls: list[int] = []

    def load() -> int:
        calls.append(1)
        return len(calls)

    with transaction.atomic(), on_commit():
        assert cache.get_or_set("key", load) == 1
        assert cache.get_or_set("key", load) == 1
        assert cache.get("key") == 1
        assert elsewhere(lambda: cache.get("key")) is None
    assert cache.get("key") is None
    assert cache.get_or_set("key", load) == 2
    assert elsewhere(lambda: cache.get("key")) == 2


def test_a_load_in_a_savepoint_is_forgotten_with_it(cache: Any) -> None:
    """It may have seen rows that are gone."""
    with transaction.atomic(), on_commit():
        with suppress(Undo), transaction.atomic():
            assert cache.get_or_set("key", 1) == 1
            raise Undo
        assert cache.get_or_set("key", 2) == 2


def test_a_load_inside_joins_none_and_leads_none(make_cache: Any) -> None:
    """Another's load is of what was before; a wait for it could be for the row's own lock."""
    cache = make_cache()

    def load_inside() -> str:
        with transaction.atomic(), on_commit():
            answer = cache.get_or_set("key", lambda: "inside")
        hang_up()
        return answer

    def load() -> str:
        assert elsewhere(load_inside) == "inside"
        return "outside"

    assert cache.get_or_set("key", load) == "outside"
    assert cache.get("key") == "outside"


def test_a_load_that_fails_or_declines_leaves_nothing(cache: Any) -> None:
    """Its error is the caller's, and the next call tries again."""
    cache.set("key", "old")
    with transaction.atomic(), on_commit():
        with pytest.raises(Undo):
            cache.get_or_set("other", lambda: (_ for _ in ()).throw(Undo))
        assert cache.refresh("key", lambda context: context.decline() or "declined") == "declined"
        assert cache.get_or_set("other", 2, timeout=0) == 2
        assert cache.get("key") == "old"
        assert connection.run_on_commit == []
    assert cache.stats().load_failures == 1


def test_what_is_cached_is_not_computed(cache: Any) -> None:
    """An entry that the transaction has not touched is a hit."""
    cache.set("key", ["cached"], tags=["tag"])
    with transaction.atomic(), on_commit():
        assert cache.get_or_set("key", lambda: pytest.fail("computed")) == ["cached"]
        cache.evict_tags("tag")
        assert cache.get_or_set("key", lambda: "computed") == "computed"


# At the commit


def test_changes_are_applied_in_their_order_among_other_callbacks(cache: Any) -> None:
    """A callback sees what was changed before it, and not what was changed after it."""
    told: list[Any] = []
    with transaction.atomic(), on_commit():
        cache.set("key", 1)
        transaction.on_commit(lambda: told.append(cache.get("key")))
        cache.set("key", 2)
        transaction.on_commit(lambda: told.append(cache.get("key")))
    assert told == [1, 2]


def test_add_overwrites_nobody(cache: Any) -> None:
    """What another has added meanwhile stays."""
    with transaction.atomic(), on_commit():
        assert cache.add("key", "mine") is True
        assert cache.add("key", "again") is False
        assert elsewhere(lambda: cache.add("key", "theirs")) is True
        assert cache.get("key") == "mine"
    assert cache.get("key") == "theirs"


def test_an_increment_is_added_to_what_is_there(cache: Any) -> None:
    """So that no count is lost."""
    cache.set("key", 10)
    with transaction.atomic(), on_commit():
        assert cache.incr("key", 5) == 15
        assert cache.decr("key") == 14
        elsewhere(lambda: cache.incr("key", 100))
    assert cache.get("key") == 114


def test_redis_that_is_away_at_the_commit(own_valkey: Any, make_cache: Any) -> None:
    """Memory answers, and the keys are in the journal, as with any change."""
    server = own_valkey()
    cache = make_cache(LOCATION=f"{server.url}/0")
    cache.set("key", 1)
    with transaction.atomic(), on_commit():
        cache.set("key", 2)
        cache.delete("other")
        server.kill()
    assert cache.get("key") == 2
    assert cache.stats().journaled == 2


def test_an_error_keeps_no_other_callback_from_running(
    own_valkey: Any, make_cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The transaction is committed: its error is logged by Django, and raised nowhere."""
    server = own_valkey()
    cache = make_cache(LOCATION=f"{server.url}/0", OPTIONS={"FALLBACK": "raise"})
    ran: list[int] = []
    with transaction.atomic(), on_commit():
        cache.set("key", 1)
        transaction.on_commit(lambda: ran.append(1))
        server.kill()
    assert ran == [1]
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert "Change.apply" in record.getMessage()
    del record
    caplog.clear()


@pytest.mark.parametrize("serializer", ["json.JSONSerializer", "msgpack.MSGPackSerializer"])
def test_other_formats(make_cache: Any, serializer: str) -> None:
    """What waits is written as it was serialized, increments included."""
    cache = make_cache(OPTIONS={"SERIALIZER": f"django_redis.serializers.{serializer}"})
    cache.set("float", 1.5)
    with transaction.atomic(), on_commit():
        cache.set("key", {"a": [1]}, tags=["tag"], grace=5)
        cache.set_many({"many": [2]})
        assert cache.incr("float") == 2.5
        assert cache.get("key") == {"a": [1]}
    elsewhere(cache._node.memory.invalidate_all)
    assert cache.get_many(["key", "many", "float"]) == {
        "key": {"a": [1]},
        "many": [2],
        "float": 2.5,
    }


# What is not deferred


def test_other_calls_are_applied_at_once(make_cache: Any) -> None:
    """They say so in the docs."""
    cache = make_cache()
    cache.set_many({"key": 1, "kept": 1, "old": 1}, timeout=500)
    with suppress(Undo), transaction.atomic(), on_commit():
        cache.hset("hash", "field", 1)
        cache.expire("key", 5)
        cache.persist("kept")
        cache.incr_version("old")
        assert connection.run_on_commit == []
        assert cache.hkeys("hash") == ["field"]
        assert sorted(cache.keys("k*")) == ["kept", "key"]
        raise Undo
    assert 0 < cache.ttl("key") <= 5
    assert cache.ttl("kept") is None
    assert cache.get("old", version=2) == 1


def test_asynchronous_calls_are_applied_at_once(cache: Any) -> None:
    """Django has no transactions there: they neither wait nor see what waits."""
    cache.set("key", 0)

    async def there() -> Any:
        await cache.aset("other", 1)
        cache.set("another", 1)
        return await cache.aget("key"), await cache.aget_many(["key"])

    with transaction.atomic(), on_commit():
        cache.set("key", 1)
        assert asyncio.run(there()) == (0, {"key": 0})
        assert async_to_sync(there)() == (0, {"key": 0})
        assert elsewhere(lambda: cache.get_many(["other", "another"])) == {
            "other": 1,
            "another": 1,
        }
        assert cache.get("key") == 1
    assert cache.get("key") == 1


def test_an_asynchronous_block_reaches_synchronous_code(cache: Any) -> None:
    """Transactions that are opened in `sync_to_async` inside it defer; its own calls do not."""
    told: list[Any] = []

    def work() -> None:
        with transaction.atomic():
            cache.set("key", 1)
            told.append(elsewhere(lambda: cache.get("key")))
        hang_up()

    @on_commit()
    async def view() -> None:
        await cache.aset("other", 1)
        told.append(await cache.aget("other"))
        await sync_to_async(work)()

    asyncio.run(view())
    assert told == [1, None]
    assert cache.get("key") == 1


# Blocks, options, databases


def test_a_function_can_be_decorated(cache: Any) -> None:
    """Each of its calls is a block of its own, one within another too."""

    @on_commit()
    def change(depth: int) -> str:
        assert transactions.blocks == 3 - depth
        if depth:
            return change(depth - 1)
        cache.set("key", 1)
        return "answer"

    with transaction.atomic():
        assert change(2) == "answer"
        assert elsewhere(lambda: cache.get("key")) is None
    assert cache.get("key") == 1


def test_a_block_object_serves_several_threads(cache: Any) -> None:
    """However their blocks overlap."""
    block, entered, left = on_commit(), threading.Event(), threading.Event()

    def meanwhile() -> None:
        with block:
            entered.set()
            assert left.wait(10)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with block:
            future = pool.submit(meanwhile)
            assert entered.wait(10)
        left.set()
        future.result()
        cache.set("key", 1)
        assert elsewhere(lambda: cache.get("key")) == 1


def test_the_innermost_block_whose_database_has_a_transaction_counts(
    cache: Any, second_database: str
) -> None:
    """Where it has none, it is as if the block were not there."""
    with on_commit(), on_commit(using=second_database):
        with transaction.atomic():
            cache.set("first", 1)
            with transaction.atomic(using=second_database):
                cache.set("second", 1)
                cache.set("first", 2)
                assert cache.get_many(["first", "second"]) == {"first": 2, "second": 1}
                assert elsewhere(lambda: cache.get_many(["first", "second"])) == {}
            assert elsewhere(lambda: cache.get_many(["first", "second"])) == {
                "first": 2,
                "second": 1,
            }
        assert cache.get("first") == 1


def test_the_option_names_a_database(make_cache: Any, second_database: str) -> None:
    """Changes wait for its transactions, not for those of others."""
    cache = make_cache(OPTIONS={"ON_COMMIT": second_database})
    with transaction.atomic():
        cache.set("key", 1)
        assert elsewhere(lambda: cache.get("key")) == 1
        with transaction.atomic(using=second_database):
            cache.set("key", 2)
            assert elsewhere(lambda: cache.get("key")) == 1
        assert elsewhere(lambda: cache.get("key")) == 2


def test_a_database_that_is_not_there_is_refused(make_cache: Any) -> None:
    """The messages name it and what there is."""
    with (
        pytest.raises(ConnectionDoesNotExist, match=r"'nope'.*allowed: 'default'"),
        on_commit("nope"),
    ):
        pass
    with pytest.raises(ImproperlyConfigured, match=r"ON_COMMIT.*'nope'.*'default'"):
        make_cache(OPTIONS={"ON_COMMIT": "nope"})


def test_hits_are_as_cheap_as_ever_once_nothing_waits(cache: Any) -> None:
    """After a rollback as well, of which nobody is told."""
    with suppress(Undo), transaction.atomic(), on_commit():
        cache.set("key", 1)
        assert sources.watching == 1
        raise Undo
    assert sources.watching == 0


def test_a_look_up_does_not_work_through_all_that_waits(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change is indexed once, and once more after a rollback."""
    noted: list[int] = []
    note = View.note
    monkeypatch.setattr(View, "note", lambda *args: noted.append(1) or note(*args))
    cache = make_cache("memory")
    with transaction.atomic(), on_commit():
        for number in range(300):
            cache.set(f"key{number}", number)
        with suppress(Undo), transaction.atomic():
            cache.set("key0", "other")
            raise Undo
        assert [cache.get(f"key{number}") for number in range(300)] == [*range(300)]
        assert len(noted) == 300 + 1 + 300


@pytest.mark.django_db(transaction=False)
def test_in_a_test_case(cache: Any, django_capture_on_commit_callbacks: Any) -> None:
    """Whose transaction never commits: changes are seen, and applied if the test asks for it."""
    with on_commit():
        cache.set("waits", 1)
        with django_capture_on_commit_callbacks(execute=True):
            cache.set("key", 1)
            assert elsewhere(lambda: cache.get("key")) is None
        assert elsewhere(lambda: cache.get_many(["key", "waits"])) == {"key": 1}
        elsewhere(lambda: cache.set("key", 2))
        # It does not wait any more, though Django's list still has it.
        assert cache.get_many(["key", "waits"]) == {"key": 2, "waits": 1}
    cache.set("key", 3)
    assert elsewhere(lambda: cache.get("key")) == 3


def test_the_package_is_imported_without_django() -> None:
    """Settings import it, and what is not used is not loaded."""
    code = "import sys, tiercache; assert 'django' not in sys.modules; tiercache.on_commit"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
