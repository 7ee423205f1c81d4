"""One cache everywhere: what its nodes report, and what is shown where none can."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from tests.support.caches import settings_for
from tests.support.neighbours import Neighbour
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tiercache.exceptions import LoadTimeout
from tiercache.node import visiting
from tiercache.operations.overview import unusable, view, views
from tiercache.operations.sentences import status
from tiercache.reports import report as reports
from tiercache.reports.places import Places


def nodes(cache: Any) -> dict[int, Any]:
    return {node.pid: node for node in view(cache).nodes}


def test_every_process_shows_every_process(reporting: Any, neighbours: Any) -> None:
    cache = reporting()
    others = neighbours(2)
    pids = {os.getpid(), *(neighbour.pid for neighbour in others)}
    eventually(lambda: set(nodes(cache)) == pids)
    seen = others[0].worth(
        "[n.pid for n in __import__('tiercache.operations.overview', fromlist=['view'])"
        ".view(cache).nodes]"
    )
    assert set(seen) == pids
    assert [node.here for node in view(cache).nodes] == [True, False, False]


def test_figures_are_those_of_all_processes(reporting: Any, neighbours: Any) -> None:
    cache = reporting()
    cache.set("key", 1)
    for neighbour in neighbours(2):
        neighbour.worth("[cache.get('key') for _ in range(100)] and None")

    def hits() -> int:
        calls = view(cache).totals.calls
        return calls.get("memory_hits", 0) + calls.get("redis_hits", 0)

    eventually(lambda: hits() == 200)
    shown = view(cache)
    assert shown.windows["1m"].tiers["memory"] == 198
    total = shown.totals.requests
    assert shown.windows["15m"].requests == shown.windows["24h"].requests == total
    assert sum(window.requests for window in shown.hour) == total
    assert sum(window.requests for window in shown.day) == total


def test_what_is_looked_at_is_not_counted(reporting: Any) -> None:
    """Nor are the questions that it takes."""
    cache = reporting()
    cache.set("key", 1)
    eventually(lambda: view(cache).totals.calls.get("sets") == 1)
    before = cache.stats()
    meter = cache._node.meter
    timed = (sum(meter.read.counts), sum(meter.write.counts))
    for _ in range(5):
        view(cache)
    assert cache.stats() == before
    assert (sum(meter.read.counts), sum(meter.write.counts)) == timed


def test_a_process_that_ends_says_so(reporting: Any, neighbours: Any) -> None:
    cache = reporting()
    (neighbour,) = neighbours(1)
    eventually(lambda: neighbour.pid in nodes(cache))
    neighbour.worth("[cache.set('key', n) for n in range(7)] and None")
    neighbour.close()
    assert nodes(cache)[neighbour.pid].ended
    assert view(cache).totals.calls["sets"] == 7
    assert [node.pid for node in view(cache).running] == [os.getpid()]


def test_a_process_that_was_killed_is_gone_and_then_forgotten(
    reporting: Any, neighbours: Any, monkeypatch: Any
) -> None:
    cache = reporting()
    (neighbour,) = neighbours(1)
    eventually(lambda: neighbour.pid in nodes(cache))
    neighbour.kill()
    eventually(lambda: nodes(cache)[neighbour.pid].gone)
    monkeypatch.setattr("tiercache.reporter.FORGOTTEN", 0.5)
    eventually(lambda: neighbour.pid not in nodes(cache))


def test_a_fork_is_a_node_of_its_own_that_has_counted_nothing(reporting: Any) -> None:
    cache = reporting()
    cache.set("key", 1)
    pid = os.fork()
    if pid == 0:
        try:
            caches["default"].get("key")
            signal.pause()  # until it is killed
        finally:
            os._exit(0)
    try:
        eventually(lambda: pid in nodes(cache))
        assert nodes(cache)[pid].id != cache._node.id
        eventually(lambda: nodes(cache)[pid].totals.calls == {"redis_hits": 1})
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_visitor_is_no_node(make_caches: Any, valkey: Any) -> None:
    """It asks and shows all the same; used again afterwards, it is one."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"REPORT": 0.1})
    with visiting():
        cache = make_caches(default=conf)["default"]
        cache.set("key", 1)
        shown = view(cache)
        assert (shown.reached, shown.nodes) == (True, ())
        assert cache._node._backplane.connected is False
    cache.get("key")
    eventually(lambda: cache.stats().backplane == "joined" and view(cache).nodes)


