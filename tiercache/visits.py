"""One request on its way to its page: what it asks for, and what becomes of its view's response."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .aliases import tiered
from .backend import TieredCache
from .exceptions import RefreshFailed
from .loading import DEFAULT, LoadContext
from .snapshots import Snapshot
from .variants import (
    Page,
    headers_key,
    life_of,
    names_of,
    page_key,
    personal,
    reopened,
)

PASS: Final = 5.0
"""Seconds for which everybody runs the view after a response that may not be stored."""

REMEMBERED: Final = 24 * 3600
"""Seconds for which it is remembered what a URL's pages vary on."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one view was decorated with."""

    view: Callable[..., Any]
    is_async: bool
    name: str
    timeout: float | None
    alias: str | None
    key_prefix: str | None
    grace: float | None
    tags: Callable[..., tuple[str, ...]]
    early: float | None
    budget: float | None


class Visit:
    """One request on its way to its page: all that both kinds of view share.

    Attributes:
        response, error: what this request's own view brought, where it ran.
        names: what the URL's pages vary on, as far as is known.
        stored: whether the last run is to be stored.
        retry: whether the next one who asks may try, though it is not.
    """

    def __init__(
        self, terms: Terms, request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if not hasattr(request, "META"):
            raise TypeError(
                f"cached_view on {terms.name}() got {request!r} as its first argument; allowed: "
                f"an HttpRequest (on a method: @method_decorator(cached_view(...)))"
            )
        self.terms = terms
        self.request = request
        self.args, self.kwargs = args, kwargs
        self.prefix = (
            settings.CACHE_MIDDLEWARE_KEY_PREFIX if terms.key_prefix is None else terms.key_prefix
        )
        self.response: HttpResponse | None = None
        self.error: Exception | None = None
        self.names: list[str] | None = None
        self.grown = self.stored = self.retry = False

    def prepare(self) -> bool:
        """Get ready to look for the page; tell whether the request is for one at all."""
        self.request._cache_update_cache = looks = self.request.method in ("GET", "HEAD")  # type: ignore[attr-defined]
        if not looks:
            return False
        self.cache: TieredCache = tiered(
            self.terms.alias or settings.CACHE_MIDDLEWARE_ALIAS,
            f"cached_view on {self.terms.name}()",
        )
        self.snapshot = Snapshot(self.request)
        self.headers_key = headers_key(self.request, self.prefix)
        return True

    # What the cache is asked

    def has_run(self) -> bool:
        """Whether this request's own view has run."""
        return self.response is not None or self.error is not None

    def about_headers(self) -> dict[str, Any]:
        """Return the options with which the headers' names are asked for."""
        return {"timeout": REMEMBERED, "grace": 0, "budget": self.terms.budget}

    def about_page(self) -> dict[str, Any]:
        """Return the options with which a page is stored."""
        terms = self.terms
        timeout = settings.CACHE_MIDDLEWARE_SECONDS if terms.timeout is None else terms.timeout
        tags = terms.tags((self.request, *self.args), self.kwargs)
        return {"timeout": timeout, "grace": terms.grace, "tags": tags}

    def about_known_page(self) -> dict[str, Any]:
        """Return the options with which a page of a known key is asked for."""
        if personal(self.names or ()):
            return {**self.about_page(), "grace": 0, "budget": self.terms.budget}
        return {**self.about_page(), "early": self.terms.early, "budget": self.terms.budget}

    def key(self, method: str | None = None) -> str:
        """Return the key of this request's page."""
        names, method = self.names or [], method or str(self.request.method)
        return page_key(self.request, self.prefix, names, method)

    # What becomes of a run

    def asker(self, context: LoadContext) -> HttpRequest:
        """Return the request with which the view is to be run."""
        if not context.has_stale:
            return self.request
        request = self.snapshot.request()
        request._cache_update_cache = True  # type: ignore[attr-defined]
        return request

    def failed(self, context: LoadContext, error: Exception) -> None:
        """Take note of what the view raised: for this request, and nobody else."""
        if context.has_stale:
            raise RefreshFailed(f"{self.terms.name}() failed in the background") from error
        self.error = error

    def settled(
        self, context: LoadContext, request: HttpRequest, response: HttpResponse, *, asked: bool
    ) -> Page | None:
        """Return the page to store, None if there is none for others in this response."""
        if context.has_stale and response.status_code >= 500:
            raise RefreshFailed(f"{self.terms.name}() answered {response.status_code}")
        timeout = self.terms.timeout if context.timeout is DEFAULT else context.timeout
        life = life_of(request, response, timeout, asked=asked)
        if not context.has_stale:
            self.response = response
        if not life:
            # The whole page may come with the next request.
            self.retry = response.status_code == 304
            return None
        names = names_of(request, response, self.names or ())
        self.grown = self.names is not None and names != self.names
        self.names = names
        if self.grown:
            # It is not the page of the key that it was loaded for.
            self.retry = True
            return None
        context.timeout = life
        if personal(names):
            context.grace = 0
        self.stored = context.stored
        return response, time.time() + life

    def passed(self, context: LoadContext) -> None:
        """Let everybody run the view for a while."""
        if self.retry:
            context.decline()
        else:
            context.timeout, context.grace = PASS, 0

    def own(self) -> HttpResponse:
        """Return, or raise, what this request's own view brought."""
        if self.error is not None:
            raise self.error
        if self.stored:
            # The cache middleware would keep a copy that no tag evicts.
            self.request._cache_update_cache = False  # type: ignore[attr-defined]
        assert self.response is not None  # noqa: S101 - it is done
        return self.response

    def opened(self, page: Page) -> HttpResponse:
        """Return a page that is cached."""
        self.request._cache_update_cache = False  # type: ignore[attr-defined]
        return reopened(page)
