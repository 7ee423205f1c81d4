"""The overview: a sentence about all caches, and a card for each."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ... import aliases
from ...operations import overview, sentences
from ...reports.cluster import View, Window
from .. import charts
from ..svg import Series
from ..visit import Visit


@dataclass(frozen=True, slots=True)
class Card:
    """One cache, at a glance.

    Attributes:
        view: all that is known of it.
        minute, lately, day: the last minute, 15 minutes, 24 hours.
        bar, tiers: what became of the 15 minutes' look-ups: drawn, and each with its share.
        ratios, requests: the last hour, small.
        p99: what is timed, in words, each with the seconds that 99 of 100 stay below.
        entries, bytes, max_entries, max_bytes: of the memories of all running nodes.
    """

    view: View
    minute: Window
    lately: Window
    day: Window
    bar: SafeString
    tiers: tuple[tuple[Series, float | None], ...]
    ratios: SafeString
    requests: SafeString
    p99: tuple[tuple[str, float | None], ...]
    entries: int
    bytes: int
    max_entries: int
    max_bytes: int


def show(visit: Visit) -> HttpResponse:
    """Show all caches; who may not see figures is led to the first page that they may see."""
    first = next(iter(aliases.ours()), None)
    if first is not None and not visit.rights.view_stats:
        page = "keys" if visit.rights.view_keys else "evict"
        return HttpResponseRedirect(visit.link(page, first))
    views = overview.views()
    return visit.render(
        "overview",
        _("Caches"),
        page="overview",
        status=sentences.status(views, overview.unusable()),
        cards=[card_of(view) for view in views],
    )


def card_of(view: View) -> Card:
    """Return the card of a cache."""
    lately, running = view.windows["15m"], view.running
    return Card(
        view=view,
        minute=view.windows["1m"],
        lately=lately,
        day=view.windows["24h"],
        bar=charts.tier_bar(lately),
        tiers=charts.shares(lately),
        ratios=charts.ratio_line(view),
        requests=charts.requests_line(view),
        p99=tuple(
            (str(label), lately.quantile(measured, charts.SHARES["p99"]))
            for measured, label in charts.TIMED_LABELS.items()
        ),
        entries=sum(node.entries for node in running),
        bytes=sum(node.bytes for node in running),
        max_entries=sum(node.max_entries for node in running),
        max_bytes=sum(node.max_bytes for node in running),
    )
