"""The figures as JSON: the same numbers as the pages'."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from ... import aliases
from ...operations import documents, overview
from ..access import seen
from ..visit import Visit


def show(visit: Visit) -> HttpResponse:
    """Answer with the cache that `alias` names, or with all, over `window` or over all spans.

    Keys, and the words of errors, which may name some, are for those who may see keys.
    """
    query = visit.request.GET
    alias, window = query.get("alias"), query.get("window")
    if alias is not None and alias not in aliases.ours():
        allowed = ", ".join(aliases.ours())
        return _refused(404, f"alias is {alias!r}; allowed: {allowed}")
    views = (
        overview.views() if alias is None else [overview.view(aliases.tiered(alias, "The admin"))]
    )
    try:
        told = [documents.document(seen(view, visit.rights), window) for view in views]
    except ValueError as exc:
        return _refused(400, str(exc))
    return JsonResponse({"caches": told} if alias is None else told[0])


def _refused(code: int, text: str) -> JsonResponse:
    return JsonResponse({"error": text}, status=code)
