"""Another server becomes the primary: every connection goes there, the listening one too."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.test import override_settings
from redis.exceptions import ConnectionError as NotConnected
from redis.sentinel import Sentinel, SentinelConnectionPool

from tests.coherence.nodes import SOON, dropped, hold, in_memory, pair_settings, settled
from tests.support.caches import Face, settings_for
from tests.support.proxy import Proxy
from tests.support.sentinel import SWITCH, Guarded
from tests.support.servers import HOST, Valkey, dead_port
from tests.support.stopwatch import timed
from tests.support.waiting import eventually
from tests.test_processes import run
from tiercache.listener import Listener
from tiercache.messages import channel
from tiercache.trouble import away

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiercache.backend import TieredCache

BUDGET = 0.3
"""TIME_BUDGET in these tests, in seconds."""

GRACE = 0.1
"""Seconds by which a call may exceed it, while three servers and two nodes share the machine."""

CALM = 60_000
"""Milliseconds between a Sentinel's messages that keep it from making anything of a primary that
came back: it lives on as one, and takes writes."""

HARMED = 3
"""Tests that harm their servers."""

HELD = ("deleted", "changed", "kept")


@pytest.fixture(scope="module")
def _all_guarded() -> Iterator[list[Guarded]]:
    """Started at the same time, since it is mostly a wait: one to keep, the others to harm."""
    with ThreadPoolExecutor(1 + HARMED) as threads:
        made = [threads.submit(Guarded) for _ in range(1 + HARMED)]
    guarded = [future.result() for future in made]
    yield [*guarded]
    for each in guarded:
        each.close()


@pytest.fixture
def steady(_all_guarded: list[Guarded]) -> Guarded:
    """Servers whose primary stays what it is."""
    steady = _all_guarded[0]
    steady.primary.client.flushall()
    return steady


@pytest.fixture
def guarded(_all_guarded: list[Guarded]) -> Guarded:
    """Servers that a test may harm."""
    return _all_guarded.pop()


@pytest.fixture
def quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat short enough to wait for."""
    defaults = {**(Listener.__init__.__kwdefaults__ or {}), "heartbeat": 0.6}
    monkeypatch.setattr(Listener.__init__, "__kwdefaults__", defaults)


class Nodes:
    """Two nodes with the same keys: `one` is called synchronously, `other` asynchronously."""

    def __init__(self, made: dict[str, TieredCache]) -> None:
        self.caches = tuple(made.values())
        self.one, self.other = Face(self.caches[0], "sync"), Face(self.caches[1], "async")
        self.both = (self.one, self.other)

    def warm(self) -> None:
        """Have entries in Redis and in both memories, and idle connections in plenty."""
        settled(*self.caches)
        self.one.set_many(dict.fromkeys(HELD, 1))
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(self.caches[0].ttl, ["kept"] * 60))
        assert self.other._runner is not None
        self.other._runner.run(self._ask_at_once(self.caches[1]))
        for cache in self.caches:
            hold(cache, *HELD)

    async def _ask_at_once(self, cache: Any) -> None:
        await asyncio.gather(*(cache.aget(f"nothing{number}") for number in range(6)))

    def call(self) -> None:
        """Call both in several ways; nothing raises, and nothing takes longer than it may."""
        for face in self.both:
            for operation, arguments in (
                ("set", ("changed", 2)),
                ("delete", ("deleted",)),
                ("get", ("elsewhere",)),
                ("incr", ("changed",)),
            ):
                _, seconds = timed(getattr(face, operation), *arguments)
                assert seconds < BUDGET + GRACE, operation

    def agree_with(self, server: Valkey) -> None:
        """What one changes, the other hears, and the server has; both ways, and of old entries."""
        settled(*self.caches)
        eventually(lambda: listening(server) == 2, within=SOON)
        for value, (writer, reader) in enumerate((self.both, self.both[::-1])):
            writer.set("shared", value)
            eventually(lambda r=reader, v=value: r.get("shared") == v, within=SOON)
            hold(reader.cache, "shared")
            writer.set("shared", value + 10)
            dropped(reader.cache, "shared")
            assert reader.get("shared") == value + 10
            full = writer.cache.make_key("shared")
            assert server.client.get(full) == str(value + 10).encode()
        for key in HELD:
            raw = server.client.get(self.caches[0].make_key(key))
            truth = None if raw is None else int(raw)
            assert [face.get(key) for face in self.both * 2] == [truth] * 4, key

    def finish(self) -> None:
        for face in self.both:
            face.finish()


