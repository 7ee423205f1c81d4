"""One key: where it is, for how long, what it holds, and why a look-up finds it or does not."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ...operations import inspecting
from ..addresses import BadAddress, raw_of, text_of
from ..visit import Visit


def show(visit: Visit) -> HttpResponse:
    """Show the key that the query names; its value to those who may see values."""
    address = visit.request.GET.get("k", "")
    try:
        raw = raw_of(address)
    except BadAddress as exc:
        return visit.render("key", _("Key"), code=400, refused=str(exc))
    key = inspecting.inspect(visit.cache, raw, value=visit.rights.view_values)
    return visit.render("key", _("Key"), key=key, address=text_of(raw), hexadecimal=raw.hex(" "))
