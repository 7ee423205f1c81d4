"""Which aliases share a store, and that an instance is no more than a look-up in it."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django_redis.pool import ConnectionFactory

from tests.support.caches import DEAD, DJANGO_REDIS, TIERED, unique_prefix
from tests.support.servers import HOST, free_port
from tests.support.waiting import eventually
from tiercache.backend import TieredCache

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = "django_redis.serializers.json.JSONSerializer"
ROOT = Path(__file__).parent.parent
PASSWORD = "hunter2secret"


def dashed(key: Any, prefix: str, version: Any) -> str:
    return f"{prefix}-{version}-{key}"


def shouted(full: str) -> str:
    return full.upper()


@pytest.fixture
def base(valkey: Any, tiers: str) -> dict[str, Any]:
    """Settings on a real server, on the memory tier alone, and on a server that is away."""
    location = {"tiered": f"{valkey.url}/0", "memory": "memory://one", "away": f"{DEAD}/0"}[tiers]
    return {"BACKEND": TIERED, "LOCATION": location, "KEY_PREFIX": unique_prefix()}


@pytest.fixture
def on_redis(valkey: Any) -> dict[str, Any]:
    return {"BACKEND": TIERED, "LOCATION": f"{valkey.url}/0", "KEY_PREFIX": unique_prefix()}


@pytest.mark.parametrize(
    "differs",
    [
        {"KEY_PREFIX": "other"},
        {"VERSION": 2},
        {"TIMEOUT": 5},
        {"KEY_FUNCTION": dashed},
        {"OPTIONS": {"TIME_BUDGET": 0.3}},
        {"OPTIONS": {"FALLBACK": "raise"}},
        {"OPTIONS": {"IGNORE_EXCEPTIONS": True}},
    ],
    ids=lambda differs: repr(differs)[:30],
)
def test_aliases_that_differ_in_names_only_share_their_memory(
    make_caches: Any, base: Any, tiers: str, differs: dict[str, Any]
) -> None:
    """They are one memory tier under full keys, and see each other's writes at once."""
    made = make_caches(one=base, two={**base, **differs})
    one, two = made["one"], made["two"]
    assert one._node is two._node
    if tiers == "away" and "FALLBACK" in differs.get("OPTIONS", {}):
        return
    for cache in (one, two):
        cache.key_prefix, cache.version, cache.key_func = "x", 7, dashed
    one.set("key", "first")
    assert two.get("key") == "first"
    two.set("key", "second")
    assert one.get("key") == "second"
    assert one.delete("key")
    assert two.get("key") is None
    two.set("other", 1)
    assert one.stats().entries == two.stats().entries == 1


def test_a_write_under_one_prefix_is_no_write_under_another(make_caches: Any, base: Any) -> None:
    """Sharing a memory tier is not sharing keys."""
    made = make_caches(one=base, two={**base, "KEY_PREFIX": "two"}, three={**base, "VERSION": 3})
    made["one"].set("key", 1)
    assert made["two"].get("key") is None
    assert made["three"].get("key") is None
    assert made["three"].get("key", version=1) == 1


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("MAX_ENTRIES", 5, 6),
        ("MAX_BYTES", "1MiB", "2MiB"),
        ("POLICY", "s3fifo", "fifo"),
        ("MEMORY_TIMEOUT", 5, None),
    ],
)
def test_aliases_of_one_store_must_agree(
    make_caches: Any, base: Any, name: str, here: Any, there: Any
) -> None:
    """A memory tier has one size; the message names both aliases, the option and the store."""
    one, two = {**base, "OPTIONS": {name: here}}, {**base, "OPTIONS": {name: there}}
    with pytest.raises(ImproperlyConfigured) as caught:
        make_caches(one=one, two={**two, "KEY_PREFIX": "two"})
    for part in ("'one'", "'two'", name):
        assert part in str(caught.value)


