"""One cache: what it does now and did before, its nodes, its server, its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...operations import overview, sentences
from ...operations.formatting import NOTHING
from ...reports.cluster import HITS, Mishap, Node, View, Window
from .. import charts
from ..access import seen
from ..differences import Difference, differences
from ..visit import Visit
from .overview import card_of

_DEFAULT_WINDOW = "15m"
_COUNTED = {
    "sets": gettext_lazy("written"),
    "deletes": gettext_lazy("deleted"),
    "loads": gettext_lazy("loads that brought a value"),
    "load_failures": gettext_lazy("loads that failed"),
    "undecodable": gettext_lazy("could not be read"),
}


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted, in all and a second.

    Attributes:
        label: what it is.
        tier: the name of its colour; "" for none.
        total: since the first that is known.
        now: a second, over the last minute.
        since: a second, since the first that is known.
    """

    label: str
    tier: str
    total: int
    now: float
    since: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A node as the page shows it.

    Attributes:
        node: what it tells of itself.
        lag: the seconds within which it hears 99 of 100 messages.
        concern: what is wrong with it, and what that means; "" while nothing is.
        differs: what it has otherwise than most.
    """

    node: Node
    lag: float | None
    concern: str
    differs: tuple[Difference, ...]


def show(visit: Visit) -> HttpResponse:
    """Show one cache; the charts go over the span that the query names."""
    view = seen(overview.view(visit.cache), visit.rights)
    asked = visit.request.GET.get("window", _DEFAULT_WINDOW)
    known = asked in charts.WINDOW_LABELS
    window = asked if known else _DEFAULT_WINDOW
    drawn = charts.over_time(view, window)
    return visit.render(
        "cache",
        visit.alias,
        code=200 if known else 400,
        page="cache",
        refused="" if known else _refused(asked),
        view=view,
        card=card_of(view),
        status=sentences.status([view]),
        counts=tuple(counts(view)),
        window=window,
        spans=charts.WINDOW_LABELS.items(),
        breaker=_breaker(view),
        top_keys=_("Keys"),
        top_namespaces=_("Namespaces"),
        charts=drawn,
        nothing=all(chart.empty for chart in drawn),
        nodes=shown_nodes(view),
        mishaps=_mishaps(view),
    )


def counts(view: View) -> Iterator[Count]:
    """Return what was counted: first the look-ups by what became of them, then the rest."""
    yield _count(view, _("look-ups"), "", _requests)
    for tier, label in charts.TIER_LABELS.items():
        name = _("hits: %(tier)s") % {"tier": label} if tier in HITS else str(label)
        yield _count(view, name, tier, partial(_in_tier, tier))
    for counter, text in _COUNTED.items():
        yield _count(view, str(text), "", partial(_called, counter))
    yield _count(view, _("copies that left memory"), "", _evicted)


def shown_nodes(view: View) -> tuple[Shown, ...]:
    """Return the nodes as the page shows them."""
    differing = differences(view.running)
    return tuple(
        Shown(
            node,
            node.recent.quantile("lag", charts.SHARES["p99"]),
            sentences.concern(node, view),
            differing.get(node.id, ()),
        )
        for node in view.nodes
    )


def _count(view: View, label: str, tier: str, number: Callable[[Window], int]) -> Count:
    total, lately = view.totals, view.windows["1m"]
    return Count(
        label, tier, number(total), _each(number(lately), lately), _each(number(total), total)
    )


def _requests(window: Window) -> int:
    return window.requests


def _in_tier(tier: str, window: Window) -> int:
    return window.tiers[tier]


def _called(counter: str, window: Window) -> int:
    return window.calls.get(counter, 0)


def _evicted(window: Window) -> int:
    return sum(window.evicted.values())


def _each(number: int, window: Window) -> float:
    return number / window.seconds if window.seconds else 0.0


def _breaker(view: View) -> str:
    """Return what the breaker of this process does, in words."""
    states = {
        "up": _("closed: Redis is used"),
        "read-only": _("open for writes: changes are kept and made good later"),
        "away": _("open: Redis is not asked"),
        "alone": _("there is no Redis"),
    }
    return next((states.get(node.state, node.state) for node in view.nodes if node.here), NOTHING)


def _mishaps(view: View) -> tuple[tuple[Node, Mishap], ...]:
    """Return what went wrong last on all nodes, the latest first."""
    pairs = [(node, mishap) for node in view.nodes for mishap in node.errors]
    return tuple(sorted(pairs, key=lambda pair: -pair[1].at)[:20])


def _refused(window: str) -> str:
    allowed = ", ".join(charts.WINDOW_LABELS)
    return _("window is %(window)r; allowed: %(allowed)s") % {"window": window, "allowed": allowed}
