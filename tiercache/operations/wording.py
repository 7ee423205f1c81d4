"""Evictions in words: what one would do, and what it has done; the same on pages and terminals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import formatting
from .evicting import Outcome, Preview, Selection, Tier


def announced(preview: Preview, selection: Selection, tier: Tier) -> str:
    """Return what an eviction would do, how sure that is, and that it has not been done."""
    parts = [_would_do(preview, selection, tier)]
    if not preview.complete and preview.scanned:
        parts.append(
            _("Looked at %(scanned)s of about %(total)s keys.")
            % {
                "scanned": formatting.count(preview.scanned),
                "total": formatting.count(preview.total),
            }
        )
    if preview.reason:
        parts.append(_("Not all could be asked: %s.") % preview.reason)
    return " ".join([*parts, _("Nothing has been removed yet.")])


def done(outcome: Outcome, selection: Selection) -> str:
    """Return what an eviction has done, and how many nodes have confirmed it."""
    return _("%(done)s; %(confirmed)s.") % {
        "done": _has_done(outcome, selection),
        "confirmed": _confirmed(outcome),
    }


def undone(outcome: Outcome) -> list[str]:
    """Return what is left to be known: who was not reached, and what becomes of that."""
    lines = []
    if not outcome.reached:
        lines.append(_("Not carried out by all: %s.") % outcome.reason)
    if outcome.journaled:
        lines.append(
            _("This process has dropped its copies, and removes the keys once Redis is back.")
        )
    if outcome.silent:
        names = ", ".join(outcome.names.get(node, node) for node in outcome.silent)
        lines.append(_("Not confirmed by: %s.") % names)
    if outcome.audited is not True:
        lines.append(_("Not in the audit: %s.") % outcome.audited)
    return lines


def copies(number: int) -> str:
    """Return a count of copies in words."""
    shown = formatting.count(number)
    return ngettext("%(count)s copy", "%(count)s copies", number) % {"count": shown}


def _would_do(preview: Preview, selection: Selection, tier: Tier) -> str:
    words = {
        "keys": _at_least(formatting.keys(preview.keys), sure=preview.complete),
        "copies": _at_least(copies(preview.copies or 0), sure=preview.all_copies),
        "nodes": formatting.nodes(preview.nodes),
    }
    if tier == "memory":
        return _("This drops %(copies)s in %(nodes)s; Redis keeps its keys.") % words
    if selection.kind == "tag":
        return _("This evicts %(keys)s with this tag, and drops %(copies)s in %(nodes)s.") % words
    return _("This removes %(keys)s from Redis and drops %(copies)s in %(nodes)s.") % words


def _at_least(text: str, *, sure: bool) -> str:
    return text if sure else _("at least %s") % text


def _has_done(outcome: Outcome, selection: Selection) -> str:
    if outcome.dropped is not None:
        return _("%s dropped") % copies(outcome.dropped)
    if selection.kind == "tag":
        return _("tag evicted") if outcome.removed else _("no entry has this tag")
    return _("%s removed") % formatting.keys(outcome.removed)


def _confirmed(outcome: Outcome) -> str:
    return _("%(confirmed)s of %(nodes)s confirmed in %(time)s") % {
        "confirmed": formatting.count(len(outcome.confirmed)),
        "nodes": formatting.nodes(outcome.asked),
        "time": formatting.latency(outcome.seconds),
    }