def test_another_site_in_the_same_database_is_not_shown(reporting: Any, valkey: Any) -> None:
    cache = reporting()
    other = Neighbour({"default": settings_for("tiered", valkey.url, OPTIONS={"REPORT": 0.1})})
    try:
        other.worth("cache.set('key', 1)")
        eventually(lambda: len(valkey.client.keys("tiercache:nodes/*/index")) >= 2)
        eventually(lambda: view(cache).totals.seconds > 0.5)
        assert set(nodes(cache)) == {os.getpid()}
        assert view(cache).totals.calls.get("sets") is None
    finally:
        other.kill()


def test_aliases_of_one_store_have_their_own_calls_and_one_memory(
    make_caches: Any, valkey: Any
) -> None:
    conf = settings_for("tiered", valkey.url, OPTIONS={"REPORT": 0.1})
    made = make_caches(default=conf, other={**conf, "KEY_PREFIX": "other"})
    made["default"].set("key", 1)
    made["other"].set_many({"a": 1, "b": 2})
    eventually(lambda: [v.totals.calls.get("sets") for v in views()] == [1, 2])
    one, two = views()
    assert one.nodes[0].entries == two.nodes[0].entries == 3
    assert (one.alias, two.alias, two.prefix) == ("default", "other", "other")


def test_without_redis_it_is_this_process_and_says_why(own_valkey: Any, make_caches: Any) -> None:
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url, OPTIONS={"REPORT": 0.1}))[
        "default"
    ]
    cache.set("key", 1)
    eventually(lambda: view(cache).totals.calls)
    server.kill()
    cache.set("key", 2)
    with Stopwatch() as watch:
        shown = view(cache)
    assert watch.seconds < 1.2
    assert (shown.reached, shown.alone, shown.reason) == (False, False, "refused")
    assert shown.away_since == pytest.approx(time.time(), abs=5)
    assert [node.here for node in shown.nodes] == [True]
    assert shown.nodes[0].entries == 1
    assert shown.nodes[0].journaled == 1
    assert shown.nodes[0].errors[0].kind == "refused"
    cache.get("key")
    eventually(lambda: view(cache).windows["1m"].tiers["memory"])


def test_a_frozen_server_holds_all_views_up_for_a_second(own_valkey: Any, make_caches: Any) -> None:
    """And says nothing of the site's own calls: the breaker is theirs."""
    server = own_valkey()
    one, two = (settings_for("tiered", server.url) for _ in range(2))
    cache = make_caches(default=one, two=two, three={**two, "LOCATION": f"{server.url}/1"})[
        "default"
    ]
    server.freeze()
    with Stopwatch() as watch:
        assert [shown.reached for shown in views()] == [False, False, False]
    assert watch.seconds < 1.5
    assert cache.stats().state == "up"


def test_what_was_counted_while_redis_was_away_is_told_afterwards(
    own_valkey: Any, make_caches: Any
) -> None:
    """Once, whatever arrived of the reports that were sent."""
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url, OPTIONS={"REPORT": 0.1}))[
        "default"
    ]
    cache.set("key", 1)
    eventually(lambda: view(cache).totals.calls.get("sets") == 1)
    server.freeze()
    for n in range(5):
        cache.set("key", n)
    eventually(lambda: cache.stats().state == "away")
    server.thaw()
    eventually(lambda: cache.stats().state == "up", within=10)
    eventually(lambda: view(cache).totals.calls.get("sets") == 6)
    assert cache.stats().sets == 6


