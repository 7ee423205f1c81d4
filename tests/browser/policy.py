"""A Content-Security-Policy that allows nothing inline and no other host, on every answer."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@sync_and_async_middleware
def strict(get_response: Callable[..., Any]) -> Callable[..., Any]:
    def told(response: Any) -> Any:
        response["Content-Security-Policy"] = POLICY
        return response

    if iscoroutinefunction(get_response):

        async def asked(request: Any) -> Any:
            return told(await get_response(request))

        return asked
    return lambda request: told(get_response(request))
