"""The backplane on real servers: what one node changes, the others hear, or know that they do not.

Two aliases with the same keys and another value format are two nodes in one process.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings

from tests.coherence.nodes import (
    SOON,
    Ear,
    caught_up,
    dropped,
    hold,
    in_memory,
    pair_settings,
    settled,
)
from tests.support.caches import settings_for, wait_until_joined
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tests.test_processes import run
from tiercache import listener
from tiercache.backplane import Backplane
from tiercache.listener import Listener
from tiercache.messages import MOST_CHARACTERS, MOST_KEYS, Post, channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.caches import Face
    from tests.support.proxy import Proxy
    from tests.support.servers import Valkey

Pair = tuple[Any, Any]

BUDGET = 0.15
"""TIME_BUDGET where a server is away, in seconds: to be done sooner."""


@pytest.fixture
def pair(valkey: Valkey, make_caches: Callable[..., dict[str, Any]]) -> Pair:
    """Two nodes with the same keys on the shared server, both listening."""
    made = make_caches(**pair_settings(valkey.url))
    return made["default"], made["other"]


@pytest.fixture
def ear(valkey: Valkey) -> Iterator[Ear]:
    """What is said on the shared server's database 0."""
    ear = Ear(valkey)
    yield ear
    ear.close()


@pytest.fixture
def slow_return(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a node be without its subscription for half a second, time enough to look at it."""
    monkeypatch.setattr(listener, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(listener, "jitter", lambda: 1.0)


@pytest.fixture
def quick_heart(monkeypatch: pytest.MonkeyPatch) -> float:
    """A heartbeat's deadline short enough to wait for."""
    seconds = 0.3
    defaults = {**(Listener.__init__.__kwdefaults__ or {}), "heartbeat": seconds}
    monkeypatch.setattr(Listener.__init__, "__kwdefaults__", defaults)
    return seconds


def kill_subscribers(server: Valkey) -> None:
    # A node that was cut a moment ago may not have subscribed again yet.
    eventually(lambda: server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1)


# Every change reaches the other node


@pytest.mark.parametrize(
    "change",
    [
        lambda face: face.set("key", 2),
        lambda face: face.set("key", 2, None),
        lambda face: face.set("key", 2, xx=True),
        lambda face: face.set("key", 2, timeout=0),
        lambda face: face.set("key", [2]),
        lambda face: face.set_many({"key": 2, "more": 3}),
        lambda face: face.set_many({"key": 2}, timeout=60),
        lambda face: face.delete("key"),
        lambda face: face.delete_many(["nothing", "key"]),
        lambda face: face.touch("key", 60),
        lambda face: face.touch("key", None),
        lambda face: face.touch("key", 0),
        lambda face: face.incr("key"),
        lambda face: face.incr("key", 0.5),
        lambda face: face.decr("key"),
        lambda face: face.incr_version("key"),
        lambda face: face.decr_version("key"),
        lambda face: face.clear(),
    ],
    ids=[
        "set",
        "set-for-ever",
        "set-xx",
        "set-gone",
        "set-list",
        "set_many",
        "set_many-timeout",
        "delete",
        "delete_many",
        "touch",
        "touch-for-ever",
        "touch-gone",
        "incr",
        "incr-float",
        "decr",
        "incr_version",
        "decr_version",
        "clear",
    ],
)
def test_a_change_drops_the_other_nodes_copy(
    pair: Pair, make_face: Any, change: Callable[[Face], object]
) -> None:
    """Whatever was changed, the other node's next answer is Redis's."""
    writer, reader = pair
    face = make_face(writer)
    face.set("key", 1, 600)
    hold(reader, "key")
    change(face)
    dropped(reader, "key")
    assert reader.get("key", "none") == writer.get("key", "none")
    assert reader.ttl("key") == writer.ttl("key")


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.expire("key", 60),
        lambda cache: cache.pexpire("key", 60_000),
        lambda cache: cache.expire_at("key", int(time.time()) + 60),
        lambda cache: cache.pexpire_at("key", int(time.time() * 1000) + 60_000),
        lambda cache: cache.expire("key", 0),
        lambda cache: cache.persist("key"),
        lambda cache: cache.delete_pattern("k*"),
        lambda cache: cache.delete_pattern("*", itersize=10),
    ],
    ids=[
        "expire",
        "pexpire",
        "expire_at",
        "pexpire_at",
        "expire-gone",
        "persist",
        "delete_pattern",
        "delete_pattern-all",
    ],
)
def test_so_does_a_change_by_one_of_django_rediss_calls(
    pair: Pair, change: Callable[[Any], object]
) -> None:
    """A copy's life is Redis's to say, and patterns reach what they fit everywhere."""
    writer, reader = pair
    writer.set("key", 1, 600)
    hold(reader, "key")
    assert change(writer)
    dropped(reader, "key")
    assert reader.get("key", "none") == writer.get("key", "none")
    assert reader.ttl("key") == writer.ttl("key")


