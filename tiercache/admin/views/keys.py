"""The list of keys: the one that is searched for, then what a glob fits, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ...operations import listing
from ...operations.cursors import BadCursor
from ...operations.listing import Row
from ..addresses import text_of
from ..visit import Visit


@dataclass(frozen=True, slots=True)
class Line:
    """A key in the list.

    Attributes:
        row: what is known of it.
        address: how addresses and forms name it.
        exact: whether it is the one that the search names.
    """

    row: Row
    address: str
    exact: bool = False


def show(visit: Visit) -> HttpResponse:
    """Show a page of keys."""
    q, cursor = visit.request.GET.get("q", ""), visit.request.GET.get("cursor", "")
    refused = ""
    try:
        found = listing.page(visit.cache, q, cursor)
    except BadCursor as exc:
        refused, found = str(exc), None
    return visit.render(
        "keys",
        _("Keys of %(alias)s") % {"alias": visit.alias},
        code=400 if refused else 200,
        page="keys",
        q=q,
        version=str(visit.cache.version),
        first=not cursor,
        refused=refused,
        found=found,
        lines=lines_of(found) if found else (),
        following=visit.link("keys", visit.alias, q=q, cursor=found.cursor)
        if found and found.cursor
        else "",
    )


def lines_of(found: listing.Listing) -> tuple[Line, ...]:
    """Return a page's lines: the key that the search names comes first."""
    exact = [] if found.exact is None else [Line(found.exact, text_of(found.exact.raw), exact=True)]
    return (*exact, *(Line(row, text_of(row.raw)) for row in found.rows))
