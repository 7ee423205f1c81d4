"""What came of an eviction: read from the audit, or told at once where there is no audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, router, transaction
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from ... import aliases
from ...models import Eviction
from ...operations.evicting import Outcome
from ..visit import Visit


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an eviction.

    Attributes:
        cache, selection, tier: what was to be evicted, and from where.
        removed: keys removed from Redis; None while it is under way, or where its process ended.
        dropped: copies dropped, where memory alone was evicted.
        asked, confirmed: how many nodes there were to confirm, and how many have.
        silent: those that have not.
        seconds: until the last has.
        error: what went wrong, "" if nothing.
        unaudited: why there is no row in the audit; "" if there is.
        at, actor, origin: when, whose doing, whence, as the audit has it.
    """

    cache: str
    selection: str
    tier: str
    removed: int | None
    dropped: int | None
    asked: int | None
    confirmed: int | None
    silent: str
    seconds: float | None
    error: str
    unaudited: str = ""
    at: datetime | None = None
    actor: str = ""
    origin: str = ""

    @property
    def level(self) -> str:
        """How it went: "good", "warning" (not every node has confirmed) or "bad"."""
        if self.error or self.removed is None:
            return "bad"
        return "good" if (self.confirmed or 0) >= (self.asked or 0) else "warning"

    @property
    def is_tag(self) -> bool:
        """Whether a tag was evicted, so that no keys were removed one by one."""
        return self.selection.startswith("tag ")


def show(visit: Visit, pk: int) -> HttpResponse:
    """Show a row of the audit to those who may see it all, and to whoever's doing it was."""
    row = _row(pk)
    own = row is not None and visit.rights.evict and row.actor_id == str(visit.request.user.pk)
    if not (own or visit.rights.view_stats):
        raise PermissionDenied
    if row is None:
        raise Http404(f"No eviction has the number {pk}.")
    return told(visit, of_row(row))


def _row(pk: int) -> Eviction | None:
    try:
        # In a savepoint: a request that is one transaction goes on after a table was missing.
        with transaction.atomic(using=router.db_for_read(Eviction)):
            return Eviction.objects.filter(pk=pk).first()
    except DatabaseError:
        return None


def told(visit: Visit, result: Result) -> HttpResponse:
    """Show what came of an eviction."""
    title = _("Eviction from %(alias)s") % {"alias": result.cache}
    alias = result.cache if result.cache in aliases.ours() else ""
    return visit.render("outcome", title, page="outcome", alias=alias, result=result)


def of_row(row: Eviction) -> Result:
    """Return what the audit says."""
    return Result(
        cache=row.cache,
        selection=row.selection,
        tier=row.tier,
        removed=row.removed,
        dropped=row.dropped,
        asked=row.asked,
        confirmed=row.confirmed,
        silent=row.silent,
        seconds=row.seconds,
        error=row.error,
        at=row.at,
        actor=row.actor,
        origin=row.get_origin_display(),
    )


def of(outcome: Outcome, cache: str, selection: str, tier: str) -> Result:
    """Return what an eviction has done of which there is no row."""
    return Result(
        cache=cache,
        selection=selection,
        tier=tier,
        removed=outcome.removed,
        dropped=outcome.dropped,
        asked=outcome.asked,
        confirmed=len(outcome.confirmed),
        silent=", ".join(outcome.names.get(node, node) for node in outcome.silent),
        seconds=outcome.seconds,
        error=outcome.reason,
        unaudited="" if outcome.audited is True else str(outcome.audited),
    )