@pytest.mark.parametrize(
    "change",
    [
        lambda face: face.add("key", 2),
        lambda face: face.set("key", 2, nx=True),
        lambda face: face.incr("key", ignore_key_check=True),
    ],
    ids=["add", "set-nx", "incr-from-nothing"],
)
def test_so_does_a_key_that_is_made_anew(
    pair: Pair, valkey: Valkey, make_face: Any, change: Callable[[Face], object]
) -> None:
    """The other node may still have a copy of what somebody removed without a word."""
    writer, reader = pair
    face = make_face(writer)
    face.set("key", "old")
    hold(reader, "key")
    valkey.client.delete(writer.make_key("key"))
    assert change(face)
    dropped(reader, "key")


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.sadd("key", "a"),
        lambda cache: cache.sunionstore("key", "members", "members"),
        lambda cache: cache.smove("members", "key", "m"),
        lambda cache: cache.hset("key", "field", 1),
        lambda cache: cache.zadd("key", {"a": 1.0}),
        lambda cache: cache.zincrby("key", 1.0, "a"),
    ],
    ids=["sadd", "sunionstore", "smove", "hset", "zadd", "zincrby"],
)
def test_so_does_a_structure_put_where_a_value_was(
    pair: Pair, valkey: Valkey, change: Callable[[Any], object]
) -> None:
    """Sets, hashes and sorted sets live in Redis alone; a copy under their key is no more true."""
    writer, reader = pair
    writer.sadd("members", "m")
    writer.set("key", "old")
    hold(reader, "key")
    valkey.client.delete(writer.make_key("key"))
    assert change(writer)
    dropped(reader, "key")


def test_incr_version_drops_what_was_at_the_new_version(pair: Pair, make_face: Any) -> None:
    """The entry takes another's place, and that one's copies go with it."""
    writer, reader = pair
    face = make_face(writer)
    face.set("key", "moves")
    face.set("key", "replaced", version=2)
    assert reader.get("key", version=2) == "replaced"
    assert face.incr_version("key") == 2
    dropped(reader, "key", version=2)
    assert reader.get("key", version=2) == "moves"


def test_another_process_is_heard(valkey: Valkey, make_caches: Any) -> None:
    """It is the same between processes as between two nodes of one."""
    conf = settings_for("tiered", valkey.url)
    cache = make_caches(default=conf)["default"]
    cache.set_many({"set": "ours", "deleted": "ours"})
    script = """
        assert cache.get("set") == "ours"
        cache.set("set", "theirs")
        assert cache.delete("deleted")
    """
    run(script, valkey.url, KEY_PREFIX=conf["KEY_PREFIX"])
    eventually(lambda: cache.get("set") == "theirs", within=SOON)
    eventually(lambda: cache.get("deleted") is None, within=SOON)


# What is said, and what is not