@pytest.fixture
def make_nodes(make_caches: Any) -> Iterator[Callable[..., Nodes]]:
    """Make two nodes at a URL, warm."""
    made: list[Nodes] = []

    def make(url: str, **options: Any) -> Nodes:
        made.append(Nodes(make_caches(**pair_settings(url, TIME_BUDGET=BUDGET, **options))))
        made[-1].warm()
        return made[-1]

    yield make
    for nodes in made:
        nodes.finish()


def listening(server: Valkey) -> int:
    """Return how many nodes listen on a server."""
    ((_, number),) = server.client.pubsub_numsub(channel(0))
    return int(number)


def timed_calls(face: Face) -> None:
    for operation, arguments in (("get", ("key",)), ("set", ("key", 1)), ("get", ("key",))):
        _, seconds = timed(getattr(face, operation), *arguments)
        assert seconds < BUDGET + GRACE


# As long as nothing happens


@pytest.mark.parametrize("client", ["SentinelClient", "DefaultClient"])
def test_a_cache_behind_sentinel(
    steady: Guarded, make_caches: Any, make_face: Any, client: str
) -> None:
    """Both of django-redis's clients that know Sentinel: asked and heard is the primary."""
    options = {**steady.options, "CLIENT_CLASS": f"django_redis.client.{client}"}
    conf = settings_for("tiered", steady.url, OPTIONS=options)
    cache = make_caches(default=conf)["default"]
    face = make_face(cache)
    settled(cache)
    face.set("key", 1)
    assert face.incr("key") == 2
    assert face.get_many(["key", "nothing"]) == {"key": 2}
    assert steady.primary.client.get(cache.make_key("key")) == b"2"
    assert (listening(steady.primary), listening(steady.replica)) == (1, 0)
    assert cache.sadd("members", 1) == 1
    assert cache.stats().errors == {}


def test_the_factory_may_be_named_for_all_caches(steady: Guarded) -> None:
    """As django-redis has it: DJANGO_REDIS_CONNECTION_FACTORY instead of an option."""
    options = {**steady.options}
    factory = options.pop("CONNECTION_FACTORY")
    conf = settings_for("tiered", steady.url, OPTIONS=options)
    with override_settings(DJANGO_REDIS_CONNECTION_FACTORY=factory, CACHES={"default": conf}):
        cache = caches["default"]
        cache.set("key", 1)
        settled(cache)
        assert steady.primary.client.get(cache.make_key("key")) == b"1"


def test_a_sentinel_that_is_gone_or_silent_holds_nobody_up(
    steady: Guarded, make_caches: Any, make_face: Any, own_valkey: Callable[..., Valkey]
) -> None:
    """Each gets its share of the time budget, and who has answered is asked first."""
    silent = own_valkey()
    silent.freeze()
    with dead_port() as dead:
        sentinels = [(HOST, dead), (HOST, silent.port), *steady.options["SENTINELS"]]
        options = {**steady.options, "SENTINELS": sentinels, "TIME_BUDGET": BUDGET}
        conf = settings_for("tiered", steady.url, OPTIONS=options)
        cache = make_caches(default=conf)["default"]
        face = make_face(cache)
        timed_calls(face)
        settled(cache)
        assert face.get("key") == 1
        assert cache.stats().errors == {}


def test_without_a_sentinel_nothing_raises_or_lasts(
    steady: Guarded, make_caches: Any, make_face: Any
) -> None:
    """Nobody says where the primary is: an outage like others."""
    with dead_port() as dead:
        options = {**steady.options, "SENTINELS": [(HOST, dead)] * 2, "TIME_BUDGET": BUDGET}
        options["BACKPLANE"] = "none"
        conf = settings_for("tiered", steady.url, OPTIONS=options)
        cache = make_caches(default=conf)["default"]
        timed_calls(make_face(cache))
        assert cache.stats().state == "away"
        assert set(cache.stats().errors) == {"down"}


