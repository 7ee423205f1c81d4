"""``/api/v1/purge``: evict what is stored, by address or by tag, hard or soft."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.core.cache import DEFAULT_CACHE_ALIAS, cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from gateway_project.callers import credentials, keys
from gateway_project.problems import ProblemError
from gateway_project.routing import current
from gateway_project.routing.table import Matched
from gateway_project.serving.asked import Asked
from gateway_project.serving.places import address_tag, upstream_tag
from gateway_project.serving.responses import read_body
from tiercache.http import targets
from tiercache.operations import auditing
from tiercache.operations.auditing import Actor

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

LARGEST: Final = 256 * 1024
"""Bytes of a body."""

MOST: Final = 1000
"""Urls, and tags, that one request may name."""

MOST_SHOWN: Final = 20
"""Names that the audit has of one request."""

ALLOWED: Final = (
    'allowed is {"urls": [...], "tags": [...], "soft": true or false}, with at least one url or tag'
)

_HALVES: Final = re.compile(r"[\ud800-\udfff]")


@never_cache
@require_POST
async def purge(request: HttpRequest) -> HttpResponse:
    """Evict every variant of the named addresses, and everything that bears the named tags.

    Hard, it is gone; soft, it is stale, and served while it is loaded anew where it may be.
    """
    caller = await _authorised(request)
    wanted = _members(await read_body(request, LARGEST))
    urls, names = _texts(wanted, "urls"), _texts(wanted, "tags")
    if not urls and not names:
        raise _wrong(f"There is nothing to purge; {ALLOWED}.")
    soft = wanted.get("soft", False)
    if not isinstance(soft, bool):
        raise _wrong(f"soft is {soft!r}; {ALLOWED}.", "soft")
    # A url and a tag may be spelled alike.
    tags = [(url, _address_tag(url)) for url in urls] + [(one, upstream_tag(one)) for one in names]
    tiers = cast("TieredCache", cache)
    told: dict[str, list[str]] = {"purged": [], "unknown": []}
    for name, tag in dict.fromkeys(tags):
        is_known = await tiers.aevict_tags(tag, soft=soft)
        told["purged" if is_known else "unknown"].append(name)
    actor = Actor(f"API key {caller.prefix}")
    kind = "soft purge" if soft else "purge"
    await sync_to_async(auditing.note)(
        DEFAULT_CACHE_ALIAS,
        f"{kind}: {_shown([*urls, *names])}",
        actor,
        "API",
        removed=len(told["purged"]),
    )
    return JsonResponse({"soft": soft, **told})


def _shown(names: list[str]) -> str:
    """Return the names as the audit has them: not all, where there are many."""
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


async def _authorised(request: HttpRequest) -> keys.Caller:
    caller = await keys.identify(Asked.from_request(request).fields)
    if caller is None:
        raise credentials.no_key()
    if not caller.may_purge:
        raise ProblemError(HTTPStatus.FORBIDDEN, "This key may not purge.")
    return caller


def _members(body: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as exc:  # the latter: nested too deeply
        raise _wrong(f"The body is no JSON ({exc}); {ALLOWED}.") from exc
    if not isinstance(members, dict):
        raise _wrong(f"The body is no JSON object; {ALLOWED}.")
    if unknown := members.keys() - {"urls", "tags", "soft"}:
        raise _wrong(f"{min(unknown)!r} is unknown; {ALLOWED}.", min(unknown))
    return members


def _texts(members: Mapping[str, Any], name: str) -> list[str]:
    texts = members.get(name, [])
    if not isinstance(texts, list) or not all(map(_is_text, texts)):
        raise _wrong(f"{name} must be a list of texts; {ALLOWED}.", name)
    if len(texts) > MOST:
        raise _wrong(f"{name} has {len(texts)} members; allowed are {MOST}.", name)
    return texts


def _is_text(value: object) -> bool:
    # JSON can name halves of characters, which no encoding has.
    return isinstance(value, str) and bool(value) and _HALVES.search(value) is None


def _address_tag(url: str) -> str:
    """Return the tag of an address here: a path, or a whole URL of whichever host."""
    try:
        parts = urlsplit(url)
        target = targets.parse(parts.path.encode(), parts.query.encode())
        found = current.table().match(target.path, "GET")
        if isinstance(found, Matched):
            return address_tag(found.route, found.captures, found.route.counted(target.query))
    except ValueError as exc:  # BadTarget and RefusedQuery are such
        raise _wrong(f"{url!r} is no address here: {exc}.", "urls") from exc
    raise _wrong(f"{url!r} is no address here: no route has it.", "urls")


def _wrong(detail: str, member: str | None = None) -> ProblemError:
    members = {} if member is None else {"member": member}
    return ProblemError(HTTPStatus.BAD_REQUEST, detail, **members)
