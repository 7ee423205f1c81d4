"""What Prometheus scrapes: the cluster's figures, by its conventions, and only for who may see."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.operations import made_views
from tests.operations.made_views import STORE
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache.prometheus import TiercacheCollector, families
from tiercache.reports.exported import LOADS, TIMINGS
from tiercache.reports.histogram import Histogram, upper_bound
from tiercache.scraping import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiercache.reports.cluster import View

ROOT = Path(__file__).parents[1]
GRAFANA = ROOT / "docs" / "grafana.json"

ANOTHER_PROCESS = """
import json, sys
from django.conf import settings
settings.configure(CACHES=json.loads(sys.argv[1]))
from django.core.cache import cache
for number in range(5):
    cache.get(f"nothing-{number}")
"""


def exposed(views: Iterable[View]) -> dict[str, Any]:
    """Return the families as a scraper parses them."""

    class Made:
        def collect(self) -> Any:
            return families(list(views))

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Made())  # type: ignore[arg-type]
    text = generate_latest(registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: dict[str, Any], name: str, **labels: str) -> float | None:
    """Return the value of the one series that has these labels."""
    head = name.removesuffix("_total")
    samples = [
        sample
        for sample in (found[head].samples if head in found else ())
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(samples) < 2, f"{name} {labels} is not one series: {samples}"
    return samples[0].value if samples else None


# What is exported


def test_counters_are_the_clusters_totals() -> None:
    found = exposed([made_views.view()])
    totals = made_views.view().totals
    for tier, count in totals.tiers.items():
        assert value(found, "tiercache_requests_total", cache="default", tier=tier) == count
    assert value(found, "tiercache_loads_total", cache="default") == 600
    assert value(found, "tiercache_load_failures_total", cache="default") == 100
    assert value(found, "tiercache_memory_evictions_total", cause="bytes") == 400
    assert value(found, "tiercache_redis_errors_total", kind="timeout") == 100


def test_what_has_not_occurred_yet_is_a_zero_and_not_missing() -> None:
    """Else the first occurrence is no increase."""
    found = exposed([made_views.view()])
    assert value(found, "tiercache_memory_evictions_total", cause="too_large") == 0
    assert value(found, "tiercache_redis_errors_total", kind="refused") == 0


def test_memory_is_the_sum_of_the_nodes_that_run() -> None:
    nodes = (
        made_views.node(1),
        made_views.node(2),
        made_views.node(3, gone=True),
        made_views.node(4, ended=True, gone=True),
    )
    found = exposed([made_views.view(nodes=nodes)])
    assert value(found, "tiercache_memory_entries") == 2400
    assert value(found, "tiercache_memory_bytes") == 2 * 8_388_608
    assert value(found, "tiercache_memory_limit_bytes") == 2 * 67_108_864
    assert value(found, "tiercache_nodes", state="up") == 2
    assert value(found, "tiercache_nodes", state="gone") == 1
    assert value(found, "tiercache_backplane_nodes", state="joined") == 2


def test_a_store_that_two_caches_share_is_exported_once() -> None:
    found = exposed([made_views.view(), made_views.view("pages")])
    assert value(found, "tiercache_memory_entries", store=STORE) == 2400
    assert value(found, "tiercache_redis_up", store=STORE) == 1
    assert value(found, "tiercache_requests_total", cache="pages", tier="memory") == 8000


def test_two_stores_of_one_database_are_added_up() -> None:
    """Another serializer makes another store, whose series would have the same labels."""
    json_nodes = (made_views.node(7), made_views.node(8))
    found = exposed([made_views.view(), made_views.view("json", nodes=json_nodes)])
    assert value(found, "tiercache_memory_entries", store=STORE) == 4800
    assert value(found, "tiercache_memory_evictions_total", cause="bytes") == 800


def test_while_redis_is_away_counters_are_absent_rather_than_wrong() -> None:
    found = exposed([made_views.away()])
    assert value(found, "tiercache_redis_up", store=STORE) == 0
    for name, family in found.items():
        assert name == "tiercache_redis_up" or not family.samples


def test_one_cache_that_is_away_leaves_the_others_as_they_are() -> None:
    other = made_views.away("pages", store="redis://other:6379/0")
    found = exposed([made_views.view(), other])
    assert value(found, "tiercache_requests_total", cache="default", tier="memory") == 8000
    assert value(found, "tiercache_requests_total", cache="pages", tier="memory") is None


def test_figures_that_redis_refused_to_tell_are_absent() -> None:
    found = exposed([made_views.view(shared=False, reason="NOPERM this user has no permissions")])
    assert value(found, "tiercache_requests_total", tier="memory") is None
    assert value(found, "tiercache_redis_up", store=STORE) == 1


def test_a_cache_without_redis_is_told_by_process() -> None:
    """Whichever process answers: its series are its own, and the sums hold."""
    found = exposed([made_views.alone()])
    labels = {"cache": "local", "tier": "memory", "node": "web1:4001"}
    assert value(found, "tiercache_requests_total", **labels) == 8000
    assert not found["tiercache_redis_up"].samples


def test_what_a_user_may_not_ask_the_server_is_absent() -> None:
    server = made_views.Server(missing=("INFO",), keys=3)
    found = exposed([made_views.view(server=server)])
    assert value(found, "tiercache_redis_memory_bytes") is None
    assert value(found, "tiercache_redis_keys") == 3


def test_a_label_is_escaped() -> None:
    found = exposed([made_views.view('a"b\\c\nd')])
    assert value(found, "tiercache_loads_total", cache='a"b\\c\nd') == 600


# Histograms


def test_every_bound_is_a_bound_of_our_own_buckets() -> None:
    """So the counts below it are exact, and not guessed."""
    bounds = {upper_bound(bucket) for bucket in range(159)}
    for timing in (*TIMINGS, LOADS):
        assert set(timing.bounds) <= bounds


def test_a_histogram_counts_what_is_below_each_bound() -> None:
    histogram = Histogram()
    taken = [100, 999, 16_383, 16_384, 16_385, 40_000, 5_000_000_000]
    for nanoseconds in taken:
        histogram.record(nanoseconds)
    counts = histogram.figures("read")
    view = made_views.view(totals=made_views.Window(0.0, 1.0, {}, counts))
    samples = exposed([view])["tiercache_redis_read_seconds"].samples
    buckets = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
    for bound, counted in buckets.items():
        assert counted == sum(each / 1e9 < float(bound) for each in taken)
    total = next(s.value for s in samples if s.name.endswith("_sum"))
    assert total == pytest.approx(sum(taken) / 1e9, rel=0.125)
    assert next(s.value for s in samples if s.name.endswith("_count")) == len(taken)


# As promtool would have it


def test_names_and_helps_follow_the_conventions() -> None:
    found = exposed([made_views.view(), made_views.alone()])
    for name, family in found.items():
        assert re.fullmatch(r"tiercache_[a-z_]+", name)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|milliseconds|kib|count|sum|bucket|info)$", name)
        assert not name.endswith("_total"), "the parser takes it off counters alone"
        if family.type == "counter":
            assert all(sample.name == f"{name}_total" for sample in family.samples)
        if family.type == "histogram":
            assert name.endswith("_seconds")


def test_no_series_is_exported_twice() -> None:
    found = exposed([made_views.view(), made_views.view("pages"), made_views.alone()])
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for family in found.values():
        for sample in family.samples:
            seen[sample.name, json.dumps(sample.labels, sort_keys=True)] += 1
    assert not [series for series, count in seen.items() if count > 1]


# The real thing


def scraped(**headers: str) -> Any:
    return metrics(RequestFactory().get("/metrics", **headers))


def test_the_endpoint_says_what_the_nodes_have_reported(make_cache: Any) -> None:
    cache = make_cache(OPTIONS={"REPORT": 0.05})
    cache.set("key-that-nobody-sees", 1)
    for _ in range(7):
        cache.get("key-that-nobody-sees")

    def told() -> Any:
        text = scraped().content.decode()
        found = {family.name: family for family in text_string_to_metric_families(text)}
        hits = value(found, "tiercache_requests_total", cache="default", tier="memory")
        assert (hits, value(found, "tiercache_redis_up")) == (7, 1)
        return text

    text = eventually(told)
    assert "key-that-nobody-sees" not in text


def test_the_endpoint_adds_processes_up_and_keeps_what_ended_ones_counted(
    make_caches: Any, valkey: Any
) -> None:
    """Whichever process is asked, and however often they are started anew."""
    settings = settings_for("tiered", valkey.url, OPTIONS={"REPORT": 0.05})
    cache = make_caches(default=settings)["default"]
    cache.get("nothing")
    for _ in range(2):
        command = [sys.executable, "-c", ANOTHER_PROCESS, json.dumps({"default": settings})]
        subprocess.run(command, cwd=ROOT, check=True, timeout=30)

    def told() -> bool:
        text = scraped().content.decode()
        found = {family.name: family for family in text_string_to_metric_families(text)}
        return value(found, "tiercache_requests_total", tier="miss") == 1 + 2 * 5

    eventually(told)


def test_the_endpoint_answers_while_redis_is_away(make_cache: Any) -> None:
    make_cache("away")
    answer = scraped()
    assert answer.status_code == 200
    assert b"tiercache_redis_up" in answer.content
    assert b" 0.0\n" in answer.content


def test_registering_the_collector_asks_nobody(make_cache: Any, valkey: Any) -> None:
    make_cache()
    before = valkey.calls()["zrange"]
    CollectorRegistry(auto_describe=True).register(TiercacheCollector())
    assert valkey.calls()["zrange"] == before


# Who may scrape


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_host_may_scrape(make_cache: Any, address: str) -> None:
    make_cache("memory")
    assert scraped(REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.1", "::2", "", "unix:", "::ffff:10.0.0.1"])
def test_another_host_may_not(address: str) -> None:
    answer = scraped(REMOTE_ADDR=address)
    assert (answer.status_code, b"TIERCACHE_METRICS_TOKEN" in answer.content) == (403, True)


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"])
def test_a_proxy_on_this_host_is_not_this_host(header: str) -> None:
    assert scraped(**{header: "127.0.0.1"}).status_code == 403


@override_settings(TIERCACHE_METRICS_TOKEN="s3cret")
@pytest.mark.parametrize(
    "given", [None, "Bearer wrong", "Bearer", "Basic s3cret", "s3cret", "Bearer s3cret-é"]
)
def test_with_a_token_nobody_may_without_it(given: str | None) -> None:
    answer = scraped(**({} if given is None else {"HTTP_AUTHORIZATION": given}))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_with_the_token_anybody_may(make_cache: Any) -> None:
    make_cache("memory")
    with override_settings(TIERCACHE_METRICS_TOKEN="s3cret"):
        answer = scraped(HTTP_AUTHORIZATION="Bearer s3cret", REMOTE_ADDR="10.0.0.1")
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", 5, b"s3cret"])
def test_a_token_that_protects_nothing_is_refused(token: object) -> None:
    with (
        override_settings(TIERCACHE_METRICS_TOKEN=token),
        pytest.raises(ImproperlyConfigured, match="TIERCACHE_METRICS_TOKEN is"),
    ):
        scraped()


def test_the_answer_is_not_to_be_cached(make_cache: Any) -> None:
    make_cache("memory")
    assert "no-store" in scraped()["Cache-Control"]
    assert metrics(RequestFactory().post("/metrics")).status_code == 405


def test_openmetrics_is_spoken_with_who_asks_for_it(make_cache: Any) -> None:
    make_cache("memory")
    answer = scraped(HTTP_ACCEPT="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_without_the_extra_the_answer_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = scraped()
    assert (answer.status_code, b"django-tiercache[prometheus]" in answer.content) == (501, True)


def test_the_addresses_have_names() -> None:
    from django.urls import include, path, reverse

    routes = type("routes", (), {"urlpatterns": [path("cache/", include("tiercache.urls"))]})
    with override_settings(ROOT_URLCONF=routes):
        assert [reverse(f"tiercache:{name}") for name in ("metrics", "live", "ready")] == [
            "/cache/metrics",
            "/cache/live",
            "/cache/ready",
        ]


# The dashboard


def queries() -> list[str]:
    dashboard = json.loads(GRAFANA.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return asked + [
        variable["definition"]
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]


def exported() -> dict[str, set[str]]:
    """Return the labels of every series that is exported, by name."""
    labels: dict[str, set[str]] = defaultdict(set)
    for family in exposed([made_views.view(), made_views.alone()]).values():
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    return labels


def test_the_dashboard_asks_for_series_that_are_exported() -> None:
    known = exported()
    asked = {name for query in queries() for name in re.findall(r"tiercache_\w+", query)}
    assert asked
    assert asked <= set(known)


def test_the_dashboard_asks_for_labels_that_the_series_have() -> None:
    known = exported()
    for query in queries():
        names = re.findall(r"tiercache_\w+", query)
        theirs = set.union(*(known[name] for name in names))
        matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|!~|=)\s*\"", query)
        grouped = [
            label.strip()
            for group in re.findall(r"\bby\s*\(([^)]*)\)", query)
            for label in group.split(",")
        ]
        listed = re.findall(r"label_values\([^,]+,\s*(\w+)\)", query)
        assert {*matched, *grouped, *listed} <= theirs, query