def test_memory_alone_is_this_process_and_nothing_is_missing(make_cache: Any) -> None:
    cache = make_cache("memory")
    cache.set("key", 1)
    cache.get("key")
    shown = view(cache)
    assert (shown.alone, shown.reached, shown.server) == (True, False, None)
    assert shown.nodes[0].totals.tiers["memory"] == 1


def test_who_may_not_write_reports_is_heard_of_once_and_works(
    own_valkey: Any, make_caches: Any, caplog: Any
) -> None:
    server = own_valkey()
    server.client.execute_command(
        "ACL", "SETUSER", "site", "on", ">secret", "+@all", "~t*", "resetchannels", "&*"
    )
    server.client.execute_command("ACL", "SETUSER", "site", "resetkeys", "~shop:*")
    conf = settings_for("tiered", server.url, OPTIONS={"REPORT": 0.1}, KEY_PREFIX="shop")
    conf["LOCATION"] = conf["LOCATION"].replace("://", "://site:secret@")
    cache = make_caches(default=conf)["default"]
    cache.set("key", 1)
    eventually(lambda: "tiercache.report.refused" in caplog.text)
    assert cache.get("key") == 1
    assert cache.stats().state == "up"
    shown = view(cache)
    assert (shown.reached, [node.here for node in shown.nodes]) == (True, [True])
    assert "NOPERM" in shown.reason or "permission" in shown.reason.lower()


def test_who_reports_nothing_is_shown_here_and_nowhere_else(
    own_valkey: Any, make_caches: Any
) -> None:
    server = own_valkey()  # on the shared one a node of the test before may report once more
    conf = settings_for("tiered", server.url, OPTIONS={"REPORT": None})
    cache = make_caches(default=conf)["default"]
    cache.get("key")
    assert len(view(cache).nodes) == 1
    assert server.client.keys("tiercache:nodes/*") == []


def test_reports_lie_outside_of_every_prefix(reporting: Any, valkey: Any) -> None:
    """Even one that is called as they begin; and whoever clears a cache leaves them."""
    cache = reporting(KEY_PREFIX="tiercache")
    cache.set("key", 1)
    eventually(lambda: valkey.client.exists(Places(cache._node.scope).totals))
    assert cache.keys("*") == ["key"]
    cache.clear()
    assert valkey.client.exists(Places(cache._node.scope).totals)
    for key in valkey.client.keys("tiercache:nodes/*"):
        assert valkey.client.pttl(key) > 0, key


def test_foreign_reports_do_no_harm(reporting: Any, valkey: Any) -> None:
    cache = reporting()
    places = Places(cache._node.scope)
    eventually(lambda: valkey.client.exists(places.index))
    valkey.client.zadd(places.index, {"bad": time.time() * 1000, b"\xff": 5, "none": 1})
    valkey.client.hset(places.report("bad"), "report", b"\x80\x04boom")
    valkey.client.hset(places.totals, "default|memory_hits", "many")
    assert [node.here for node in view(cache).nodes] == [True]


def test_the_way_of_a_message_is_timed(reporting: Any) -> None:
    cache = reporting()
    eventually(lambda: view(cache).windows["1m"].quantile("lag", 0.5))
    assert view(cache).windows["1m"].quantile("lag", 0.5) < 0.5


def test_failures_are_told_with_their_words(reporting: Any) -> None:
    cache = reporting()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set("key", lambda: 1 / 0)
    with pytest.raises(LoadTimeout):
        cache.get_or_set("slow", lambda: time.sleep(0.3), budget=0.01)
    error = view(cache).nodes[0].errors[0]
    assert (error.kind, error.text) == ("load", "ZeroDivisionError: division by zero")
    assert error.at == pytest.approx(time.time(), abs=5)
    eventually(lambda: view(cache).windows["1m"].tiers["error"] == 2)