def test_a_child_of_a_fork_leaves_the_parents_listeners_alone(steady: Guarded) -> None:
    """It has its own, at Sentinel too, and may find another primary without a word to those."""
    run(
        """
        from tiercache.primary import Primary

        def listeners():
            found = cache.client.get_client().client_list()
            ours = (client for client in found if not client["name"].startswith("sentinel"))
            return {client["id"] for client in ours if client["sub"] != "0"}

        settle()
        cache.set("key", 1)
        parents = listeners()
        assert len(parents) == 1

        def work():
            settle()
            assert cache.get("key") == 1
            assert len(listeners() - parents) == 1
            Primary.of(cache.client.get_client().connection_pool)._move()
            assert parents <= listeners()

        in_child(work)
        eventually(lambda: listeners() == parents)
        assert cache.stats().backplane == "joined" and cache.get("key") == 1
        names = [thread.name for thread in threading.enumerate() if thread.daemon]
        assert names.count("tiercache-listener") == 2
        begun = time.monotonic()
        node.close()
        assert time.monotonic() - begun < 1
        assert "tiercache-listener" not in [thread.name for thread in threading.enumerate()]
        """,
        steady.url,
        OPTIONS={**steady.options, "TIME_BUDGET": 5},
    )


def test_a_sentinel_that_names_a_replica_is_not_believed(
    steady: Guarded, make_caches: Any, make_face: Any
) -> None:
    """It may be behind the times: an outage like others, rather than old values."""
    steady.client.execute_command("SENTINEL", "MONITOR", "late", HOST, steady.replica.port, 1)
    try:
        options = {**steady.options, "BACKPLANE": "none", "TIME_BUDGET": BUDGET}
        conf = settings_for("tiered", "redis://late", OPTIONS=options)
        cache = make_caches(default=conf)["default"]
        timed_calls(make_face(cache))
        assert (cache.stats().state, set(cache.stats().errors)) == ("away", {"down"})
    finally:
        steady.client.execute_command("SENTINEL", "REMOVE", "late")


def test_a_refusal_is_known_by_what_redis_py_makes_of_it(steady: Guarded) -> None:
    """Its connections by Sentinel call READONLY a lost connection."""
    pool = SentinelConnectionPool("main", Sentinel([(HOST, steady.port)]))
    connection: Any = pool.make_connection()
    connection.connect_to((HOST, steady.replica.port))
    connection.send_command("SET", "key", 1)
    with pytest.raises(NotConnected) as refused:
        connection.read_response()
    trouble = away(refused.value, connected=True)
    assert trouble is not None
    assert trouble.kind == "readonly"


# Failovers


def test_the_primary_is_killed(guarded: Guarded, make_nodes: Callable[..., Nodes]) -> None:
    """What was changed until the replica took its place is made good on that one."""
    nodes = make_nodes(guarded.url, **guarded.options)
    guarded.primary.kill()
    guarded.be_strict()
    nodes.call()
    assert [cache.stats().state for cache in nodes.caches] == ["away"] * 2
    eventually(lambda: (nodes.call(), guarded.named() == guarded.replica.port)[1], within=SWITCH)
    nodes.agree_with(guarded.replica)
    assert not guarded.replica.client.exists(nodes.caches[0].make_key("deleted"))
    assert nodes.one.get("kept") == 1


def test_the_primary_is_frozen_and_wakes_up_as_one(
    guarded: Guarded, make_nodes: Callable[..., Nodes]
) -> None:
    """No connection goes back to it, though it would still answer and take writes."""
    nodes = make_nodes(guarded.url, **guarded.options)
    guarded.client.execute_command("SENTINEL", "DEBUG", "publish-period", CALM)
    guarded.primary.freeze()
    guarded.be_strict()
    nodes.call()
    eventually(lambda: (nodes.call(), guarded.named() == guarded.replica.port)[1], within=SWITCH)
    begun = time.monotonic()
    settled(*nodes.caches)
    assert time.monotonic() - begun < 3, "one connection was tried after the other"
    guarded.primary.thaw()
    nodes.agree_with(guarded.replica)
    assert not guarded.replica.client.exists(nodes.caches[0].make_key("deleted"))
    eventually(lambda: listening(guarded.primary) == 0)
    assert guarded.primary.client.role()[0] == b"master"
    assert not guarded.primary.client.exists(nodes.caches[0].make_key("shared"))


