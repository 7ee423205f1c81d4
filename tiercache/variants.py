"""Which page a request is for, and whether a response may be one: Django's rules, on its functions.

A page's key is Django's (`get_cache_key`): method, absolute URL, the request headers that the
URL's pages vary on, language and time zone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import (
    get_cache_key,
    get_max_age,
    has_vary_header,
    learn_cache_key,
    patch_cache_control,
    patch_response_headers,
    patch_vary_headers,
)

Page: TypeAlias = tuple[HttpResponse, float]
"""A response, and the time of the wall clock until which it said that it is fresh."""

_OWN: Final = "tiercache."
"""What the key prefix begins with: `cache_page` and the cache middleware read no page of ours."""

_PERSONAL: Final = {"HTTP_COOKIE", "HTTP_AUTHORIZATION"}


class _Headers:
    """Stands where Django expects the cache in which it keeps what a URL's pages vary on."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self.key = ""
        self.names = names

    def get(self, key: str) -> Sequence[str] | None:
        self.key = key
        return self.names

    def set(self, key: str, names: Sequence[str], _timeout: float) -> None:
        self.key, self.names = key, names


def headers_key(request: HttpRequest, prefix: str) -> str:
    """Return the key under which it is kept what the pages of a URL vary on."""
    headers: Any = _Headers()
    get_cache_key(request, _OWN + prefix, cache=headers)
    return str(headers.key)


def page_key(request: HttpRequest, prefix: str, names: Sequence[str], method: str) -> str:
    """Return the key of a request's page.

    Args:
        names: of the headers that it varies on, as in `META`.
    """
    headers: Any = _Headers(names)
    key = str(get_cache_key(request, _OWN + prefix, method, cache=headers))
    if len(names) > 1:
        # Before 6.1 Django hashes the values one after the other, so that "a", "bc" is "ab", "c".
        values = repr([request.META.get(name) for name in names])
        key += f".{hashlib.sha256(values.encode()).hexdigest()[:16]}"
    return key


def names_of(request: HttpRequest, response: HttpResponse, known: Iterable[str]) -> list[str]:
    """Return the names of the headers that pages of a URL vary on: those known, and these."""
    headers: Any = _Headers()
    learn_cache_key(request, response, 1, "", cache=headers)
    return sorted({*known, *headers.names})


def personal(names: Iterable[str]) -> bool:
    """Tell whether pages are made for somebody: then nobody else can load them."""
    return not _PERSONAL.isdisjoint(names)


def accessed(request: HttpRequest) -> bool:
    """Tell whether the request's session has been looked at."""
    return bool(getattr(vars(request).get("session"), "accessed", False))


def life_of(
    request: HttpRequest, response: HttpResponse, timeout: float | None, *, asked: bool
) -> float:
    """Return the seconds for which a response may be stored, 0: not at all; set its headers.

    The rules are those of `UpdateCacheMiddleware`, and that what Django's middleware is going to
    say of sessions and CSRF counts as said.

    Args:
        timeout: seconds at the most; None: what the response says, or CACHE_MIDDLEWARE_SECONDS.
        asked: whether the view has looked at the session.
    """
    if not getattr(request, "_cache_update_cache", True) or response.streaming:
        return 0
    if asked:
        patch_vary_headers(response, ("Cookie",))
    directives = _directives(response)
    if (
        response.status_code not in (200, 304)
        or _sets_own_cookie(request, response)
        or directives & {"private", "no-cache", "no-store"}
        or has_vary_header(response, "*")
    ):
        return 0
    said = get_max_age(response)
    if timeout is None:
        timeout = settings.CACHE_MIDDLEWARE_SECONDS if said is None else said
    life = timeout if said is None else min(timeout, said)
    if life <= 0:
        return 0
    patch_response_headers(response, int(life))
    if request.headers.get("Authorization") and "public" not in directives:
        # RFC 9111, section 3.5.
        patch_vary_headers(response, ("Authorization",))
    return life if response.status_code == 200 else 0


def _directives(response: HttpResponse) -> set[str]:
    parts = response.get("Cache-Control", "").split(",")
    return {part.partition("=")[0].strip().lower() for part in parts}


def _sets_own_cookie(request: HttpRequest, response: HttpResponse) -> bool:
    """Tell whether it gives one client a cookie of its own, now or by a middleware later."""
    return bool(
        (response.cookies and has_vary_header(response, "Cookie"))
        or request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
        or getattr(vars(request).get("session"), "modified", False)
    )


def reopened(page: Page) -> HttpResponse:
    """Return a cached response, which promises no more than what is left of it."""
    response, until = page
    patch_cache_control(response, max_age=max(int(until - time.time()), 0))
    return response
