"""The calls of django-redis beyond Django's: the same answers for the same calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings
from django_redis import get_redis_connection

from tests.support.caches import DJANGO_REDIS, TIERED, settings_for
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compat.conftest import Pair
    from tests.support.servers import Valkey

MOMENTS = 2
"""Seconds by which a time left may differ between two runs of one script."""


def both(pair: Pair, valkey: Valkey, script: Callable[[Any], list[Any]]) -> tuple[Any, Any]:
    """Run a script of calls on each cache, from an empty server, and return both lists."""
    answers = []
    for cache in (pair.theirs, pair.ours):
        valkey.client.flushall()
        answers.append(script(cache))
    return answers[0], answers[1]


def on_times(cache: Any) -> list[Any]:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    cache.set_many({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, timeout=None)
    return [
        cache.ttl("missing"),
        cache.pttl("missing"),
        cache.ttl("a"),
        cache.pttl("a"),
        cache.expire("a", 50),
        cache.ttl("a"),
        cache.pexpire("b", 50_000),
        cache.ttl("b"),
        cache.expire_at("c", soon),
        cache.ttl("c"),
        cache.pexpire_at("d", int(soon.timestamp() * 1000)),
        cache.ttl("d"),
        cache.expire_at("e", int(soon.timestamp())),
        cache.ttl("e"),
        cache.persist("a"),
        cache.persist("a"),
        cache.ttl("a"),
        cache.persist("missing"),
        cache.expire("missing", 1),
        cache.pexpire("missing", 1),
        cache.expire("a", timedelta(seconds=30)),
        cache.ttl("a"),
        cache.expire("b", -1),
        cache.get("b"),
        cache.expire("a", 9, version=2),
        cache.ttl("a", version=2),
    ]


def on_conditions(cache: Any) -> list[Any]:
    return [
        cache.set("key", 1, nx=True),
        cache.set("key", 2, nx=True),
        cache.get("key"),
        cache.set("key", 3, xx=True),
        cache.set("other", 1, xx=True),
        cache.get("key"),
        cache.get("other"),
        cache.set("key", 4),
        cache.set("key", 5, timeout=0, nx=True),
        cache.set("fresh", 5, timeout=0, nx=True),
        cache.get("key"),
        cache.set("key", 6, timeout=0),
        cache.set("key", 6, timeout=0),
        cache.get("key"),
        cache.incr("counter", ignore_key_check=True),
        cache.incr("counter", 5),
    ]


def on_keys(cache: Any) -> list[Any]:
    cache.set_many(dict.fromkeys(["ab1", "ab2", "b1", "[x]", "x*", "x?y", "xzy", "back\\slash"], 1))
    cache.set("ab1", 1, version=2)
    return [
        sorted(cache.keys("*")),
        sorted(cache.keys("ab*")),
        sorted(cache.keys("ab?")),
        sorted(cache.keys("[ab]b1")),
        sorted(cache.keys("*", version=2)),
        sorted(cache.iter_keys("*")),
        sorted(cache.iter_keys("ab*", itersize=1)),
        cache.delete_pattern("ab*"),
        sorted(cache.keys("*")),
        cache.delete_pattern("nothing*"),
        cache.delete_pattern("ab*", version=2),
        cache.delete_pattern("*", itersize=2),
        cache.keys("*"),
    ]


def on_sets(cache: Any) -> list[Any]:
    return [
        cache.sadd("a", 1, "two", (3,)),
        cache.sadd("a", 1),
        cache.sadd("b", 1, 9),
        cache.scard("a"),
        cache.scard("missing"),
        cache.smembers("a"),
        cache.smembers("missing"),
        cache.sismember("a", 1),
        cache.sismember("a", 5),
        cache.smismember("a", 1, 5),
        cache.sdiff("a", "b"),
        cache.sinter("a", "b"),
        cache.sunion("a", "b"),
        cache.sdiffstore("c", "a", "b"),
        cache.sinterstore("d", "a", "b"),
        cache.sunionstore("e", "a", "b"),
        [cache.smembers(key) for key in "cde"],
        cache.smove("b", "a", 9),
        cache.smove("b", "a", 9),
        cache.srem("a", 9, "nothing"),
        cache.sscan("a"),
        sorted(map(str, cache.sscan_iter("a"))),
        cache.spop("b"),
        cache.spop("b"),
        cache.sadd("one", 1),
        cache.spop("one", 5),
        cache.srandmember("missing"),
        cache.sadd("one", 1),
        cache.srandmember("one"),
        cache.srandmember("one", 3),
        cache.delete("a"),
        cache.smembers("a"),
    ]


def on_hashes(cache: Any) -> list[Any]:
    return [
        cache.hset("h", "a", 1),
        cache.hset("h", "a", [2]),
        cache.hset("h", mapping={"b": "x", "c": None}),
        cache.hlen("h"),
        sorted(cache.hkeys("h")),
        cache.hexists("h", "a"),
        cache.hexists("h", "z"),
        cache.hdel("h", "a"),
        cache.hdel("h", "a"),
        cache.hkeys("missing"),
        cache.hlen("missing"),
        cache.hlen("h", version=2),
    ]


def on_sorted_sets(cache: Any) -> list[Any]:
    return [
        cache.zadd("z", {"a": 1, "b": 2, "c": 3, "d": 4}),
        cache.zadd("z", {"a": 1.5}),
        cache.zadd("z", {"a": 9}, nx=True),
        cache.zcard("z"),
        cache.zcount("z", 2, "+inf"),
        cache.zincrby("z", 2.5, "a"),
        cache.zrange("z", 0, -1),
        cache.zrange("z", 0, -1, withscores=True),
        cache.zrange("z", 0, 1, desc=True),
        cache.zrevrange("z", 0, 1),
        cache.zrangebyscore("z", 2, 4),
        cache.zrangebyscore("z", 2, 4, start=0, num=1, withscores=True),
        cache.zrevrangebyscore("z", 4, 2),
        cache.zrank("z", "b"),
        cache.zrank("z", "missing"),
        cache.zscore("z", "b"),
        cache.zscore("z", "missing"),
        cache.zpopmin("z"),
        cache.zpopmax("z", 2),
        cache.zrem("z", "a", "d"),
        cache.zremrangebyscore("z", 0, 100),
        cache.zcard("z"),
        cache.zpopmin("z"),
    ]


def on_locks(cache: Any) -> list[Any]:
    lock = cache.lock("lock", timeout=10)
    other = cache.lock("lock", blocking=False)
    answers = [
        type(lock),
        lock.acquire(),
        lock.locked(),
        other.acquire(),
        lock.owned(),
        cache.has_key("lock"),
        lock.extend(5),
        lock.release(),
        lock.locked(),
    ]
    with cache.lock("lock", timeout=1, blocking_timeout=1):
        answers.append(cache.lock("lock", blocking_timeout=0.05, sleep=0.01).acquire())
    answers.append(cache.lock("lock", version=2, timeout=1).acquire())
    return answers


def on_counters(cache: Any) -> list[Any]:
    def failing(*arguments: Any) -> str:
        with pytest.raises(ValueError, match="not found") as caught:
            cache.incr(*arguments)
        return type(caught.value).__name__

    cache.set("big", 2**63 - 1, timeout=100)
    cache.set("text", "7")
    return [
        failing("missing"),
        cache.incr("big"),
        cache.get("big"),
        cache.ttl("big"),
        cache.decr("big", 2),
        cache.set("n", 5),
        cache.incr("n", -3),
        cache.decr("n", 10),
        cache.incr_version("n"),
        cache.get("n", version=2),
        cache.touch("n", 10, version=2),
        cache.ttl("n", version=2),
        cache.has_key("n"),
        cache.add("n", 1),
        cache.add("n", 2),
    ]


@pytest.mark.parametrize(
    "script",
    [on_times, on_conditions, on_keys, on_sets, on_hashes, on_sorted_sets, on_locks, on_counters],
)
def test_answers_are_the_same(
    pair: Pair, valkey: Valkey, script: Callable[[Any], list[Any]]
) -> None:
    """A script of calls gets the same answers, of the same types, from both backends."""
    theirs, ours = both(pair, valkey, script)
    for position, (expected, actual) in enumerate(zip(theirs, ours, strict=True)):
        # bool(...) of a call that answers True or None is as good; a time left may be a tick off.
        assert type(actual) is type(expected), (position, expected, actual)
        if type(expected) is int and abs(expected) > MOMENTS:
            assert abs(actual - expected) <= MOMENTS, (position, expected, actual)
        else:
            assert actual == expected, (position, expected, actual)


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.expire("key", -1),
        lambda cache: cache.pexpire("key", -1),
        lambda cache: cache.expire_at("key", 1),
        lambda cache: cache.pexpire_at("key", 1),
        lambda cache: cache.delete_pattern("k*"),
        lambda cache: cache.set("key", None, timeout=0),
        lambda cache: cache.touch("key", 0),
        lambda cache: cache.delete_many(["key"]),
        lambda cache: cache.clear(),
    ],
    ids=[
        "expire",
        "pexpire",
        "expire_at",
        "pexpire_at",
        "delete_pattern",
        "set",
        "touch",
        "delete_many",
        "clear",
    ],
)
def test_a_call_that_changes_a_key_drops_its_copy(
    pair: Pair, change: Callable[[Any], object]
) -> None:
    """Memory does not answer with what the call has removed."""
    pair.ours.set("key", "value")
    assert pair.ours.get("key") == "value"
    change(pair.ours)
    assert pair.ours.get("key") is None
    assert pair.theirs.get("key") is None


def test_memory_does_not_outlive_a_shorter_timeout(pair: Pair) -> None:
    """Expire shortens the life of the copy too."""
    pair.ours.set("key", "value", timeout=60)
    pair.ours.pexpire("key", 150)
    assert pair.ours.get("key") == "value"
    eventually(lambda: pair.ours.get("key") is None, within=0.5)


def test_the_raw_client_is_to_be_had(pair: Pair, valkey: Valkey) -> None:
    """`django_redis.get_redis_connection` gives a redis client on the same server."""
    client = get_redis_connection("default")
    assert isinstance(client, redis.Redis)
    pair.ours.set("key", 5)
    assert client.get(pair.ours.make_key("key")) == b"5"


GLOBS = ["plain", "st*r", "wh?t", "[ab]c", "back\\slash", "*", "]odd[", "a:b"]


@pytest.mark.parametrize("prefix", GLOBS)
def test_clear_removes_this_caches_keys_alone(
    make_caches: Callable[..., dict[str, Any]], valkey: Valkey, prefix: str
) -> None:
    """All versions of this prefix go; every other key in the database stays, globs or not."""
    # What the prefix would match if it were a pattern, or if it were taken as a beginning.
    neighbours = [
        *["stxxr", "what", "ac", "bc", "backslash", "back", "x", "plainer", "a"],
        "",
        f"{prefix}x",
    ]
    made = make_caches(
        default=settings_for("tiered", valkey.url, KEY_PREFIX=prefix),
        **{
            f"n{number}": settings_for("tiered", valkey.url, KEY_PREFIX=neighbour)
            for number, neighbour in enumerate(neighbours)
        },
    )
    cache = made.pop("default")
    valkey.client.set("foreign", 1)
    valkey.client.set(f"{prefix}", 1)
    cache.set_many({f"key{n}": n for n in range(25)})
    cache.set("key", "two", version=2)
    for other in made.values():
        other.set("key", "stays")
    cache.clear()
    assert cache.get_many([f"key{n}" for n in range(25)]) == {}
    assert cache.get("key", version=2) is None
    assert [other.get("key") for other in made.values()] == ["stays"] * len(made)
    kept = {key.decode() for key in valkey.client.scan_iter()}
    assert kept == {"foreign", prefix} | {other.make_key("key") for other in made.values()}


def test_a_settings_file_for_django_redis_works(
    client: Any, valkey: Valkey, db: None, make_caches: Any
) -> None:
    """With BACKEND alone changed: sessions, pages and locks go on where django-redis left them."""
    sites = {
        "default": {
            "BACKEND": DJANGO_REDIS,
            "LOCATION": f"{valkey.url}/1",
            "TIMEOUT": 300,
            "KEY_PREFIX": "site",
            "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.DefaultClient",
                "SERIALIZER": "django_redis.serializers.pickle.PickleSerializer",
                "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                "CONNECTION_POOL_KWARGS": {"max_connections": 20},
                "SOCKET_CONNECT_TIMEOUT": 2,
                "SOCKET_TIMEOUT": 2,
                "IGNORE_EXCEPTIONS": True,
            },
        }
    }
    with override_settings(CACHES=sites):
        assert client.get("/visits/").content == b"1"
        page = client.get("/page/").content
        held = caches["default"].lock("job", timeout=30)
        assert held.acquire()
    changed = {"default": sites["default"] | {"BACKEND": TIERED}}
    with override_settings(CACHES=changed):
        assert client.get("/visits/").content == b"2"
        assert client.get("/page/").content == page
        assert client.get("/page/").content == page
        assert not caches["default"].lock("job", blocking=False).acquire()
        assert settings.CACHES["default"]["BACKEND"] == TIERED
    with override_settings(CACHES=sites):
        assert client.get("/visits/").content == b"3"
        assert client.get("/page/").content == page
        held.release()
