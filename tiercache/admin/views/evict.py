"""Evictions: said, previewed, confirmed, done. Nothing is removed before it was announced."""

from __future__ import annotations

import logging

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from ...models import Eviction
from ...operations import evicting, tokens
from ...operations.auditing import Actor
from ...operations.tokens import TokenError
from ..forms import SWEEPING, EvictForm
from ..visit import Visit
from . import outcome

logger = logging.getLogger("tiercache")


def show(visit: Visit) -> HttpResponse:
    """Ask what is to be evicted; preview it; do it, if the preview's token confirms it."""
    post = visit.request.POST
    if visit.request.method != "POST":
        return _asked(visit, EvictForm(visit.cache, visit.rights, initial=_initial(visit.request)))
    if post.get("what") in SWEEPING and not visit.rights.clear:
        raise PermissionDenied
    form = EvictForm(visit.cache, visit.rights, _completed(visit.request))
    if not form.is_valid():
        return _asked(visit, form, code=400)
    return _confirmed(visit, form) if post.get("step") == "confirm" else _previewed(visit, form)


def _initial(request: HttpRequest) -> dict[str, str]:
    """Return what a link fills in."""
    given = {name: request.GET[name] for name in ("pattern", "tag") if name in request.GET}
    return {"what": next(iter(given)), **given} if given else {}


def _completed(request: HttpRequest) -> object:
    """Return what was posted; lists of keys post keys alone, which are evicted everywhere."""
    post = request.POST.copy()
    if "k" in post:
        post.setdefault("what", "keys")
        post.setdefault("tier", "all")
    return post


def _asked(visit: Visit, form: EvictForm, refused: str = "", code: int = 200) -> HttpResponse:
    return visit.render("evict", _title(visit), code=code, page="evict", form=form, refused=refused)


def _previewed(visit: Visit, form: EvictForm, refused: str = "", code: int = 200) -> HttpResponse:
    selection = form.selection
    assert selection is not None  # noqa: S101 - a valid form has one
    preview = evicting.preview(visit.cache, selection, form.chosen_tier)
    token = tokens.make(_id(visit), visit.alias, selection, form.chosen_tier, preview.keys)
    return visit.render(
        "preview",
        _title(visit),
        code=code,
        page="evict",
        selection=selection,
        tier=form.chosen_tier,
        preview=preview,
        repeated=form.repeated(),
        token=token,
        refused=refused,
    )


def _confirmed(visit: Visit, form: EvictForm) -> HttpResponse:
    selection, post = form.selection, visit.request.POST
    assert selection is not None  # noqa: S101 - a valid form has one
    if selection.sweeps and post.get("typed", "").strip() != visit.alias:
        text = _("Nothing was evicted: type %(alias)s to confirm that all of it is to go.")
        return _previewed(visit, form, text % {"alias": visit.alias}, code=400)
    try:
        claim = tokens.check(
            post.get("token", ""), _id(visit), visit.alias, selection, form.chosen_tier
        )
        done = evicting.carry_out(
            visit.cache,
            selection,
            form.chosen_tier,
            actor=Actor(visit.request.user.get_username(), _id(visit)),
            origin="page",
            previewed=claim.previewed,
            nonce=claim.nonce,
        )
    except TokenError as exc:
        return _asked(visit, form, str(exc), code=403)
    if done.journaled:
        messages.info(
            visit.request, _("What was dropped here is removed from Redis once it is back.")
        )
    row = Eviction.objects.filter(nonce=claim.nonce).first() if done.audited is True else None
    if row is None:
        return outcome.told(visit, outcome.of(done, visit.alias, selection.shown, form.chosen_tier))
    _log(visit, row)
    return HttpResponseRedirect(visit.link("outcome", row.pk))


def _log(visit: Visit, row: Eviction) -> None:
    """Enter it into the admin's own log; it is done, whether this can be written or not."""
    try:
        LogEntry.objects.log_actions(_id(visit), [row], ADDITION, str(row), single_object=True)
    except DatabaseError as exc:
        logger.warning("tiercache.audit.failed: %s", exc, extra={"event": "tiercache.audit.failed"})


def _id(visit: Visit) -> str:
    return str(visit.request.user.pk)


def _title(visit: Visit) -> str:
    return _("Evict from %(alias)s") % {"alias": visit.alias}