def test_what_changes_nothing_says_nothing(pair: Pair, make_face: Any, ear: Ear) -> None:
    """Writes that were not carried out publish nothing."""
    face = make_face(pair[0])
    face.set("there", 1, None)
    ear.heard()
    assert not face.add("there", 2)
    assert not face.set("there", 2, nx=True)
    assert not face.set("missing", 2, xx=True)
    assert not face.touch("missing", 60)
    assert not face.touch("missing", None)
    for change in (face.incr, face.decr, face.incr_version):
        with pytest.raises(ValueError, match="missing"):
            change("missing")
    assert not face.cache.expire("missing", 60)
    assert not face.cache.persist("there")
    assert face.cache.delete_pattern("miss*") == 0
    assert ear.heard() == []


def test_a_delete_says_so_in_any_case(pair: Pair, make_face: Any, valkey: Valkey) -> None:
    """What the server has evicted for want of memory may be in others' memories."""
    face, other = make_face(pair[0]), pair[1]
    face.set("key", 1, None)
    hold(other, "key")
    valkey.client.unlink(other.make_key("key"))
    assert not face.delete("key")
    dropped(other, "key")


def test_reads_and_fills_say_nothing(pair: Pair, make_face: Any, ear: Ear) -> None:
    """However often nodes fill their memory, nobody is told."""
    writer, reader = pair
    writer.set_many({"a": 1, "b": 2})
    face = make_face(reader)
    ear.heard()
    for _ in range(3):
        assert face.get("a") == 1
        assert face.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
        assert face.has_key("b")
        assert face.get("c") is None
        reader._node.memory.invalidate_all()
    assert reader.ttl("a") > 0
    assert sorted(reader.keys()) == ["a", "b"]
    assert ear.heard() == []


def test_many_keys_are_one_message(pair: Pair, make_face: Any, ear: Ear) -> None:
    """Ten keys that are written or deleted together are told together."""
    face = make_face(pair[0])
    values = {f"key{number}": number for number in range(10)}
    full = [face.cache.make_key(key) for key in values]
    ear.heard()
    face.set_many(values)
    assert ear.heard() == [(face.cache._node.id, full)]
    face.delete_many(values)
    assert ear.heard() == [(face.cache._node.id, full)]


def test_one_change_is_one_message(pair: Pair, make_face: Any, ear: Ear) -> None:
    """It names its node and the full key, and nothing else."""
    face = make_face(pair[0])
    key = face.cache.make_key("key")
    ear.heard()
    face.set("key", 1)
    face.incr("key")
    face.incr("key", 0.5)
    face.touch("key", 60)
    face.delete("key")
    assert ear.heard() == [(face.cache._node.id, [key])] * 5


def test_more_keys_than_a_message_names_are_all_dropped(
    pair: Pair, make_face: Any, ear: Ear
) -> None:
    """No message is longer than its bound, and no key is forgotten."""
    writer, reader = pair
    face = make_face(writer)
    values = {f"key{number}": number for number in range(MOST_KEYS + 1)}
    face.set_many(values)
    reader.get_many(values)
    ear.heard()
    face.delete_many(values)
    assert all(keys is None or len(keys) <= MOST_KEYS for _, keys in ear.heard())
    eventually(lambda: not any(in_memory(reader, key) for key in values), within=SOON)