def test_secrets_are_not_shown(make_caches: Any, valkey: Any) -> None:
    conf = settings_for("tiered", valkey.url, OPTIONS={"PASSWORD": "", "REPORT": None})
    conf["LOCATION"] = conf["LOCATION"].replace("://", "://default:hunter2@")
    conf["OPTIONS"]["CONNECTION_POOL_KWARGS"] = {"password": "hunter2", "health_check_interval": 3}
    cache = make_caches(default=conf)["default"]
    shown = str(view(cache).settings)
    assert "hunter2" not in shown
    assert "********" in shown
    assert "health_check_interval: 3" in shown
    assert view(cache).settings["LOCATION"] == f"{valkey.url}/0"


def test_a_report_is_late_after_three_intervals() -> None:
    assert reports.LATE == 3


def test_a_cache_that_cannot_be_made_hides_no_other(make_caches: Any, valkey: Any) -> None:
    """It is named, with the reason."""
    conf = settings_for("tiered", valkey.url)
    make_caches(default=conf)
    wrong = {**conf, "OPTIONS": {**conf["OPTIONS"], "MAX_ENTRIES": 7}}
    with override_settings(CACHES={"default": conf, "wrong": wrong}):
        assert [shown.alias for shown in views()] == ["default"]
        assert "MAX_ENTRIES" in unusable()["wrong"]
        said = status(views(), unusable())
        assert said.level == "bad"
        assert "Cache wrong cannot be used" in said.text


def test_a_store_is_asked_once_for_all_its_aliases(make_caches: Any, valkey: Any) -> None:
    conf = settings_for("tiered", valkey.url)
    made = make_caches(default=conf, **{f"a{n}": {**conf, "KEY_PREFIX": f"a{n}"} for n in range(9)})
    before = valkey.calls()["zrange"]
    assert len(views()) == len(made)
    assert valkey.calls()["zrange"] == before + 1


def test_a_node_that_has_ended_is_soon_forgotten(reporting: Any, neighbours: Any, valkey: Any):
    cache = reporting()
    (neighbour,) = neighbours(1)
    eventually(lambda: neighbour.pid in nodes(cache))
    report = Places(cache._node.scope).report(neighbour.id)
    assert valkey.client.pttl(report) > 500_000
    neighbour.close()
    assert 0 < valkey.client.pttl(report) <= 60_000


def test_nobody_is_gone_because_redis_takes_no_reports(
    own_valkey: Any, make_caches: Any, neighbours: Any
) -> None:
    server = own_valkey()
    options = {"REPORT": 0.1}
    cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
    (neighbour,) = neighbours(1)
    eventually(lambda: neighbour.pid in nodes(cache))
    server.configure(maxmemory=1, maxmemory_policy="noeviction")
    cache.set("key", 1)
    eventually(lambda: cache.stats().state == "read-only")
    eventually(lambda: nodes(cache)[neighbour.pid].seen > 2)
    assert not nodes(cache)[neighbour.pid].gone


def test_what_is_asked_for_most_is_told_and_how_long_a_hit_takes(reporting: Any) -> None:
    """Tags' numbers, which are looked up as well, are none of the site's keys."""
    cache = reporting()
    cache.set("user:1", [1], tags=["red"])

    def seen() -> Any:
        for _ in range(100):
            # From Redis, with a look at the tag's number, and then from memory.
            cache._node.memory.invalidate(cache.make_key("user:1"))
            cache.get("user:1")
            cache.get("user:1")
        return view(cache).top.sampled > 20

    eventually(seen, within=20)
    shown = view(cache)
    assert shown.top.keys == (("user:1", 1.0),)
    assert shown.top.namespaces == (("user:*", 1.0),)
    eventually(lambda: view(cache).windows["1m"].quantile("memory", 0.5))
