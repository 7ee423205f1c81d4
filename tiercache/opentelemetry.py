"""OpenTelemetry: spans of what is asked of Redis and of loads, and metrics of this process.

By the semantic conventions for database clients (stable since 1.33) and those for Redis:
opentelemetry.io/docs/specs/semconv/db. No key, no value and no tag is in any attribute. Each
process tells of itself alone, as OpenTelemetry wants it: its resource says which process it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.core.cache import caches
from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from . import __version__, aliases, telemetry
from .backend import TieredCache
from .reports.cluster import Window
from .telemetry import AfterLoad, Load, Loaded, RedisOperation

SCOPE: Final = "tiercache"

BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Seconds: the buckets that the convention advises for `db.client.operation.duration`."""

_hook: Tracing | None = None


def instrument(
    tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> None:
    """Begin to tell OpenTelemetry; nothing happens if it is told already.

    Args:
        tracer_provider, meter_provider: whom to tell; None for the process's own.
    """
    global _hook  # noqa: PLW0603 - one for each process
    if _hook is not None:
        return
    tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
    meter = metrics.get_meter(SCOPE, __version__, meter_provider)
    _hook = Tracing(tracer, meter)
    telemetry.add(_hook)


def uninstrument() -> None:
    """Tell OpenTelemetry no more; metrics that are asked for have no values from now on."""
    global _hook  # noqa: PLW0603 - as above
    if _hook is not None:
        telemetry.remove(_hook)
        _hook.ended = True
        _hook = None


class Tracing:
    """The sink: spans and metrics.

    Attributes:
        ended: whether nothing is told any more.
    """

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self.ended = False
        self._tracer = tracer
        self._operations = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        self._loads = meter.create_histogram(
            "tiercache.load.duration",
            unit="s",
            description="Duration of loads, by cache and outcome.",
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        self._observe(meter)

    def on_redis(self, operation: RedisOperation) -> None:
        """Record a span from the operation's begin to its end, and its duration."""
        attributes = attributes_of(operation)
        span = self._tracer.start_span(
            span_name(operation),
            kind=SpanKind.CLIENT,
            attributes={**attributes, "tiercache.step": operation.step},
            start_time=operation.began,
        )
        if operation.error:
            span.set_status(Status(StatusCode.ERROR, operation.error))
        span.end(operation.began + operation.nanoseconds)
        self._operations.record(operation.nanoseconds / 1e9, attributes, context.get_current())

    def on_load(self, load: Load) -> AfterLoad:
        """Begin a span that what the load does is a part of."""
        told = {"tiercache.cache": load.cache}
        span = self._tracer.start_span("tiercache.load", kind=SpanKind.INTERNAL, attributes=told)
        token = context.attach(trace.set_span_in_context(span))

        def after(loaded: Loaded) -> None:
            context.detach(token)
            self._end(span, loaded)

        return after

    def _end(self, span: Span, loaded: Loaded) -> None:
        told: dict[str, str] = {"tiercache.outcome": loaded.outcome}
        if loaded.error is not None:
            told["error.type"] = _type_of(loaded.error)
            span.set_status(Status(StatusCode.ERROR, told["error.type"]))
        span.set_attributes(told)
        span.end()
        told["tiercache.cache"] = loaded.load.cache
        self._loads.record(loaded.nanoseconds / 1e9, told)

    # What is observed when metrics are collected

    def _observe(self, meter: metrics.Meter) -> None:
        meter.create_observable_counter(
            "tiercache.requests",
            [self._each(_requests)],
            unit="{request}",
            description="Look-ups, by cache and by the tier that answered.",
        )
        meter.create_observable_counter(
            "tiercache.memory.evictions",
            [self._each(_evictions)],
            unit="{entry}",
            description="Copies that left memory, by store and cause.",
        )
        meter.create_observable_up_down_counter(
            "tiercache.memory.entries",
            [self._each(_entries)],
            unit="{entry}",
            description="Entries in memory, by store.",
        )
        meter.create_observable_up_down_counter(
            "tiercache.memory.usage",
            [self._each(_usage)],
            unit="By",
            description="Bytes that the entries in memory account for, by store.",
        )

    def _each(
        self, observe: Callable[[list[TieredCache]], Iterator[Observation]]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Make a callback; OpenTelemetry keeps it for ever, so it has to fall silent by itself."""

        def callback(_: CallbackOptions) -> Iterable[Observation]:
            return () if self.ended else list(observe(_ours()))

        return callback


def span_name(operation: RedisOperation) -> str:
    """Return the operation and the server; not the database's number, as the convention has it."""
    place = operation.place
    target = place.address if place.port is None else f"{place.address}:{place.port}"
    return f"{operation_name(operation)} {target}".rstrip()


def operation_name(operation: RedisOperation) -> str:
    """Return the command's name; "PIPELINE" for several, with the name if all have the same."""
    names = operation.commands
    if len(names) == 1:
        return names[0]
    return f"PIPELINE {names[0]}" if len(set(names)) == 1 else "PIPELINE"


def attributes_of(operation: RedisOperation) -> dict[str, str | int]:
    """Return the attributes that spans and metrics share."""
    place = operation.place
    told: dict[str, str | int] = {
        "db.system.name": "redis",
        "db.operation.name": operation_name(operation),
        "db.namespace": str(place.database),
    }
    if place.address:
        told["server.address"] = place.address
    if place.port is not None:
        told["server.port"] = place.port
    if len(operation.commands) > 1:
        told["db.operation.batch.size"] = len(operation.commands)
    if operation.error:
        told["error.type"] = operation.error
    if operation.code:
        told["db.response.status_code"] = operation.code
    return told


def _type_of(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


def _ours() -> list[TieredCache]:
    return [cache for alias in aliases.ours() if isinstance(cache := caches[alias], TieredCache)]


def _requests(ours: list[TieredCache]) -> Iterator[Observation]:
    for cache in ours:
        counted = Window(0.0, 0.0, calls=cache.stats().as_dict(), store={})
        for tier, count in counted.tiers.items():
            told = {"tiercache.cache": cache._binding.alias or "", "tiercache.tier": tier}
            yield Observation(count, told)


def _evictions(ours: list[TieredCache]) -> Iterator[Observation]:
    for store, stats in _stores(ours):
        for cause, count in stats.evictions.items():
            yield Observation(count, {"tiercache.store": store, "tiercache.cause": cause})


def _entries(ours: list[TieredCache]) -> Iterator[Observation]:
    for store, stats in _stores(ours):
        yield Observation(stats.entries, {"tiercache.store": store})


def _usage(ours: list[TieredCache]) -> Iterator[Observation]:
    for store, stats in _stores(ours):
        yield Observation(stats.bytes, {"tiercache.store": store})


def _stores(ours: list[TieredCache]) -> Iterator[tuple[str, Any]]:
    """Yield each store once, with what one of its caches says of it."""
    seen: set[int] = set()
    for cache in ours:
        node = cache._node
        if id(node) not in seen:
            seen.add(id(node))
            yield node.name, cache.stats()