def test_more_text_than_a_message_carries_says_everything(
    pair: Pair, make_face: Any, ear: Ear
) -> None:
    """Long keys make it "everything", which drops what was not changed, too."""
    writer, reader = pair
    face = make_face(writer)
    face.set("unchanged", 1)
    hold(reader, "unchanged")
    ear.heard()
    face.set_many({f"{number:0>200}": number for number in range(MOST_CHARACTERS // 200 + 1)})
    assert ear.heard() == [(writer._node.id, None)]
    dropped(reader, "unchanged")
    assert face.get("unchanged") == 1


def test_past_its_bound_a_message_says_everything() -> None:
    """One key more than it names, or one character more than it carries."""
    post = Post("channel", "me")
    most = tuple(map(str, range(MOST_KEYS)))
    assert post.of(most)[1] != '["me", null]'
    assert post.of((*most, "one more")) == ("channel", '["me", null]')
    assert post.of(("x" * MOST_CHARACTERS,))[1] != '["me", null]'
    assert post.of(("x" * MOST_CHARACTERS, "x")) == ("channel", '["me", null]')


def test_a_nodes_own_messages_change_nothing_on_it(pair: Pair, make_face: Any) -> None:
    """What it wrote stays readable from memory after its message has come back to it."""
    writer, _ = pair
    face = make_face(writer)
    face.set("key", 1)
    face.set_many({"a": 2, "b": 3})
    caught_up(writer)
    before = writer.stats().memory_hits
    assert face.get("key") == 1
    assert face.get_many(["a", "b"]) == {"a": 2, "b": 3}
    assert writer.stats().memory_hits == before + 3


def test_another_nodes_message_about_the_same_key_is_not_taken_for_its_own(pair: Pair) -> None:
    """Both write the same key in turn; each drops its copy every time."""
    one, other = pair
    for number in range(20):
        one.set("key", number)
        eventually(lambda number=number: other.get("key") == number, within=SOON)
        other.set("key", -number)
        eventually(lambda number=number: one.get("key") == -number, within=SOON)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense",
        b"\xff\xfe",
        b"",
        b"[]",
        b'["x"]',
        b"[1, null]",
        b'["x", "y"]',
        b'["x", {"a": 1}]',
        b'["x", [], 3]',
        b"5",
        b"null",
        b'["x", [1]]',
        b'["x", [["a"]]]',
        b'["x", ["a"]] ["more"]',
        b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_a_malformed_message_drops_everything(
    pair: Pair, valkey: Valkey, caplog: pytest.LogCaptureFixture, nonsense: bytes
) -> None:
    """What is not understood might say anything; the subscription goes on without a break."""
    writer, reader = pair
    writer.set("key", 1)
    hold(reader, "key")
    with caplog.at_level(logging.INFO, "tiercache"):
        valkey.client.publish(channel(0), nonsense)
        dropped(reader, "key")
    settled(writer, reader)
    hold(reader, "key")
    writer.set("key", 2)
    eventually(lambda: reader.get("key") == 2, within=SOON)
    assert not [record.getMessage() for record in caplog.records]


def test_another_databases_changes_are_not_heard(
    valkey: Valkey, make_caches: Any, make_face: Any
) -> None:
    """Pub/Sub itself does not tell databases apart; the channel's name does."""
    conf = pair_settings(valkey.url)
    here, there = ({**conf[alias], "LOCATION": f"{valkey.url}/1"} for alias in conf)
    made = make_caches(default=conf["default"], here=here, there=there)
    ear = Ear(valkey, database=1)
    made["here"].set("key", "database 1")
    hold(made["there"], "key")
    ear.heard()
    make_face(made["default"]).set("key", "database 0")
    assert ear.heard() == []
    ear.close()
    caught_up(made["there"])
    assert in_memory(made["there"], "key")
    assert made["there"].get("key") == "database 1"


# The subscription is lost


def test_a_node_without_its_subscription_asks_redis(
    pair: Pair, valkey: Valkey, make_face: Any, slow_return: None
) -> None:
    """It notices, bypasses memory, drops what it held, joins again, and memory answers again."""
    writer, reader = pair
    face = make_face(reader)
    writer.set_many({"changed": 1, "same": 1})
    hold(reader, "changed", "same")
    kill_subscribers(valkey)
    eventually(lambda: reader.stats().backplane == "lost", within=SOON)
    before = reader.stats()
    writer.set("changed", 2)
    assert face.get("changed") == 2
    assert face.get("same") == 1
    assert face.get_many(["changed", "same"]) == {"changed": 2, "same": 1}
    assert face.has_key("same")
    after = reader.stats()
    assert after.backplane == "lost"
    assert after.memory_hits == before.memory_hits
    assert after.redis_hits == before.redis_hits + 4
    settled(writer, reader)
    assert not in_memory(reader, "same")
    assert face.get("changed") == 2
    hits = reader.stats().memory_hits
    assert face.get("changed") == 2
    assert reader.stats().memory_hits == hits + 1


def test_a_nodes_own_writes_are_not_kept_without_a_subscription(
    pair: Pair, valkey: Valkey, make_face: Any, slow_return: None
) -> None:
    """A copy that nobody would drop is not made; Redis has the value."""
    writer, _ = pair
    face = make_face(writer)
    kill_subscribers(valkey)
    eventually(lambda: writer.stats().backplane == "lost", within=SOON)
    face.set("key", 1)
    face.set_many({"more": 2})
    assert face.get("key") == 1
    assert not in_memory(writer, "key")
    assert not in_memory(writer, "more")
    assert writer.stats().backplane == "lost"


def test_what_was_missed_while_the_subscription_was_away_is_not_served_afterwards(
    pair: Pair, valkey: Valkey
) -> None:
    """Killed again and again, a node never goes back to a value that was replaced."""
    writer, reader = pair
    for number in range(30):
        writer.set("key", number)
        kill_subscribers(valkey)
        reader.get("key")
        writer.set("key", -number)
        eventually(lambda number=number: reader.get("key") == -number, within=SOON)
        settled(reader)
        assert reader.get("key") == -number


def test_a_half_open_connection_is_noticed(
    own_valkey: Callable[..., Valkey],
    proxied: Callable[[Valkey], Proxy],
    make_caches: Any,
    quick_heart: float,
) -> None:
    """Silence past the heartbeat's deadline is a loss, though no call has been made meanwhile."""
    server = own_valkey()
    proxy = proxied(server)
    conf = pair_settings(server.url)
    behind = {**conf["default"], "LOCATION": f"{proxy.url}/0"}
    made = make_caches(default=behind, other=conf["other"])
    reader, writer = made["default"], made["other"]
    writer.set("key", 1)
    hold(reader, "key")
    proxy.blackhole("replies")
    with Stopwatch() as watch:
        eventually(lambda: reader.stats().backplane == "lost", within=4 * quick_heart)
    assert watch.seconds < 2 * quick_heart + 0.25
    writer.set("key", 2)
    proxy.heal()
    settled(reader)
    assert reader.get("key") == 2


def test_a_quiet_connection_is_not_taken_for_a_lost_one(
    pair: Pair, quick_heart: float, valkey: Valkey, make_caches: Any
) -> None:
    """Where nothing changes the heartbeat's answers are enough, and nothing is dropped."""
    made = make_caches(**pair_settings(valkey.url))
    reader = made["default"]

    def is_lost() -> bool:
        settled(reader)
        reader.set("key", 1)
        lost = threading.Event()
        reader._node._backplane._changed = lost.set
        return lost.wait(4 * quick_heart)

    # A machine that stands still for as long as a heart may is not the connection's doing.
    assert not all(is_lost() for _ in range(3))
    assert in_memory(reader, "key")


def test_nothing_is_kept_before_the_first_acknowledgement(
    valkey: Valkey, make_caches: Any, make_face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the server has confirmed the subscription, every answer is Redis's."""
    may_subscribe = threading.Event()
    subscription = Backplane._subscription

    def late(self: Backplane) -> Any:
        may_subscribe.wait(10)
        return subscription(self)

    monkeypatch.setattr(Backplane, "_subscription", late)
    cache = make_caches(default=settings_for("tiered", valkey.url))["default"]
    face = make_face(cache)
    face.set("key", 1)
    face.set_many({"more": 2})
    for _ in range(2):
        assert face.get("key") == 1
        assert face.get_many(["key", "more"]) == {"key": 1, "more": 2}
    stats = cache.stats()
    assert (stats.backplane, stats.entries, stats.memory_hits) == ("lost", 0, 0)
    may_subscribe.set()
    settled(cache)
    assert cache.stats().entries == 0
    assert face.get("key") == 1
    assert face.get("key") == 1
    assert cache.stats().memory_hits == 1


# The server is gone, or silent


def exposed_pair(make_caches: Any, server: Valkey) -> Pair:
    made = make_caches(**pair_settings(server.url, TIME_BUDGET=BUDGET))
    return made["default"], made["other"]


def agree_with_redis(server: Valkey, nodes: Pair, *keys: str) -> None:
    """Check that each node says about each key what Redis says, on first and on second asking."""
    for key in keys:
        raw = server.client.get(nodes[0].make_key(key))
        truth = None if raw is None else int(raw)
        assert [node.get(key) for node in nodes * 2] == [truth] * 4, key


def test_a_server_that_comes_back_empty(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """Both nodes end up empty with it, whatever they held, wrote and deleted meanwhile."""
    server = own_valkey()
    pair = exposed_pair(make_caches, server)
    one, other = pair
    face = make_face(one)
    face.set_many({"deleted": 1, "changed": 1, "kept": 1})
    hold(other, "deleted", "changed", "kept")
    server.kill()
    face.delete("deleted")
    face.set("changed", 2)
    face.set("new", 2)
    assert face.get("changed") == 2
    server.start()
    settled(*pair)
    agree_with_redis(server, pair, "deleted", "changed", "kept", "new")
    assert server.client.keys(one.make_key("*")) == []
    face.set("changed", 3)
    eventually(lambda: other.get("changed") == 3, within=SOON)


def test_a_server_that_was_frozen(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """It carries out what had been given up; in the end all agree, and what was deleted is."""
    server = own_valkey()
    pair = exposed_pair(make_caches, server)
    one, other = pair
    face = make_face(one)
    face.set_many({"deleted": 1, "changed": 1, "rewritten": 1, "kept": 1})
    hold(other, "deleted", "changed", "rewritten", "kept")
    server.freeze()
    face.set("rewritten", 2)
    face.delete("rewritten")
    face.delete("deleted")
    face.set("changed", 2)
    assert face.get("changed") == 2
    server.thaw()
    settled(*pair)
    for key in ("deleted", "rewritten", "changed"):
        eventually(lambda key=key: other.get(key) is None, within=SOON)
    agree_with_redis(server, pair, "deleted", "changed", "rewritten", "kept")
    assert server.client.exists(one.make_key("deleted"), one.make_key("rewritten")) == 0
    assert other.get("kept") == 1


# "tracking"


@pytest.fixture
def tracked(valkey: Valkey, make_caches: Any) -> Any:
    """A cache on the shared server to which the server tells every client's changes."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "tracking"})
    return make_caches(default=conf)["default"]


@pytest.mark.parametrize(
    "change",
    [
        lambda client, key: client.set(key, 2),
        lambda client, key: client.delete(key),
        lambda client, key: client.expire(key, 60),
        lambda client, key: client.append(key, 0),
        lambda client, key: client.rename(key, f"{key}-gone"),
        lambda client, key: client.flushdb(),
        lambda client, key: client.flushall(),
    ],
    ids=["SET", "DEL", "EXPIRE", "APPEND", "RENAME", "FLUSHDB", "FLUSHALL"],
)
def test_tracking_hears_every_client(
    tracked: Any, valkey: Valkey, change: Callable[[Any, str], object]
) -> None:
    """What any program does to a key in whatever way drops the copy."""
    tracked.set("key", 1)
    hold(tracked, "key")
    full = tracked.make_key("key")
    change(valkey.client, full)
    dropped(tracked, "key")
    raw = valkey.client.get(full)
    assert tracked.get("key") == (None if raw is None else int(raw))


def test_tracking_hears_an_expiry(tracked: Any) -> None:
    """The server tells when it removes a key; here the copy's own deadline is put off."""
    tracked.set("key", 1, timeout=0.5)
    hold(tracked, "key")
    assert tracked._node.memory.retime(tracked.make_key("key"), time.monotonic() + 60)
    eventually(lambda: not in_memory(tracked, "key"), within=3)
    assert tracked.get("key") is None


def test_tracking_hears_an_eviction(own_valkey: Callable[..., Valkey], make_caches: Any) -> None:
    """A full server drops keys on its own; copies go with them."""
    server = own_valkey()
    conf = settings_for("tiered", server.url, OPTIONS={"BACKPLANE": "tracking"})
    cache = make_caches(default=conf)["default"]
    cache.set("key", 1, None)
    hold(cache, "key")
    used = server.client.info("memory")["used_memory"]
    server.configure(maxmemory_policy="allkeys-lru", maxmemory=used + 500_000)
    for number in range(5000):
        server.client.set(f"ballast{number}", "x" * 5000)
        if not server.client.exists(cache.make_key("key")):
            break
    assert not server.client.exists(cache.make_key("key")), "nothing was evicted"
    dropped(cache, "key")


def test_with_tracking_an_own_write_is_readable_at_once(tracked: Any, make_face: Any) -> None:
    """The server's echo may cost a read, never the value."""
    face = make_face(tracked)
    for number in range(200):
        face.set("key", number)
        assert face.get("key") == number
    face.delete("key")
    assert face.get("key") is None


def test_with_tracking_nobody_publishes(tracked: Any, make_face: Any, ear: Ear) -> None:
    """The server tells; a message would be a second time."""
    face = make_face(tracked)
    face.set("key", 1)
    face.set_many({"key": 2, "more": 3})
    face.incr("key")
    face.touch("key", 60)
    face.delete_many(["key", "more"])
    tracked.sadd("members", 1)
    assert ear.heard() == []


@pytest.mark.parametrize("prefixes", [("a", "b"), ("a", "a:1:b"), ("a:1:b", "a"), ("", "a")])
def test_tracking_hears_all_prefixes_of_a_store(
    valkey: Valkey, make_caches: Any, prefixes: tuple[str, str]
) -> None:
    """Aliases share a connection, and one prefix may begin with the other."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "tracking"})
    one, other = ({**conf, "KEY_PREFIX": prefix} for prefix in prefixes)
    made = make_caches(default=one, other=other)
    for cache in made.values():
        settled(cache)
        cache.set("key", 1)
        hold(cache, "key")
        valkey.client.set(cache.make_key("key"), 2)
        dropped(cache, "key")
        assert cache.get("key") == 2


def test_tracking_hears_a_cache_that_is_first_used_later(valkey: Valkey) -> None:
    """Its prefix is tracked from its first use, without a gap in which old values are kept."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "tracking"})
    late_conf = {**conf, "KEY_PREFIX": f"{conf['KEY_PREFIX']}-late"}
    with override_settings(CACHES={**settings.CACHES, "default": conf, "late": late_conf}):
        first = caches["default"]
        wait_until_joined(first)
        first.set("key", 1)
        late = caches["late"]
        late.set("key", 1)
        settled(late)
        for cache in (late, first):
            hold(cache, "key")
            valkey.client.set(cache.make_key("key"), 2)
            dropped(cache, "key")
            assert cache.get("key") == 2


def hashed(key: Any, prefix: str, version: int) -> str:
    """A key function that leaves no pattern to tell its keys by."""
    return hashlib.sha256(f"{prefix}:{version}:{key}".encode()).hexdigest()


@pytest.mark.parametrize("functions", [(hashed,), (hashed, None), (None, hashed)])
def test_tracking_hears_keys_that_leave_no_pattern(
    valkey: Valkey, make_caches: Any, functions: tuple[Any, ...]
) -> None:
    """A cache that hashes its keys is told of them, also where it shares its store."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "tracking"})
    aliases = ("default", "other")[: len(functions)]
    made = make_caches(
        **{
            alias: {**conf, "KEY_FUNCTION": function}
            for alias, function in zip(aliases, functions, strict=True)
        }
    )
    for alias in aliases:
        cache = made[alias]
        settled(cache)
        cache.set("key", 1)
        eventually(lambda cache=cache: cache.get("key") and in_memory(cache, "key"), within=SOON)
        valkey.client.set(cache.make_key("key"), 2)
        eventually(lambda cache=cache: cache.get("key") == 2, within=SOON)


def test_tracking_that_was_cut_off_is_noticed(
    tracked: Any, valkey: Valkey, slow_return: None
) -> None:
    """It dies with its connection: memory is bypassed until it is tracked again."""
    tracked.set("key", 1)
    hold(tracked, "key")
    listening = [client for client in valkey.client.client_list() if "B" in client["flags"]]
    assert len(listening) == 1
    valkey.client.client_kill_filter(_id=listening[0]["id"])
    eventually(lambda: tracked.stats().backplane == "lost", within=SOON)
    valkey.client.set(tracked.make_key("key"), 2)
    assert tracked.get("key") == 2
    settled(tracked)
    hold(tracked, "key")
    valkey.client.set(tracked.make_key("key"), 3)
    eventually(lambda: tracked.get("key") == 3, within=SOON)


# "none"


def test_without_a_backplane_memory_timeout_bounds_staleness(
    valkey: Valkey, make_caches: Any, make_face: Any, ear: Ear
) -> None:
    """No thread listens, nobody is told, and an old value is served for so long and no longer."""
    listening = sum(thread.name == "tiercache-listener" for thread in threading.enumerate())
    bound = 0.5
    options = {"BACKPLANE": "none", "MEMORY_TIMEOUT": bound}
    made = make_caches(**pair_settings(valkey.url, **options))
    writer, reader = make_face(made["default"]), make_face(made["other"])
    writer.set("key", 1)
    filled = time.monotonic()
    assert reader.get("key") == 1
    writer.set("key", 2)
    writer.incr("key", 2)
    writer.touch("key", 60)
    assert reader.get("key") == 1
    eventually(lambda: reader.get("key") == 4, within=bound + 0.2)
    assert time.monotonic() - filled >= bound
    assert ear.heard() == []
    assert reader.cache.stats().backplane == "none"
    now = sum(thread.name == "tiercache-listener" for thread in threading.enumerate())
    assert now == listening == 0


# Forks


def test_a_child_of_a_fork_is_a_node_of_its_own(valkey: Valkey) -> None:
    """It has an id and a subscription of its own; parent and child hear each other."""
    run(
        f"""
        settle()
        cache.set("key", "parent's")
        parent, told = node.id, {channel(0)!r}

        def subscribers():
            return dict(cache.client.get_client().pubsub_numsub(told))[told.encode()]

        assert subscribers() == 1

        def work():
            assert cache.get("key") == "parent's"
            settle()
            assert node.id != parent
            assert cache.stats().backplane == "joined"
            assert subscribers() == 1 + 1
            assert [t.name for t in threading.enumerate()].count("tiercache-listener") == 1
            cache.get("key")
            full = cache.make_key("key")
            assert full in node.memory.entries
            # As the parent would say it: the child must not take it for its own.
            import json
            cache.client.get_client().publish(told, json.dumps([parent, [full]]))
            eventually(lambda: full not in node.memory.entries, 1)
            cache.set("key", "child's")

        in_child(work)
        eventually(lambda: cache.get("key") == "child's", 1)
        assert node.id == parent and cache.stats().backplane == "joined"
        eventually(lambda: subscribers() == 1, 2)
        """,
        valkey.url,
    )
