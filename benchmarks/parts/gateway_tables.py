"""What the part "gateway" shows of its samples."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.gateway.load import Load
from benchmarks.gateway.rivals import (
    BARE,
    DJANGO_REDIS,
    ENGINE,
    GATEWAY,
    GUNICORN,
    LOCMEM,
    NGINX,
    REDIS_CACHE,
    TIERCACHE,
    UVICORN,
    Name,
)
from benchmarks.part import Figure, Goal, Row, Table

PAGE_OF_DJANGO_REDIS: Final = f"cache_page, {DJANGO_REDIS}"

PAGE_GOALS: Final = (Goal(LOCMEM, least=1.0), Goal(DJANGO_REDIS, least=1.6))
GATEWAY_GOALS: Final = (Goal(BARE, least=0.6), Goal(PAGE_OF_DJANGO_REDIS, least=25.0))


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one rival: what was measured, and the seconds of processor time it took."""

    load: Load
    processor: float

    @property
    def each(self) -> float:
        """Seconds of processor time for one request."""
        return self.processor / self.load.requests


Samples = Mapping[str, Mapping[Name, Sequence[Sample]]]
"""By body, then by rival."""


def tables(samples: Samples) -> list[Table]:
    """Return the rates, of `cache_page` and next to the limits, and what one request takes."""
    return [
        Table(
            "cache_page over one cache and another",
            "requests a second",
            _page_rows(samples, _rate, PAGE_GOALS),
            "more",
            "bars",
        ),
        Table(
            "The gateway next to the limits",
            "requests a second",
            _gateway_rows(samples, _rate, GATEWAY_GOALS),
            "more",
            "bars",
            notes=[_LIMITS],
        ),
        Table(
            "Processor time of one request of cache_page",
            "µs",
            _page_rows(samples, _processor),
            notes=[_PROCESSOR],
        ),
        Table(
            "Processor time of one request of the gateway",
            "µs",
            _gateway_rows(samples, _processor),
        ),
        Table("Times of answers", "ms", _time_rows(samples), notes=[_TIMES]),
    ]


_LIMITS: Final = (
    "The bare ASGI application answers from a dictionary and does nothing else: the limit of "
    "Python under this server. nginx is the limit of the machine."
)
_TIMES: Final = (
    "p50 and p99 are those of a server that is given all it can do: as many requests as there are "
    "connections wait at any time."
)
_PROCESSOR: Final = (
    "The worker's own, without Redis's. It depends less on what else the machine does than "
    "requests a second do."
)


def _rate(sample: Sample) -> float:
    return sample.load.rate


def _processor(sample: Sample) -> float:
    return sample.each * 1e6


def _page_rows(
    samples: Samples, value: Callable[[Sample], float], goals: Sequence[Goal] = ()
) -> list[Row]:
    """Return a line for each server and body: `cache_page` over one cache and another."""
    rows = []
    for under in (UVICORN, GUNICORN):
        names = {
            cache: Name(cache, under) for cache in (TIERCACHE, LOCMEM, DJANGO_REDIS, REDIS_CACHE)
        }
        for size, made in samples.items():
            if names[TIERCACHE] in made:
                rows.append(_row(f"{under}, {size}", _figures(made, names, value), goals))
    return rows


def _gateway_rows(
    samples: Samples, value: Callable[[Sample], float], goals: Sequence[Goal] = ()
) -> list[Row]:
    """Return a line for each body: the gateway, the limits, and the usual way."""
    names = {GATEWAY: Name(GATEWAY), ENGINE: Name(ENGINE), BARE: Name(BARE)}
    names |= {NGINX: Name(NGINX, "nginx"), PAGE_OF_DJANGO_REDIS: Name(DJANGO_REDIS)}
    return [_row(size, _figures(made, names, value), goals) for size, made in samples.items()]


def _figures(
    made: Mapping[Name, Sequence[Sample]],
    names: Mapping[str, Name],
    value: Callable[[Sample], float],
) -> dict[str, Figure | None]:
    """Return one figure of each server, None where it does not take part."""
    return {
        shown: _figure([value(sample) for sample in made.get(name, ())])
        for shown, name in names.items()
    }


def _row(what: str, figures: dict[str, Figure | None], goals: Sequence[Goal]) -> Row:
    medians = {name: figure.median for name, figure in figures.items() if figure}
    first, *others = figures
    ratios = {other: medians[first] / medians[other] for other in others if medians.get(other)}
    return Row(what, figures, ratios, tuple(goal for goal in goals if goal.of in ratios) or None)


def _time_rows(samples: Samples) -> list[Row]:
    return [
        Row(
            f"{_shown(name)}, {size}",
            {
                "p50": _figure([sample.load.p50 * 1e3 for sample in of]),
                "p99": _figure([sample.load.p99 * 1e3 for sample in of]),
            },
        )
        for size, made in samples.items()
        for name, of in made.items()
    ]


def _shown(name: Name) -> str:
    """Return a server as a line has it."""
    paged = name.kind in (TIERCACHE, LOCMEM, DJANGO_REDIS, REDIS_CACHE)
    return f"cache_page, {name.kind}, {name.under}" if paged else name.kind


def _figure(values: Sequence[float]) -> Figure | None:
    if not values:
        return None
    return Figure(statistics.median(values), min(values), max(values), len(values))
