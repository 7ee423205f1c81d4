"""Settings and server judged together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operations.support import restricted
from tests.support.caches import settings_for
from tests.support.stopwatch import timed
from tests.support.waiting import eventually
from tiercache.operations import symptoms
from tiercache.operations.doctor import LEVELS, Finding, examine
from tiercache.operations.findings import Signs
from tiercache.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey


@pytest.fixture
def examined(
    make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
) -> Callable[..., dict[str, Finding]]:
    """Examine a cache on a server of its own with these settings; return findings by name."""

    def examine_one(options: dict[str, Any] | None = None, **config: Any) -> dict[str, Finding]:
        server = own_valkey(**config)
        settings = settings_for("tiered", server.url, OPTIONS=options or {})
        cache = make_caches(default=settings)["default"]
        return {finding.name: finding for finding in examine(cache)}

    return examine_one


def level_of(findings: dict[str, Finding], name: str) -> str | None:
    return findings[name].level if name in findings else None


class TestServers:
    def test_a_server_that_is_right_gets_nothing_worse_than_advice(
        self, examined: Callable[..., dict[str, Finding]]
    ) -> None:
        found = examined(maxmemory="100mb", maxmemory_policy="allkeys-lru")
        assert {finding.level for finding in found.values()} <= {"good", "advice"}
        assert level_of(found, "eviction-policy") == "good"
        assert level_of(found, "rights") == "good"
        assert level_of(found, "version") == "good"
        assert level_of(found, "clock") == "good"
        assert level_of(found, "latency") == "good"

    @pytest.mark.parametrize(
        ("config", "name", "level"),
        [
            ({"maxmemory": 0}, "maxmemory", "advice"),
            (
                {"maxmemory": "100mb", "maxmemory_policy": "noeviction"},
                "eviction-policy",
                "warning",
            ),
            (
                {"maxmemory": "100mb", "maxmemory_policy": "volatile-lru"},
                "eviction-policy",
                "advice",
            ),
            ({"timeout": 5}, "timeout", "warning"),
            ({"timeout": 300}, "timeout", None),
            ({"tcp_keepalive": 0}, "tcp-keepalive", "advice"),
            ({"appendonly": "yes", "appendfsync": "always"}, "appendfsync", "warning"),
            ({"appendonly": "no", "appendfsync": "always"}, "appendfsync", None),
            ({"client_output_buffer_limit": "pubsub 1000 100 1"}, "output-buffer", "warning"),
        ],
    )
    def test_a_setting_of_the_server_is_judged(
        self,
        examined: Callable[..., dict[str, Finding]],
        config: dict[str, Any],
        name: str,
        level: str | None,
    ) -> None:
        assert level_of(examined(**config), name) == level

    def test_a_replica_is_an_error(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey()
        cache = make_caches(default=settings_for("tiered", server.url))["default"]
        server.refuse_writes()
        assert level_of({f.name: f for f in examine(cache)}, "replica") == "error"

    def test_a_password_and_a_private_address_protect(self) -> None:
        open_to_all = {"protected-mode": "no", "bind": "0.0.0.0"}
        assert list(symptoms.protection(signs(config=open_to_all)))
        assert not list(symptoms.protection(signs(config=open_to_all, password=True)))
        at_home = {"protected-mode": "no", "bind": "127.0.0.1 -::1"}
        assert not list(symptoms.protection(signs(config=at_home)))

    @pytest.mark.parametrize(
        ("said", "level"),
        [
            ({"redis_version": "6.0.16"}, "error"),
            ({"redis_version": "6.2.14"}, "advice"),
            ({"redis_version": "7.4.1"}, "good"),
            ({"valkey_version": "9.0.0", "redis_version": "7.2.4"}, "good"),
        ],
    )
    def test_versions_are_judged(self, said: dict[str, str], level: str) -> None:
        (finding,) = symptoms.version(signs(said=said))
        assert finding.level == level

    def test_a_save_that_failed_is_an_error_where_it_stops_writes(self) -> None:
        said = {"rdb_last_bgsave_status": "err"}
        (finding,) = symptoms.persistence(signs(said=said))
        assert finding.level == "error"
        goes_on = {"stop-writes-on-bgsave-error": "no"}
        assert not list(symptoms.persistence(signs(said=said, config=goes_on)))

    def test_clocks_that_differ_are_told_of(self) -> None:
        (finding,) = symptoms.clocks(signs(offset=-30.0))
        assert (finding.level, "30.00 s behind" in finding.text) == ("advice", True)

    def test_a_round_trip_that_takes_much_of_the_budget_is_a_warning(self) -> None:
        assert [f.level for f in symptoms.time_budget(signs(latency=0.3))] == ["warning"]


def signs(**values: Any) -> Signs:
    return Signs(**{"said": {}, "config": {}, "options": Options(), **values})


class TestSettings:
    @pytest.mark.parametrize(
        ("options", "name", "level"),
        [
            ({"TIME_BUDGET": 30.0}, "time-budget", "warning"),
            ({"SOCKET_TIMEOUT": 5}, "socket-timeout", "advice"),
            ({"SOCKET_TIMEOUT": 0.5}, "socket-timeout", None),
        ],
    )
    def test_time_outs_are_judged_against_the_budget(
        self,
        examined: Callable[..., dict[str, Finding]],
        options: dict[str, Any],
        name: str,
        level: str | None,
    ) -> None:
        assert level_of(examined(options), name) == level

    def test_djangos_checks_are_a_part(self, make_cache: Callable[..., Any]) -> None:
        cache = make_cache(TIMEOUT=None, OPTIONS={"MEMORY_TIMEOUT": None})
        assert level_of({f.name: f for f in examine(cache)}, "tiercache.W001") == "warning"

    def test_the_worst_comes_first(self, make_cache: Callable[..., Any]) -> None:
        levels = [LEVELS.index(finding.level) for finding in examine(make_cache("away"))]
        assert levels == sorted(levels, reverse=True)


class TestRights:
    @pytest.mark.parametrize(
        ("rule", "command", "level"),
        [
            ("-unlink", "UNLINK", "error"),
            ("-evalsha", "EVALSHA", "error"),
            ("-mget", "MGET", "error"),
            ("-publish", "PUBLISH", "error"),
            ("-config", "CONFIG GET", "advice"),
            ("-memory", "MEMORY USAGE", "advice"),
        ],
    )
    def test_a_right_that_is_not_there_is_named_with_the_rule_that_gives_it(
        self,
        make_caches: Callable[..., dict[str, Any]],
        valkey: Valkey,
        rule: str,
        command: str,
        level: str,
    ) -> None:
        found = examine(restricted(make_caches, valkey, rule))
        (finding,) = [one for one in found if one.name == "rights"]
        assert finding.level == level
        assert command in finding.text
        assert f"+{command.lower().replace(' ', '|')}" in finding.advice

    def test_to_try_rights_changes_nothing(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        cache.set("a", 1)
        examine(cache)
        keys, before = set(valkey.client.scan_iter()), cache.stats()
        examine(cache)
        assert set(valkey.client.scan_iter()) - keys <= reports(valkey)
        assert cache.stats() == before
        assert cache.get("a") == 1
        assert cache.stats().memory_hits == before.memory_hits + 1

    def test_a_process_that_hears_nothing_is_told_of(
        self, make_cache: Callable[..., Any], valkey: Valkey
    ) -> None:
        cache = make_cache()
        valkey.client.execute_command("ACL", "SETUSER", "default", "-subscribe")
        valkey.client.client_kill_filter(_type="pubsub")
        try:
            eventually(lambda: cache.stats().backplane == "lost")
            assert level_of({f.name: f for f in examine(cache)}, "backplane") == "warning"
        finally:
            valkey.client.execute_command("ACL", "SETUSER", "default", "+subscribe")


def reports(valkey: Valkey) -> set[bytes]:
    return {name for name in valkey.client.scan_iter() if name.startswith(b"tiercache:")}


class TestWithoutRedis:
    def test_memory_alone_is_good(self, make_cache: Callable[..., Any]) -> None:
        assert level_of({f.name: f for f in examine(make_cache("memory"))}, "alone") == "good"

    def test_a_server_that_is_away_is_an_error(self, make_cache: Callable[..., Any]) -> None:
        assert level_of({f.name: f for f in examine(make_cache("away"))}, "away") == "error"

    def test_a_frozen_server_is_waited_for_shortly(
        self, make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
    ) -> None:
        server = own_valkey()
        cache = make_caches(default=settings_for("tiered", server.url))["default"]
        server.freeze()
        found, seconds = timed(examine, cache)
        server.thaw()
        assert found[0].name == "away"
        assert seconds < 1.5
        assert cache.stats().opened == 0