def test_a_switch_that_nobody_notices_by_an_error(
    guarded: Guarded, make_nodes: Callable[..., Nodes]
) -> None:
    """The old primary goes on answering, listening ones included: Sentinel's word is enough."""
    nodes = make_nodes(guarded.url, **guarded.options)
    guarded.client.execute_command("SENTINEL", "DEBUG", "publish-period", CALM)
    eventually(lambda: (nodes.call(), guarded.replaced_by_order())[1], within=SWITCH)
    eventually(lambda: listening(guarded.replica) == 2, within=SOON)
    nodes.agree_with(guarded.replica)
    assert guarded.primary.client.role()[0] == b"master"
    assert listening(guarded.primary) == 0
    assert not guarded.primary.client.exists(nodes.caches[0].make_key("shared"))
    assert [cache.stats().errors for cache in nodes.caches] == [{}, {}]


# Without Sentinel


def test_a_replica_is_left_for_the_primary_that_took_its_address(
    own_valkey: Callable[..., Valkey],
    proxied: Callable[[Valkey], Proxy],
    make_nodes: Callable[..., Nodes],
    quick_heart: None,
) -> None:
    """Its connections stay open, and it says nothing: a heartbeat asks, and all are made anew."""
    old, new = own_valkey(), own_valkey()
    proxy = proxied(old)
    nodes = make_nodes(proxy.url)
    moved = nodes.caches[0].make_key("kept")
    new.client.set(moved, 5)
    proxy._target_port = new.port
    old.refuse_writes()
    for cache in nodes.caches:
        eventually(lambda cache=cache: not in_memory(cache, "kept"), within=3)
    settled(*nodes.caches)
    assert [face.get("kept") for face in nodes.both] == [5, 5]
    nodes.agree_with(new)
    assert listening(old) == 0
    assert [cache.stats().errors for cache in nodes.caches] == [{}, {}]


def test_a_write_that_a_replica_refuses_moves_everybody(
    own_valkey: Callable[..., Valkey],
    proxied: Callable[[Valkey], Proxy],
    make_nodes: Callable[..., Nodes],
) -> None:
    """Listening too, and at once; what was refused is made good on the new primary."""
    old, new = own_valkey(), own_valkey()
    proxy = proxied(old)
    nodes = make_nodes(proxy.url)
    new.client.set(nodes.caches[0].make_key("deleted"), 1)
    proxy._target_port = new.port
    old.refuse_writes()
    nodes.call()
    assert [dict(cache.stats().errors) for cache in nodes.caches] == [{"readonly": 1}] * 2
    nodes.agree_with(new)
    assert listening(old) == 0
    assert not new.client.exists(nodes.caches[0].make_key("deleted"))


def test_memory_is_not_filled_from_a_replica(
    own_valkey: Callable[..., Valkey], make_caches: Any
) -> None:
    """It is read, for want of anything better; what it holds may be replaced without a word."""
    server = own_valkey(replicaof=f"{HOST} 1")
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    assert cache.get("key") is None
    assert (cache.stats().backplane, cache.stats().entries) == ("lost", 0)
    server.accept_writes()
    settled(cache)
    cache.set("key", 1)
    assert in_memory(cache, "key")


def test_a_replica_without_its_primary(
    own_valkey: Callable[..., Valkey], make_nodes: Callable[..., Nodes]
) -> None:
    """MASTERDOWN, in answer to everything, is an outage like others."""
    server = own_valkey(replica_serve_stale_data="no")
    nodes = make_nodes(server.url)
    server.refuse_writes()
    nodes.call()
    assert [cache.stats().state for cache in nodes.caches] == ["away"] * 2
    assert all("down" in cache.stats().errors for cache in nodes.caches)
    server.accept_writes()
    nodes.agree_with(server)
    assert not server.client.exists(nodes.caches[0].make_key("deleted"))
