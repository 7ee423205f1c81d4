"""Keys, a page at a time: every one is found, nothing is touched, nothing takes long."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.operations.support import restricted
from tests.support.caches import settings_for
from tests.support.servers import Valkey
from tests.support.stopwatch import timed
from tests.support.waiting import eventually
from tiercache.operations.cursors import BadCursor
from tiercache.operations.listing import Row, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRANGE = (
    "a/b?c#d%2Fe",
    "<script>alert(1)</script>",
    "emoji \N{PILE OF POO}",
    "new\nline",
    "k" * 240,
    "star*and[brackets]",
    "back\\slash",
)


def all_rows(cache: Any, q: str = "", **options: Any) -> list[Row]:
    """Walk to the end; every page begins where the one before has stopped."""
    rows: list[Row] = []
    cursor = ""
    while True:
        listed = page(cache, q, cursor, **options)
        rows += [*([listed.exact] if listed.exact else []), *listed.rows]
        cursor = listed.cursor
        if not cursor:
            return rows


def names(rows: Any) -> set[str | None]:
    return {row.key for row in rows}


class TestWhatIsFound:
    def test_every_key_is_listed_once_over_all_pages(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(500)})
        rows = all_rows(cache)
        assert len(rows) == 500
        assert names(rows) == {f"key{n}" for n in range(500)}

    def test_a_page_is_not_much_longer_than_asked_for(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(2000)})
        assert 20 <= len(page(cache, size=20).rows) <= 60

    def test_a_glob_finds_what_it_fits_in_all_versions(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache()
        cache.set("user:1", 1)
        cache.set("user:2", 1, version=7)
        cache.set("order:1", 1)
        rows = all_rows(cache, "user:*")
        assert {(row.key, row.version) for row in rows} == {("user:1", "1"), ("user:2", "7")}

    def test_the_exact_key_comes_first_without_a_walk(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(3000)})
        cache.set("the_key", 1)
        listed = page(cache, "the_key", budget=0.0001)
        assert listed.exact is not None
        assert listed.exact.key == "the_key"
        assert listed.cursor

    def test_a_full_key_names_a_key_as_well(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, version=3)
        exact = page(cache, cache.make_key("a", version=3)).exact
        assert exact is not None
        assert (exact.key, exact.version) == ("a", "3")

    @pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
    @pytest.mark.parametrize("key", STRANGE)
    def test_a_strange_key_is_found_by_its_name(
        self, make_cache: Callable[..., Any], key: str
    ) -> None:
        cache = make_cache()
        cache.set(key, 1)
        exact = page(cache, key).exact
        assert exact is not None
        assert exact.key == key
        assert names(all_rows(cache)) == {key}

    def test_a_key_that_is_not_utf_8_is_listed_by_its_bytes(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        raw = f"{cache.key_prefix}:1:".encode() + b"\xff\xfe"
        valkey.client.set(raw, b"1")
        (row,) = page(cache).rows
        assert row.raw == raw
        assert row.key is None

    def test_a_prefix_with_colons_is_told_from_the_version(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache(KEY_PREFIX="site:blue")
        cache.set("a:b", 1)
        (row,) = page(cache).rows
        assert (row.key, row.version) == ("a:b", "1")

    def test_other_caches_keys_and_internal_ones_are_not_listed(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        cache.set("own", 1, tags=["news"])
        valkey.client.set("somebody else's", 1)
        valkey.client.set(f"{cache.make_key('own')}:tiercache.lease", 1)
        assert names(all_rows(cache)) == {"own"}
        assert page(cache, "somebody else's").exact is None


class TestWhatIsSaid:
    def test_a_row_says_where_the_key_is_how_large_and_for_how_long(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache()
        cache.set("a", "x" * 1000, timeout=60, grace=100, tags=["news", "sport"])
        (row,) = page(cache).rows
        assert row.redis
        assert row.held == 1
        assert row.type == "string"
        assert row.size is not None
        assert row.size > 1000
        assert row.left is not None
        assert 50 < row.left <= 60
        assert set(row.tags) == {"news", "sport"}

    def test_what_lives_for_ever_has_no_time_left(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, timeout=None)
        (row,) = page(cache).rows
        assert row.left is None
        assert not row.stale

    def test_what_its_grace_alone_keeps_is_stale(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1, timeout=0.001, grace=100)
        row = eventually(lambda: next((row for row in page(cache).rows if row.stale), None))
        assert row.left == 0

    def test_the_last_page_has_scanned_all_that_there_is(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(300)})
        listed = page(cache, "nothing fits")
        assert (listed.scanned, listed.total, listed.cursor) == (300, 300, "")

    def test_what_was_found_is_counted_over_the_pages(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(300)})
        first = page(cache, size=50)
        second = page(cache, cursor=first.cursor, size=50)
        assert second.found == len(first.rows) + len(second.rows)
        assert second.scanned > first.scanned

    def test_a_damaged_cursor_is_refused(self, make_cache: Callable[..., Any]) -> None:
        with pytest.raises(BadCursor, match="damaged"):
            page(make_cache(), cursor="no cursor!")

    def test_another_searchs_cursor_is_refused(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set_many({f"key{n}": n for n in range(300)})
        cursor = page(cache).cursor
        with pytest.raises(BadCursor, match="another search"):
            page(cache, "key1*", cursor)

    def test_keys_that_a_key_function_hides_are_found_by_name_alone(
        self, make_cache: Callable[..., Any]
    ) -> None:
        cache = make_cache(KEY_FUNCTION="tests.operations.test_listing.hashed")
        cache.set("a", 1)
        listed = page(cache, "a")
        assert listed.exact is not None
        assert not listed.rows
        assert "KEY_FUNCTION" in listed.reason


def hashed(key: Any, prefix: str, version: Any) -> str:
    return hashlib.sha256(f"{prefix}{version}{key}".encode()).hexdigest()


class TestWithoutRedis:
    def test_a_cache_of_memory_alone_lists_its_memory(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache("memory")
        cache.set_many({f"key{n}": n for n in range(120)})
        listed = page(cache)
        assert not listed.reached
        assert len(listed.rows) == 50
        assert names(all_rows(cache)) == {f"key{n}" for n in range(120)}
        assert page(cache, "key7").exact is not None

    def test_of_memory_that_is_shared_only_this_caches_own_keys_are_listed(
        self, make_caches: Callable[..., dict[str, Any]]
    ) -> None:
        shared = settings_for("memory", "", LOCATION="memory://shared")
        made = make_caches(default=shared, other={**shared, "KEY_PREFIX": "other"})
        made["other"].set("theirs", 1)
        made["default"].set("ours", 1, tags=["news"])
        made["default"].set("order:1", 1)
        made["default"].set("over", 1, timeout=0.001)
        assert names(all_rows(made["default"], "o*r*s")) == {"ours"}
        eventually(
            lambda: names(all_rows(made["default"])) == {"ours", "order:1"},
        )

    def test_while_redis_is_away_memory_is_listed(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache("away")
        cache.set("a", 1)
        listed = page(cache)
        assert (listed.reached, names(listed.rows)) == (False, {"a"})
        assert listed.reason

    def test_a_frozen_server_is_waited_for_shortly_and_no_breaker_opens(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey()
        options = {"TIME_BUDGET": 5.0}
        cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
        cache.set("a", 1)
        server.freeze()
        listed, seconds = timed(page, cache)
        server.thaw()
        assert (listed.reached, names(listed.rows)) == (False, {"a"})
        assert seconds < 1.2
        assert cache.stats().opened == 0
        assert not cache.stats().errors


class TestTraces:
    @pytest.mark.parametrize(
        ("policy", "word"), [("allkeys-lru", "IDLETIME"), ("allkeys-lfu", "FREQ")]
    )
    def test_looking_leaves_idle_time_and_frequency_as_they_were(
        self,
        make_caches: Callable[..., dict[str, Any]],
        own_valkey: Callable[..., Valkey],
        policy: str,
        word: str,
    ) -> None:
        server = own_valkey(maxmemory="100mb", maxmemory_policy=policy, lfu_log_factor=0)
        cache = make_caches(default=settings_for("tiered", server.url))["default"]
        cache.set("a", "x", tags=["news"])
        full = cache.make_key("a")

        def seen() -> int:
            return int(server.client.object(word, full))

        if word == "IDLETIME":
            eventually(lambda: seen() >= 2)
        before = seen()
        for _ in range(3):
            assert page(cache, "a").exact.tags == ("news",)
        assert seen() >= before if word == "IDLETIME" else seen() == before

    def test_looking_counts_nothing(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache()
        cache.set("a", 1)
        before = cache.stats()
        page(cache)
        page(cache, "a")
        assert cache.stats() == before


class TestRights:
    @pytest.mark.parametrize(
        ("denied", "missing"),
        [
            ("-scan", "SCAN"),
            ("-memory|usage", "MEMORY USAGE"),
            ("-client|no-touch", "CLIENT NO-TOUCH"),
            ("-client", "CLIENT NO-TOUCH"),
            ("-dbsize", "DBSIZE"),
            ("-type", "TYPE"),
        ],
    )
    def test_a_user_without_a_right_is_told_so_and_sees_the_rest(
        self,
        make_caches: Callable[..., dict[str, Any]],
        valkey: Valkey,
        denied: str,
        missing: str,
    ) -> None:
        cache = restricted(make_caches, valkey, denied)
        cache.set("a", 1, tags=["news"])
        listed = page(cache, "a")
        assert listed.missing == (missing,)
        assert listed.exact is not None
        assert listed.exact.held == 1
        assert listed.reached


def test_a_text_that_is_too_long_for_a_glob_is_taken_for_a_key(
    make_cache: Callable[..., Any], valkey: Valkey
) -> None:
    cache = make_cache()
    valkey.client.set(f"{cache.key_prefix}:1:{'*' * 2000}", 1)
    listed = page(cache, "*" * 2000)
    assert listed.exact is not None
    assert (listed.rows, listed.cursor) == ((), "")
    assert "1000" in listed.reason


def test_an_impossible_size_is_refused(make_cache: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        page(make_cache(), size=101)


MILLION = 1_000_000
MEGABYTES = 2**20


@pytest.fixture(scope="module")
def million() -> Iterator[Valkey]:
    """A server with a million keys."""
    server = Valkey()
    server.client.execute_command("DEBUG", "POPULATE", MILLION, "big:1:key", 20)
    yield server
    server.close()


class TestAMillionKeys:
    @pytest.fixture
    def big(self, million: Valkey, make_caches: Callable[..., dict[str, Any]]) -> Any:
        settings = settings_for("tiered", million.url, KEY_PREFIX="big")
        return make_caches(default=settings)["default"]

    @pytest.mark.parametrize("q", ["", "key:999*", "key:123456", "nothing*"])
    def test_a_page_takes_under_half_a_second_and_no_memory(self, big: Any, q: str) -> None:
        process = psutil.Process()
        before = process.memory_info().rss
        listed, seconds = timed(page, big, q)
        assert seconds < 0.5
        assert process.memory_info().rss - before < 20 * MEGABYTES
        assert listed.total >= MILLION

    def test_an_existing_key_is_found_at_once(self, big: Any) -> None:
        exact = page(big, "key:987654").exact
        assert exact is not None
        assert exact.redis

    def test_a_walk_goes_on_until_a_rare_key_is_found(self, big: Any) -> None:
        found = {row.key for row in all_rows(big, "key:99999?")}
        assert found == {f"key:99999{digit}" for digit in range(10)}