def test_who_was_there_first_goes_on(make_caches: Any, base: Any) -> None:
    """A refused alias spoils nothing for the other, however often it is tried."""
    cache = make_caches(one={**base, "OPTIONS": {"MAX_ENTRIES": 5}})["one"]
    two = {**base, "KEY_PREFIX": "two", "OPTIONS": {"MAX_ENTRIES": 6}}
    for _ in range(3):
        with pytest.raises(ImproperlyConfigured):
            TieredCache(base["LOCATION"], {k: v for k, v in two.items() if k[0] not in "BL"})
    cache.set("key", 1)
    assert cache.get("key") == 1
    assert not any("two" in name for name in cache._node.health.journal.namespaces)


@pytest.mark.parametrize(
    "differs",
    [
        {"LOCATION": "/1"},
        {"OPTIONS": {"SERIALIZER": JSON, "MAX_ENTRIES": 7}},
        {"OPTIONS": {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"}},
    ],
    ids=["database", "serializer", "compressor"],
)
def test_another_database_or_format_is_another_store(
    make_caches: Any, on_redis: Any, differs: dict[str, Any]
) -> None:
    """They hold nothing in common, and need not agree in size."""
    differs = dict(differs)
    if "LOCATION" in differs:
        differs["LOCATION"] = on_redis["LOCATION"].replace("/0", differs["LOCATION"])
    made = make_caches(one=on_redis, two={**on_redis, **differs, "KEY_PREFIX": "two"})
    made["one"].set("key", 1)
    assert made["two"].stats().entries == 0
    assert made["one"]._node is not made["two"]._node


def test_memory_stores_are_told_apart_by_name(make_caches: Any) -> None:
    """As with LocMemCache."""
    made = make_caches(
        one={"BACKEND": TIERED, "LOCATION": "memory://one"},
        again={"BACKEND": TIERED, "LOCATION": "memory://one"},
        two={"BACKEND": TIERED, "LOCATION": "memory://two"},
    )
    made["one"].set("key", 1)
    assert made["again"].get("key") == 1
    assert made["two"].get("key") is None


@pytest.mark.parametrize(
    "spelling", ["redis://{0}", "redis://{0}/", "redis://{0}/0", "redis://{0}?db=0"]
)
def test_one_database_may_be_spelled_in_several_ways(
    make_caches: Any, on_redis: Any, valkey: Any, spelling: str
) -> None:
    """All of them are the same store."""
    location = spelling.format(f"{HOST}:{valkey.port}")
    made = make_caches(one=on_redis, two={**on_redis, "LOCATION": location})
    made["one"].set("key", 1)
    assert made["two"].get("key") == 1
    assert made["one"]._node is made["two"]._node


def test_each_alias_counts_for_itself(make_caches: Any, base: Any) -> None:
    """Also one that has fewer settings than another on the same store."""
    made = make_caches(one=base, two={"BACKEND": TIERED, "LOCATION": base["LOCATION"]})
    made["one"].set("key", 1)
    made["two"].get("nothing")
    assert (made["one"].stats().sets, made["one"].stats().misses) == (1, 0)
    assert (made["two"].stats().sets, made["two"].stats().misses) == (0, 1)


def test_each_alias_has_its_own_reverse_key_function(make_caches: Any, on_redis: Any) -> None:
    """Also where everything else is the same, down to the OPTIONS object."""
    shared: dict[str, Any] = {**on_redis, "OPTIONS": {"MAX_ENTRIES": 50}}
    made = make_caches(one=shared, two={**shared, "REVERSE_KEY_FUNCTION": shouted})
    made["one"].set("key", 1)
    assert made["one"].keys() == ["key"]
    assert made["two"].keys() == [f"{shared['KEY_PREFIX']}:1:key".upper()]


def test_each_alias_has_its_own_budget_and_fallback(make_caches: Any) -> None:
    """Though they share a node, one raises where the other answers from memory."""
    from tiercache.exceptions import RedisAway

    base = {"BACKEND": TIERED, "LOCATION": f"{DEAD}/0", "KEY_PREFIX": "x"}
    made = make_caches(soft=base, strict={**base, "OPTIONS": {"FALLBACK": "raise"}})
    made["soft"].set("key", 1)
    assert made["soft"].get("key") == 1
    with pytest.raises(RedisAway):
        made["strict"].get("key")


# Instances


def sockets(server: Any) -> int:
    return len(server.client.client_list())


def test_an_instance_is_a_look_up(make_caches: Any, on_redis: Any, valkey: Any) -> None:
    """A thousand of them make no thread, no connection, no node and no entry."""
    one = make_caches(one=on_redis)["one"]
    one.set("key", 1)
    params = {name: value for name, value in settings.CACHES["one"].items() if name[0] not in "BL"}
    eventually(lambda: one.stats().backplane == "joined")
    one.set("key", 1)
    before = set(threading.enumerate()), sockets(valkey)
    made = [TieredCache(on_redis["LOCATION"], params) for _ in range(1000)]
    assert {id(cache._node) for cache in made} == {id(one._node)}
    assert all(cache.get("key") == 1 for cache in made)
    assert set(threading.enumerate()) <= before[0]
    assert sockets(valkey) <= before[1]


def test_nothing_is_connected_before_it_is_used(make_caches: Any, valkey: Any) -> None:
    """Making a cache costs no round trip and no thread: a server may start later."""
    make_caches()
    before = set(threading.enumerate())
    cache = TieredCache(f"redis://{HOST}:{free_port()}/0", {"KEY_PREFIX": unique_prefix()})
    assert set(threading.enumerate()) <= before
    assert cache.stats().state == "up"
    assert cache.stats().errors == {}


def test_tasks_and_threads_share_one_memory(make_caches: Any, base: Any) -> None:
    """Django makes an instance for each; all read what one wrote, from memory."""
    one = make_caches(one=base)["one"]
    one.set("key", "value")
    instances: set[int] = set()
    kept: list[Any] = []

    async def task() -> Any:
        mine = caches["one"]
        kept.append(mine)
        instances.add(id(mine))
        return await mine.aget("key")

    async def fifty() -> list[Any]:
        return await asyncio.gather(*(asyncio.create_task(task()) for _ in range(50)))

    barrier = threading.Barrier(8)

    def thread(_: int) -> Any:
        barrier.wait(10)
        kept.append(caches["one"])
        instances.add(id(kept[-1]))
        return caches["one"].get("key")

    assert asyncio.run(fifty()) == ["value"] * 50
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(thread, range(8))) == ["value"] * 8
    assert len(instances) > 8
    stats = one.stats()
    assert stats.memory_hits == 58
    assert (stats.redis_hits, stats.entries) == (0, 1)


def test_an_instance_accepts_attributes(cache: Any) -> None:
    """django-debug-toolbar sets some, and replaces methods."""
    cache.anything = 5
    cache.get = lambda *_: "patched"
    assert cache.get("key") == "patched"
    del cache.get
    assert cache.get("key") is None


class WithItsOwn(TieredCache):
    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        self.seen: list[str] = []
        super().__init__(location, params)


class OfTenants(TieredCache):
    tenant = ""
    key_prefix = property(lambda self: OfTenants.tenant, lambda self, _: None)  # type: ignore[assignment]


def test_an_instance_of_a_derived_class_has_what_it_was_given_before(make_caches: Any) -> None:
    make_caches()
    params = {"OPTIONS": {}}
    one, two = WithItsOwn("", params), WithItsOwn("", params)
    one.seen.append("one's")
    assert two.seen == []


def test_a_derived_class_may_choose_its_prefix_at_each_call(
    make_caches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_caches()
    cache = OfTenants("", {"OPTIONS": {}})
    monkeypatch.setattr(OfTenants, "tenant", "one")
    cache.set("key", "one's")
    assert cache.get("key") == cache.get("key") == "one's"
    monkeypatch.setattr(OfTenants, "tenant", "two")
    assert cache.get("key") is None


def test_a_class_that_asks_for_a_part_of_keys_too_early_can_tell() -> None:
    assert getattr(TieredCache.__new__(TieredCache), "version", None) is None


def test_the_class_is_no_locmem_cache() -> None:
    """Some libraries refuse whatever derives from it."""
    assert not issubclass(TieredCache, LocMemCache)


def test_close_keeps_the_connections(make_caches: Any, on_redis: Any, valkey: Any) -> None:
    """Django closes after every request."""
    cache = make_caches(one=on_redis)["one"]
    cache.set("key", 1)
    before = {client["id"] for client in valkey.client.client_list()}
    for _ in range(5):
        cache.close()
        cache.set("key", 2)
    assert {client["id"] for client in valkey.client.client_list()} == before
    assert cache.get("key") == 2


def test_changed_settings_drop_the_stores(make_caches: Any, base: Any) -> None:
    """A test that overrides CACHES begins with empty memory, and ends so."""
    cache = make_caches(one=base)["one"]
    cache.set("key", 1)
    node = cache._node
    with override_settings(CACHES={**settings.CACHES, "one": {**base, "TIMEOUT": 5}}):
        inner = caches["one"]
        assert inner._node is not node
        assert inner.stats().entries == 0
        assert len(node.memory) == 0
        inner.set("key", 2)
    assert caches["one"]._node is not inner._node
    assert caches["one"].stats().entries == 0


def test_dropped_stores_close_their_connections(
    make_caches: Any, on_redis: Any, valkey: Any
) -> None:
    """Or a test run would gather them."""
    before = sockets(valkey)
    for _ in range(5):
        cache = make_caches(one=on_redis)["one"]
        cache.set("key", 1)
    make_caches(one={"BACKEND": TIERED})
    eventually(lambda: sockets(valkey) <= before)


def test_two_caches_on_one_url_keep_their_own_time_outs(
    make_caches: Any, on_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """django-redis's pools, one for each URL in a process, are not used."""
    monkeypatch.setattr(ConnectionFactory, "_pools", {})
    other = {**on_redis, "BACKEND": DJANGO_REDIS, "OPTIONS": {"SOCKET_TIMEOUT": 77}}
    pools = [
        cache.client.get_client(write=True).connection_pool
        for cache in make_caches(
            theirs=other,
            ours=on_redis,
            json={**on_redis, "OPTIONS": {"SERIALIZER": JSON, "TIME_BUDGET": 0.4}},
        ).values()
    ]
    assert [pool.connection_kwargs["socket_timeout"] for pool in pools] == [77, 1.0, 0.4]
    assert len({id(pool) for pool in pools}) == 3
    pools[0].disconnect()


def test_a_key_function_may_use_another_cache(tmp_path: Path) -> None:
    """It is the site's code, and is never called under a lock of ours."""
    (tmp_path / "site_keys.py").write_text(
        "from django.core.cache import caches\n"
        "def by_generation(key, prefix, version):\n"
        "    return f\"{prefix}:{caches['plain'].get('generation', 1)}:{version}:{key}\"\n"
    )
    script = (
        "from django.conf import settings\n"
        "settings.configure(CACHES={\n"
        f"  'plain': {{'BACKEND': {TIERED!r}, 'LOCATION': 'memory://plain'}},\n"
        f"  'default': {{'BACKEND': {TIERED!r}, 'KEY_FUNCTION': 'site_keys.by_generation'}}}})\n"
        "from django.core.cache import caches\n"
        "caches['default'].set('key', 1)\n"
        "print(caches['default'].get('key'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


MEMORY_ONLY = f"""
import json, socket, sys
opened = []
real = socket.socket
class Watched(real):
    def __init__(self, *args, **kwargs):
        opened.append(args)
        super().__init__(*args, **kwargs)
from django.conf import settings
settings.configure(
    CACHES={{"default": {{"BACKEND": "{TIERED}", "LOCATION": "memory://x"}}}},
    INSTALLED_APPS=["tiercache"],
)
import django
django.setup()
from django.core.checks import run_checks
run_checks(tags=["caches"])
socket.socket = Watched
from django.core.cache import cache
cache.set("key", [1], 5)
cache.incr("number") if cache.add("number", 1) else None
cache.get_many(["key", "number", "x"]); cache.touch("key"); cache.delete("key"); cache.keys("*")
cache.clear(); cache.close(); cache.stats()
redis = sorted(set(sys.modules) & set(("redis", "django_redis", "hiredis")))
print(json.dumps([redis, len(opened)]))
"""


def test_memory_alone_imports_no_redis_and_opens_no_socket() -> None:
    """A site without Redis need not even have it installed."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_ONLY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == [[], 0]


# Passwords


def everything_said(cache: Any, caplog: pytest.LogCaptureFixture) -> str:
    parts = [repr(cache), str(cache), repr(cache._node), cache._node.name, str(cache.stats())]
    parts += [json.dumps(cache.stats().as_dict()), cache._node.health.reason]
    for record in caplog.records:
        parts += [record.getMessage(), repr(record.__dict__), str(record.exc_text)]
    return "\n".join(parts)


def places(port: int) -> list[dict[str, Any]]:
    """Every place where a password may stand."""
    where = f"{HOST}:{port}"
    return [
        {"LOCATION": f"redis://:{PASSWORD}@{where}/0"},
        {"LOCATION": f"redis://default:{PASSWORD}@{where}/0"},
        {"LOCATION": f"redis://{where}/0?password={PASSWORD}"},
        {"LOCATION": f"redis://{where}/0", "OPTIONS": {"PASSWORD": PASSWORD}},
        {
            "LOCATION": f"redis://{where}/0",
            "OPTIONS": {"CONNECTION_POOL_KWARGS": {"password": PASSWORD}},
        },
    ]


@pytest.mark.parametrize("place", range(len(places(0))))
@pytest.mark.parametrize("mood", ["well", "refused", "wrong"])
def test_no_password_is_ever_said(
    make_caches: Any,
    own_valkey: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    place: int,
    mood: str,
) -> None:
    """Neither in names nor in errors nor in logs, well or away, wherever it was set."""
    caplog.set_level(logging.DEBUG)
    port = free_port()
    if mood != "refused":
        server = own_valkey(requirepass=PASSWORD if mood == "well" else "another")
        port = server.port
    conf = {"BACKEND": TIERED, "KEY_PREFIX": "x", **places(port)[place]}
    strict = {**conf, "OPTIONS": {**conf.get("OPTIONS", {}), "FALLBACK": "raise"}}
    made = make_caches(soft=conf, strict=strict)
    made["soft"].set("key", 1)
    assert made["soft"].get("key") == 1
    assert made["soft"].stats().state == ("up" if mood == "well" else "away")
    said = everything_said(made["soft"], caplog)
    if mood != "well":
        with pytest.raises(Exception, match="away") as caught:
            made["strict"].set("key", 2)
        said += f"{caught.value!r} {caught.value.__cause__!r}"
    assert PASSWORD not in said


@pytest.mark.parametrize(
    "location",
    [
        f"http://:{PASSWORD}@{HOST}/0",
        f"redis:/:{PASSWORD}@{HOST}/0",
        f"user:{PASSWORD}@{HOST}:6379",
        f"redis://:{PASSWORD}@{HOST}:port/0",
        f"redis://user:{PASSWORD}/more@{HOST}/0",
        f"redis://user:{PASSWORD}#more@{HOST}/0",
        [f"redis://:{PASSWORD}@{HOST}/0", None],
        {"url": f"redis://:{PASSWORD}@{HOST}/0"},
    ],
    ids=repr,
)
def test_a_refused_location_is_not_quoted_with_its_password(
    make_caches: Any, location: Any
) -> None:
    """The message says what is wrong with it all the same, and so does the whole traceback."""
    with pytest.raises(ImproperlyConfigured, match="LOCATION") as caught:
        make_caches(one={"BACKEND": TIERED, "LOCATION": location})
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error)
        error = error.__cause__


@pytest.mark.parametrize(
    "other",
    [
        {"OPTIONS": {"PASSWORD": PASSWORD}},
        {"OPTIONS": {"MAX_ENTRIES": 5, "PASSWORD": PASSWORD}},
    ],
    ids=["password", "more"],
)
def test_a_disagreement_names_options_and_no_values(make_caches: Any, other: Any) -> None:
    """Aliases of one store with different passwords are refused without saying them."""
    base = {"BACKEND": TIERED, "LOCATION": f"redis://user:{PASSWORD}@{HOST}:1/0"}
    with pytest.raises(ImproperlyConfigured, match="PASSWORD") as caught:
        make_caches(one=base, two={**base, **other})
    assert PASSWORD not in str(caught.value)
