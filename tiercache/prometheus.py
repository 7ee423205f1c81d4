"""Prometheus: the figures of all nodes, as a collector (extra `prometheus`).

Counters are the cluster's sums out of Redis: they grow on when processes end, and say the same
whichever process is asked. So they are left out, rather than wrong, while Redis does not answer:
`tiercache_redis_up` is 0 then. A cache without Redis has no such sums; its series bear the process
that answered in the label `node`, which is empty for all others. No label is ever a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .bounded import REASONS
from .exceptions import RedisAway
from .operations.overview import views
from .operations.sentences import name
from .reports.cluster import Node, Server, View
from .reports.exported import LOADS, TIMINGS, Timing
from .reports.figures import histogram

_CALLS: Final = {
    "loads": "Values computed by loads.",
    "load_failures": "Loads that raised.",
    "sets": "Values written.",
    "deletes": "Keys deleted by delete and delete_many.",
    "undecodable": "Values in Redis that could not be read, counted as misses too.",
}
"""Counters by cache, named as in `stats.Calls`."""

_STATES: Final = ("up", "read-only", "away", "alone", "gone")
_HEARING: Final = ("joined", "lost", "none")
_KINDS: Final = tuple(kind for kind in RedisAway.KINDS if kind not in ("open", "alone"))


class TiercacheCollector(Collector):
    """Every cache of the settings, as all nodes report; register it in any registry."""

    def collect(self) -> Iterator[Metric]:
        """Yield all families; bounded as `overview.views` is, and never raises for Redis's sake."""
        yield from families(views(past=False))

    def describe(self) -> Iterable[Metric]:
        """Yield nothing: registering a collector must not ask Redis."""
        return ()


def families(shown: Sequence[View]) -> Iterator[Metric]:
    """Yield the families of metrics that these caches make."""
    known = [view for view in shown if view.alone or view.shared]
    yield from _of_caches(known)
    stores = _stores(known)
    yield from _of_stores(stores)
    yield from _of_servers([store for store in stores if store.server is not None])
    up = GaugeMetricFamily("tiercache_redis_up", "Whether Redis answers.", labels=["store"])
    for store, reached in _reached(shown).items():
        up.add_metric([store], reached)
    yield up


# By cache: the calls made


def _of_caches(known: Sequence[View]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "tiercache_requests", "Look-ups by what became of them.", labels=["cache", "tier", "node"]
    )
    for view in known:
        for tier, count in view.totals.tiers.items():
            requests.add_metric([view.alias, tier, _witness(view)], count)
    yield requests
    for counted, text in _CALLS.items():
        family = CounterMetricFamily(f"tiercache_{counted}", text, labels=["cache", "node"])
        for view in known:
            count = view.totals.calls.get(counted, 0)
            family.add_metric([view.alias, _witness(view)], count)
        yield family
    loads = HistogramMetricFamily(LOADS.name, LOADS.text, labels=["cache", "node"])
    for view in known:
        _add(loads, [view.alias, _witness(view)], LOADS, view.totals.calls)
    yield loads


def _witness(view: View) -> str:
    """Return the process whose own figures these are, "" where they are everybody's."""
    return name(view.nodes[0]) if view.alone and view.nodes else ""


# By store: what is held, and what is asked of Redis


@dataclass(frozen=True, slots=True)
class _Store:
    """What one store has counted and holds.

    Attributes:
        labels: the values of "store" and "node".
        counts: as in `Window.store`.
        nodes: those that have not ended.
        server: what the server tells of itself.
    """

    labels: list[str]
    counts: Mapping[str, int]
    nodes: Sequence[Node]
    server: Server | None

    @property
    def running(self) -> list[Node]:
        return [node for node in self.nodes if not node.gone]

    def and_also(self, other: _Store) -> _Store:
        counts = dict(Counter(self.counts) + Counter(other.counts))
        return replace(self, counts=counts, nodes=[*self.nodes, *other.nodes])


