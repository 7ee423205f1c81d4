"""One key, everywhere: what is there, and why a look-up is a hit or a miss."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheKeyWarning

from tests.operations.support import restricted
from tests.operations.test_listing import STRANGE
from tests.support.caches import settings_for
from tests.support.stopwatch import timed
from tests.support.waiting import eventually
from tiercache.operations import inspecting
from tiercache.operations.inspecting import Inspection
from tiercache.operations.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.servers import Valkey

JSON = "django_redis.serializers.json.JSONSerializer"


def inspect(cache: Any, key: str, *, version: int | None = None) -> Inspection:
    raw = cache.make_key(key, version).encode()
    return inspecting.inspect(cache, raw, value=True)


def reasons(found: Inspection) -> list[str]:
    return [reason.name for reason in found.reasons]


class TestWhatIsThere:
    def test_both_tiers_are_told_of(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", "x" * 500, timeout=60, grace=30, tags=["news"])
        found = inspect(cache, "a")
        assert (found.key, found.version, found.hit) == ("a", "1", True)
        assert found.redis is not None
        assert found.redis.type == "string"
        assert found.redis.left == pytest.approx(60, abs=5)
        assert found.redis.grace == pytest.approx(30, abs=0.1)
        assert found.redis.size
        assert found.redis.length
        assert found.redis.encoding == "raw"
        (tag,) = found.redis.tags
        assert (tag.name, tag.holds) == ("news", True)
        (copy,) = found.copies
        assert copy.here
        assert copy.left == pytest.approx(60, abs=5)
        assert (found.asked, found.answered) == (1, 1)

    def test_a_value_is_shown_without_its_header(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache(OPTIONS={"SERIALIZER": JSON})
        cache.set("a", {"name": "<b>bold</b>"}, grace=30, tags=["news"])
        value = inspect(cache, "a").value
        assert value is not None
        assert value.kind == "json"
        assert '"name": "<b>bold</b>"' in value.text
        assert value.size == len(b'{"name":"<b>bold</b>"}') or value.size > 0

    def test_a_value_is_left_out_unless_asked_for(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", "secret")
        found = inspecting.inspect(cache, cache.make_key("a").encode(), value=False)
        assert found.value is None
        assert "secret" not in repr(found)

    @pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
    @pytest.mark.parametrize("key", STRANGE)
    def test_a_strange_key_is_opened(self, make_cache: Callable[..., Any], key: str) -> None:
        cache = make_cache()
        cache.set(key, 1)
        found = inspect(cache, key)
        assert (found.hit, found.key, len(found.copies)) == (True, key, 1)

    def test_a_key_that_is_not_utf_8_is_opened(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        raw = f"{cache.key_prefix}:1:".encode() + b"\xff"
        valkey.client.set(raw, b"12")
        found = inspecting.inspect(cache, raw, value=True)
        assert (found.text, found.key) == (None, None)
        assert found.value is not None
        assert found.value.text == "12"

    def test_nothing_is_read_of_a_key_that_is_not_this_caches(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        valkey.client.set("session", "secret")
        found = inspecting.inspect(cache, b"session", value=True)
        assert reasons(found) == ["foreign"]
        assert (found.redis, found.value) == (None, None)

    @pytest.mark.parametrize("kind", ["list", "hash", "stream"])
    def test_what_is_no_string_is_named_and_not_shown(
        self, make_cache: Callable[..., Any], valkey: Valkey, kind: str
    ) -> None:
        cache = make_cache()
        full, client = cache.make_key("a"), valkey.client
        {
            "list": lambda: client.rpush(full, "x"),
            "hash": lambda: client.hset(full, "x", "y"),
            "stream": lambda: client.xadd(full, {"x": "y"}),
        }[kind]()
        found = inspect(cache, "a")
        assert found.redis is not None
        assert found.redis.type == kind
        assert reasons(found)[0] == "type"
        assert found.value is None
        assert found.why_no_value

    def test_a_hostile_pickle_is_not_loaded(
        self, make_cache: Callable[..., Any], valkey: Valkey, tmp_path: Path
    ) -> None:
        cache, file = make_cache(), tmp_path / "touched"
        valkey.client.set(cache.make_key("a"), pickle.dumps(Touches(str(file))))
        value = inspect(cache, "a").value
        assert value is not None
        assert value.kind == "pickle"
        assert "builtins.open" in value.text or "io.open" in value.text
        assert not file.exists()


class Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


class TestWhyItIsAMiss:
    def test_it_was_never_stored(self, make_cache: Callable[..., Any]) -> None:
        found = inspect(make_cache(), "a")
        assert (found.hit, reasons(found)) == (False, ["absent"])

    def test_its_timeout_is_over_and_its_grace_is_not(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, timeout=0.01, grace=100)
        eventually(lambda: reasons(inspect(cache, "a"))[0] == "expired")
        assert not inspect(cache, "a").hit

    def test_its_tag_was_evicted(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, tags=["news", "sport"])
        cache.evict_tags("news")
        found = inspect(cache, "a")
        assert reasons(found)[0] == "tag"
        assert "news" in found.reasons[0].text
        assert "sport" not in found.verdict
        assert cache.get("a") is None

    def test_it_is_stored_under_another_version(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, version=4)
        found = inspect(cache, "a")
        assert reasons(found) == ["absent", "elsewhere"]
        assert "4" in found.reasons[1].text

    def test_another_cache_of_the_store_has_it(
        self, make_caches: Callable[..., dict[str, Any]], valkey: Valkey
    ) -> None:
        made = make_caches(
            default=settings_for("tiered", valkey.url), other=settings_for("tiered", valkey.url)
        )
        made["other"].set("a", 1)
        found = inspect(made["default"], "a")
        assert "elsewhere" in reasons(found)
        assert "other" in found.verdict

    @pytest.mark.parametrize("raw", [b"\x80\x04\x95", b"<html>", b"\x93\x01\x02\x03"])
    def test_its_bytes_are_not_what_the_serializer_reads(
        self, make_cache: Callable[..., Any], valkey: Valkey, raw: bytes
    ) -> None:
        cache = make_cache(OPTIONS={"SERIALIZER": JSON})
        valkey.client.set(cache.make_key("a"), raw)
        assert reasons(inspect(cache, "a"))[0] == "undecodable"
        assert cache.get("a") is None

    def test_its_header_is_cut_off(self, make_cache: Callable[..., Any], valkey: Valkey) -> None:
        cache = make_cache()
        cache.set("a", 1, tags=["news"])
        full = cache.make_key("a")
        valkey.client.set(full, valkey.client.get(full)[:20])
        found = inspect(cache, "a")
        assert reasons(found)[0] == "undecodable"
        assert "cut off" in found.verdict or "damaged" in found.verdict

    def test_it_is_being_loaded(self, make_cache: Callable[..., Any]) -> None:
        cache, seen = make_cache(), []
        cache.get_or_set("a", lambda: seen.append(inspect(cache, "a")) or 1)
        assert reasons(seen[0]) == ["absent", "loading"]
        assert seen[0].lease.left > 5

    def test_its_load_has_failed_and_the_next_is_put_off(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache()
        cache.set("a", 1, timeout=0.01, grace=100)
        eventually(lambda: cache.get("a") is None)

        def fail() -> int:
            raise ZeroDivisionError

        assert cache.get_or_set("a", fail, grace=100) == 1
        found = eventually(lambda: resting(cache))
        assert found.lease is not None
        assert found.lease.resting

    def test_it_is_too_large_for_memory(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache(OPTIONS={"MAX_ENTRY_BYTES": 2000})
        cache.set("a", "x" * 5000)
        found = inspect(cache, "a")
        assert (found.hit, found.copies) == (True, ())
        assert {"redis-only", "too-large"} <= set(reasons(found))

    def test_the_server_makes_room(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey(maxmemory="3mb", maxmemory_policy="allkeys-lru")
        cache = make_caches(default=settings_for("tiered", server.url))["default"]
        cache.set_many({f"k{n}": "x" * 1000 for n in range(5000)})
        assert "server-evicts" in reasons(inspect(cache, "gone"))

    def test_this_process_still_has_to_remove_it(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        cache.set("a", 1)
        cache._node.health.journal.note([cache.make_key("a")])
        assert reasons(inspect(cache, "a"))[0] == "journaled"

    def test_memory_of_a_node_that_hears_nothing_is_not_trusted(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        cache.set("a", 1)
        valkey.client.execute_command("ACL", "SETUSER", "default", "-subscribe")
        valkey.client.client_kill_filter(_type="pubsub")
        try:
            eventually(lambda: cache.stats().backplane == "lost")
            assert "untrusted" in reasons(inspect(cache, "a"))
        finally:
            valkey.client.execute_command("ACL", "SETUSER", "default", "+subscribe")


def resting(cache: Any) -> Inspection | None:
    found = inspect(cache, "a")
    return found if "resting" in reasons(found) else None


class TestWithoutRedis:
    def test_memory_alone_answers_for_itself(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache("memory")
        cache.set("a", 1)
        found = inspect(cache, "a")
        assert (found.hit, found.reached, len(found.copies)) == (True, False, 1)
        assert reasons(inspect(cache, "b")) == ["absent"]

    def test_while_redis_is_away_memory_is_told_of(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache("away")
        cache.set("a", 1)
        found = inspect(cache, "a")
        assert reasons(found) == ["memory", "away"]
        assert found.reason

    def test_a_wrong_password_is_told_of(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey(requirepass="right")
        options = {"PASSWORD": "wrong"}
        cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
        found, seconds = timed(inspect, cache, "a")
        assert "away" in reasons(found)
        assert "wrong" not in found.reason
        assert seconds < 1.2

    def test_a_frozen_server_is_waited_for_shortly_and_no_breaker_opens(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey()
        options = {"TIME_BUDGET": 5.0}
        cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
        cache.set("a", 1)
        server.freeze()
        found, seconds = timed(inspect, cache, "a")
        server.thaw()
        assert len(found.copies) == 1
        assert seconds < 1.2
        assert cache.stats().opened == 0


class TestTraces:
    @pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
    def test_looking_leaves_idle_time_and_frequency_as_they_were(
        self,
        make_caches: Callable[..., dict[str, Any]],
        own_valkey: Callable[..., Valkey],
        policy: str,
    ) -> None:
        server = own_valkey(maxmemory="100mb", maxmemory_policy=policy, lfu_log_factor=0)
        cache = make_caches(default=settings_for("tiered", server.url))["default"]
        cache.set("a", "x", tags=["news"])
        if policy == "allkeys-lru":
            eventually(lambda: (inspect(cache, "a").redis.idle or 0) >= 2)
        else:
            assert len({inspect(cache, "a").redis.frequency for _ in range(5)}) == 1

    def test_looking_counts_nothing_and_uses_nothing(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1)
        entry = cache._node.memory.entries[cache.make_key("a")]
        entry.used = False
        before = cache.stats()
        inspect(cache, "a")
        assert cache.stats() == before
        assert entry.used is False


class TestRights:
    @pytest.mark.parametrize(
        ("denied", "missing"),
        [
            ("-object", {"OBJECT ENCODING", "OBJECT IDLETIME", "OBJECT FREQ"}),
            ("-memory", {"MEMORY USAGE"}),
            ("-info", {"INFO"}),
            ("-strlen", {"STRLEN"}),
            ("-type", {"TYPE"}),
        ],
    )
    def test_a_user_without_a_right_is_told_so_and_sees_the_rest(
        self,
        make_caches: Callable[..., dict[str, Any]],
        valkey: Valkey,
        denied: str,
        missing: set[str],
    ) -> None:
        cache = restricted(make_caches, valkey, denied)
        cache.set("a", {"x": 1})
        found = inspect(cache, "a")
        assert set(found.missing) == missing
        assert found.hit
        assert found.value is not None

    def test_values_are_not_read_where_that_would_mark_their_keys_as_used(
        self, make_caches: Callable[..., dict[str, Any]], valkey: Valkey
    ) -> None:
        cache = restricted(make_caches, valkey, "-client|no-touch")
        cache.set("a", {"x": 1})
        found = inspect(cache, "a")
        assert found.value is None
        assert "NO-TOUCH" in found.why_no_value
        assert found.redis is not None


def test_names_of_readable_keys_come_apart_and_together(make_cache: Callable[..., Any]) -> None:
    cache = make_cache(KEY_FUNCTION="tests.operations.test_inspecting.versions_first")
    raw = cache.make_key("a/b", version=12).encode()
    names = Names(cache)
    assert names.parse(raw) == ("a/b", "12")
    assert names.full("a/b", "12") == raw


def versions_first(key: Any, prefix: str, version: Any) -> str:
    return f"v{version}/{prefix}/{key}"


def test_a_key_function_that_refuses_a_text_is_borne(make_cache: Callable[..., Any]) -> None:
    cache = make_cache(KEY_FUNCTION="tests.operations.test_inspecting.refuses")
    assert Names(cache).full("a", 1) is None


def refuses(key: Any, prefix: str, version: Any) -> str:
    raise CacheKeyWarning("no")
