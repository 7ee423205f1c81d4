"""Spans and metrics by OpenTelemetry's conventions, in the context of who asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.caches import settings_for
from tiercache import telemetry
from tiercache.opentelemetry import BOUNDS, instrument, uninstrument


class Told:
    """What an SDK was told."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._metrics], shutdown_on_exit=False)
        self.tracer = self.traces.get_tracer("the site's own")

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Return the spans of this name; without one, those that tell of Redis."""
        found = self._spans.get_finished_spans()
        return [s for s in found if (s.name == name if name else s.kind == SpanKind.CLIENT)]

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """Return the points of a metric by the values of their attributes."""
        data = self._metrics.get_metrics_data()
        found: dict[tuple[Any, ...], Any] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            found[tuple((point.attributes or {}).values())] = point
        return found


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    instrument(made.traces, made.meters)
    yield made
    uninstrument()


@pytest.fixture
def tiered(make_cache: Any, make_face: Any) -> Any:
    return make_face(make_cache())


def test_a_read_is_a_client_span_by_the_conventions(tiered: Any, valkey: Any, told: Told) -> None:
    tiered.get("key")
    (span,) = told.spans()
    assert span.kind == SpanKind.CLIENT
    assert span.name == f"PIPELINE 127.0.0.1:{valkey.port}"
    assert dict(span.attributes or {}) == {
        "db.system.name": "redis",
        "db.operation.name": "PIPELINE",
        "db.operation.batch.size": 2,
        "db.namespace": "0",
        "server.address": "127.0.0.1",
        "server.port": valkey.port,
        "tiercache.step": "Read",
    }
    assert span.status.status_code == StatusCode.UNSET
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < span.end_time - span.start_time < 5e9


def test_a_single_command_is_no_pipeline(tiered: Any, told: Told) -> None:
    tiered.set("key", 1)
    (span,) = told.spans()
    attributes = span.attributes or {}
    assert attributes["db.operation.name"] == "EVALSHA"
    assert "db.operation.batch.size" not in attributes


def test_a_failure_is_an_error_with_its_type(make_cache: Any, make_face: Any, told: Told) -> None:
    make_face(make_cache("away")).get("key")
    (span,) = told.spans()
    assert span.status.status_code == StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "refused"


def test_a_refused_command_bears_the_servers_code(make_cache: Any, told: Told) -> None:
    cache = make_cache()
    cache.set("text", 1)
    with pytest.raises(Exception, match="WRONGTYPE"):
        cache.sadd("text", 1)
    attributes = told.spans()[-1].attributes or {}
    assert attributes["db.response.status_code"] == "WRONGTYPE"
    assert attributes["error.type"] == "WRONGTYPE"
    assert attributes["db.operation.name"] == "SADD"


def test_a_span_is_the_child_of_what_the_caller_does(make_cache: Any, told: Told) -> None:
    cache = make_cache()
    with told.tracer.start_as_current_span("request") as request:
        cache.get("key")
    (span,) = told.spans()
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id


def test_a_load_is_a_span_and_what_it_does_is_within(tiered: Any, told: Told) -> None:
    def source() -> int:
        with told.tracer.start_as_current_span("query"):
            return 1

    with told.tracer.start_as_current_span("request") as request:
        tiered.get_or_set("key", source)
    (load,) = told.spans("tiercache.load")
    (query,) = told.spans("query")
    assert load.kind == SpanKind.INTERNAL
    assert dict(load.attributes or {}) == {
        "tiercache.cache": "default",
        "tiercache.outcome": "loaded",
    }
    assert load.context is not None
    assert query.parent is not None
    assert query.parent.span_id == load.context.span_id
    if tiered.way == "sync":
        assert load.parent is not None
        assert load.parent.span_id == request.get_span_context().span_id


def test_the_context_is_as_it_was_after_a_load(make_cache: Any, told: Told) -> None:
    cache = make_cache()
    with told.tracer.start_as_current_span("request"):
        cache.get_or_set("key", lambda: 1)
        with told.tracer.start_as_current_span("after"):
            pass
    (request,), (after,) = told.spans("request"), told.spans("after")
    assert request.context is not None
    assert after.parent is not None
    assert after.parent.span_id == request.context.span_id


def test_a_load_that_raises_is_an_error(tiered: Any, told: Told) -> None:
    def source() -> Any:
        raise KeyError("a-key-that-stays-unseen")

    with pytest.raises(KeyError):
        tiered.get_or_set("key", source)
    (load,) = told.spans("tiercache.load")
    assert load.status.status_code == StatusCode.ERROR
    assert (load.attributes or {})["error.type"] == "KeyError"
    assert "unseen" not in load.to_json()


def test_no_attribute_holds_a_key_a_value_or_a_tag(tiered: Any, told: Told) -> None:
    tiered.set("the-key", "the-value", tags=["the-tag"])
    tiered.get("the-other-key")
    tiered.get_or_set("the-third-key", lambda: "the-value")
    spans = [*told.spans(), *told.spans("tiercache.load")]
    assert spans
    assert "the-" not in "".join(span.to_json() for span in spans)


# Metrics


def test_durations_are_counted_in_the_advised_buckets(tiered: Any, told: Told) -> None:
    tiered.get("key")
    points = told.points("db.client.operation.duration")
    (read,) = [point for key, point in points.items() if "PIPELINE" in key]
    assert read.count == 1
    assert tuple(read.explicit_bounds) == BOUNDS


def test_loads_are_counted_by_cache_and_outcome(tiered: Any, told: Told) -> None:
    tiered.get_or_set("key", lambda: 1)
    (point,) = told.points("tiercache.load.duration").values()
    assert dict(point.attributes) == {"tiercache.outcome": "loaded", "tiercache.cache": "default"}


def test_look_ups_are_counted_by_alias_and_memory_by_store(
    make_caches: Any, valkey: Any, told: Told
) -> None:
    """Both aliases share the store, which is counted once."""
    made = make_caches(
        default=settings_for("tiered", valkey.url), pages=settings_for("tiered", valkey.url)
    )
    made["default"].set("a", 1)
    for cache, hits in (("default", 3), ("pages", 0)):
        for _ in range(hits):
            made[cache].get("a")
    made["pages"].get("nothing")
    requests = told.points("tiercache.requests")
    assert requests["default", "memory"].value == 3
    assert requests["pages", "miss"].value == 1
    stores = told.points("tiercache.memory.entries")
    assert [(key, point.value) for key, point in stores.items()] == [((f"{valkey.url}/0",), 1)]
    assert told.points("tiercache.memory.usage")[(f"{valkey.url}/0",)].value > 0
    assert ("bytes",) in {key[1:] for key in told.points("tiercache.memory.evictions")}


# On and off


def test_it_is_silent_after_uninstrument(tiered: Any, told: Told) -> None:
    uninstrument()
    tiered.get_or_set("key", lambda: 1)
    assert not told.spans()
    assert not told.points("tiercache.requests")
    assert telemetry.hooks == ()


def test_instrumented_twice_tells_once(tiered: Any, told: Told) -> None:
    instrument(told.traces, told.meters)
    tiered.get("key")
    assert len(told.spans()) == 1


def test_the_setting_instruments_when_the_app_is_ready() -> None:
    with override_settings(TIERCACHE_OPENTELEMETRY=True):
        apps.get_app_config("tiercache").ready()
    try:
        assert len(telemetry.hooks) == 1
    finally:
        uninstrument()


def test_the_setting_without_the_extra_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiercache.opentelemetry", None)
    with (
        override_settings(TIERCACHE_OPENTELEMETRY=True),
        pytest.raises(ImproperlyConfigured, match=r"django-tiercache\[opentelemetry\]"),
    ):
        apps.get_app_config("tiercache").ready()