def _stores(known: Sequence[View]) -> list[_Store]:
    """Return each store once, though several caches may show it."""
    stores: dict[tuple[str, ...], _Store] = {}
    for view in known:
        nodes = [node for node in view.nodes if not node.ended]
        store = _Store([view.store, _witness(view)], view.totals.store, nodes, view.server)
        met = stores.get(tuple(store.labels))
        if met is None:
            stores[tuple(store.labels)] = store
        elif not {node.id for node in nodes} & {node.id for node in met.nodes}:
            # Another value format makes another store of the same database.
            stores[tuple(store.labels)] = met.and_also(store)
    return list(stores.values())


def _of_stores(stores: Sequence[_Store]) -> Iterator[Metric]:
    labels = ["store", "node"]
    evictions = CounterMetricFamily(
        "tiercache_memory_evictions", "Copies that left memory.", labels=[*labels, "cause"]
    )
    errors = CounterMetricFamily(
        "tiercache_redis_errors", "Operations that failed.", labels=[*labels, "kind"]
    )
    for store in stores:
        for cause in REASONS:
            evictions.add_metric([*store.labels, cause], store.counts.get(f"evicted.{cause}", 0))
        for kind in _KINDS:
            errors.add_metric([*store.labels, kind], store.counts.get(f"redis.{kind}", 0))
    yield from (evictions, errors)
    for timing in TIMINGS:
        family = HistogramMetricFamily(timing.name, timing.text, labels=labels)
        for store in stores:
            _add(family, store.labels, timing, store.counts)
        yield family
    yield from _of_nodes(stores)


_HELD: Final = {
    "entries": ("tiercache_memory_entries", "Entries in the memory of all nodes."),
    "bytes": ("tiercache_memory_bytes", "Bytes that they account for."),
    "max_entries": ("tiercache_memory_limit_entries", "Entries that they may hold."),
    "max_bytes": ("tiercache_memory_limit_bytes", "Bytes that they may hold."),
    "journaled": ("tiercache_journaled_keys", "Keys that wait to be removed from Redis."),
}
"""Gauges by store: the sum of a field of its running nodes."""


def _of_nodes(stores: Sequence[_Store]) -> Iterator[Metric]:
    labels = ["store", "node"]
    for field, (called, text) in _HELD.items():
        family = GaugeMetricFamily(called, text, labels=labels)
        for store in stores:
            family.add_metric(store.labels, sum(getattr(node, field) for node in store.running))
        yield family
    states = GaugeMetricFamily("tiercache_nodes", "Nodes by state.", labels=[*labels, "state"])
    hearing = GaugeMetricFamily(
        "tiercache_backplane_nodes",
        "Nodes by whether they hear changes.",
        labels=[*labels, "state"],
    )
    for store in stores:
        found = ["gone" if node.gone else node.state for node in store.nodes]
        heard = [node.backplane for node in store.running]
        for state in _STATES:
            states.add_metric([*store.labels, state], found.count(state))
        for state in _HEARING:
            hearing.add_metric([*store.labels, state], heard.count(state))
    yield from (states, hearing)


_OF_SERVER: Final = {
    "used": ("tiercache_redis_memory_bytes", "Bytes that Redis uses.", GaugeMetricFamily),
    "limit": ("tiercache_redis_limit_bytes", "Its maxmemory; 0: none.", GaugeMetricFamily),
    "keys": ("tiercache_redis_keys", "Keys in the database.", GaugeMetricFamily),
    "evicted": ("tiercache_redis_evicted_keys", "Keys Redis evicted.", CounterMetricFamily),
    "expired": ("tiercache_redis_expired_keys", "Keys that expired.", CounterMetricFamily),
}


def _of_servers(stores: Sequence[_Store]) -> Iterator[Metric]:
    for field, (called, text, kind) in _OF_SERVER.items():
        family = kind(called, text, labels=["store"])
        for store in stores:
            # A user who may not ask knows nothing, which is not 0.
            asks = "DBSIZE" if field == "keys" else "INFO"
            if store.server is not None and asks not in store.server.missing:
                family.add_metric(store.labels[:1], getattr(store.server, field))
        yield family


def _reached(shown: Sequence[View]) -> dict[str, int]:
    return {view.store: int(view.reached) for view in shown if not view.alone}


def _add(
    family: HistogramMetricFamily, labels: list[str], timing: Timing, counts: Mapping[str, int]
) -> None:
    counted = histogram(counts, timing.measured)
    family.add_metric(labels, timing.cumulative(counted), timing.total(counted))
