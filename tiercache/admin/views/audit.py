"""The audit: who has evicted what, when, whence, and what came of it; as a page and as CSV."""

from __future__ import annotations

import csv
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db import DatabaseError, router, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _

from ... import aliases
from ...models import Eviction
from ..forms import AuditFilter
from ..visit import Visit

ON_A_PAGE = 50
MOST_IN_CSV = 10_000
"""Rows of one CSV at the most, the latest."""

_COLUMNS = (
    "at",
    "actor",
    "origin",
    "cache",
    "selection",
    "tier",
    "previewed",
    "removed",
    "dropped",
    "asked",
    "confirmed",
    "silent",
    "seconds",
    "error",
)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def show(visit: Visit) -> HttpResponse:
    """Show the rows that the query asks for, the latest first; all of them as CSV if it says so."""
    query = visit.request.GET
    chosen = AuditFilter(query, list(aliases.ours()))
    rows = _chosen(chosen)
    try:
        # In a savepoint: a request that is one transaction goes on after a table was missing.
        with transaction.atomic(using=router.db_for_read(Eviction)):
            if query.get("format") == "csv":
                return _csv(rows)
            page = Paginator(rows, ON_A_PAGE).get_page(query.get("page"))
            found = _context(visit, chosen, page=page, rows=list(page))
    except DatabaseError as exc:
        found = _context(visit, chosen, unread=str(exc))
    return visit.render("audit", _("Audit"), **found)


def _context(visit: Visit, chosen: AuditFilter, **found: Any) -> dict[str, Any]:
    kept = {name: visit.request.GET.get(name, "") for name in ("cache", "actor")}
    kept = {name: value for name, value in kept.items() if value}
    return {
        "form": chosen,
        "kept": urlencode(kept),
        "csv": visit.link("audit", format="csv", **kept),
        "filtered": bool(kept),
        "found": found.get("page"),
        "rows": found.get("rows", []),
        "unread": found.get("unread", ""),
        "page": "audit",
    }


def _chosen(form: AuditFilter) -> QuerySet[Eviction]:
    """Return the rows that fit the filter; none for a filter that cannot be."""
    if not form.is_valid():
        return Eviction.objects.none()
    rows = Eviction.objects.all()
    if form.cleaned_data["cache"]:
        rows = rows.filter(cache=form.cleaned_data["cache"])
    if form.cleaned_data["actor"]:
        rows = rows.filter(actor__icontains=form.cleaned_data["actor"])
    return rows


def _csv(rows: QuerySet[Eviction]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="tiercache-audit.csv"'
    writer = csv.writer(response)
    writer.writerow(_COLUMNS)
    for row in rows[:MOST_IN_CSV]:
        writer.writerow([_cell(getattr(row, name)) for name in _COLUMNS])
    return response


def _cell(value: object) -> str:
    """Return a value that no spreadsheet takes for a formula (OWASP, CSV Injection)."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULAS) else text
