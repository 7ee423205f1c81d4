"""`cached_view`: pages, each loaded once for everybody who asks for it at the same time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from .key_templates import Tags, tag_namer
from .naming import Call
from .routes import Route
from .visits import Terms

View = TypeVar("View", bound=Callable[..., Any])


def cached_view(
    timeout: float | None,
    *,
    alias: str | None = None,
    key_prefix: str | None = None,
    grace: float | None = None,
    tags: Tags = (),
    early: float | None = None,
    budget: float | None = None,
) -> Callable[[View], View]:
    """Cache a view's pages as `cache_page` does, and load each of them once.

    For `def` and `async def` views. What may be stored, and under which key, is decided as by
    Django's cache middleware. The view may add tags by `current_load().tag(...)`.

    Args:
        timeout: seconds that a page is fresh at the most, the response's `max-age` may say less;
            None: what that says, or CACHE_MIDDLEWARE_SECONDS.
        alias: which of `CACHES`; None: CACHE_MIDDLEWARE_ALIAS.
        key_prefix: tells the pages of several sites apart; None: CACHE_MIDDLEWARE_KEY_PREFIX.
        grace, early: as for `TieredCache.get_or_set`; the view runs in the background then, with
            a request by nobody. Pages that vary on Cookie or Authorization have neither.
        tags: names by which `evict_tags` evicts pages, which may name the view's arguments
            (`"product:{pk}"`), or a function of them that returns names.
        budget: seconds to wait for a load, which goes on beyond them.

    Raises:
        TypeError, ValueError: an option cannot be; when it is called: its first argument is no
            request.
        ImproperlyConfigured: when it is called: the cache is no `TieredCache`.
        LoadTimeout: when it is called: the page was not loaded within the budget.
    """
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise TypeError(f"cached_view() got the timeout {timeout!r}; allowed: seconds, or None")

    def decorate(view: View) -> View:
        call = Call(view)
        terms = Terms(
            view=view,
            is_async=iscoroutinefunction(view),
            name=call.name,
            timeout=timeout,
            alias=alias,
            key_prefix=key_prefix,
            grace=grace,
            tags=tag_namer(call, tags),
            early=early,
            budget=budget,
        )
        if terms.is_async:

            async def asynchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                return await Route(terms, request, args, kwargs).aanswer()

            return cast("View", wraps(view)(asynchronous))

        def synchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return Route(terms, request, args, kwargs).answer()

        return cast("View", wraps(view)(synchronous))

    return decorate
