"""The ASGI layer in front of Django: it answers what the routes have, Django has the pages.

The same keys, decisions and fields as through Django's view, without the cost of its middleware:
hits from memory at once, all else through the engine. WSGI, and whoever serves Django's own
application, gets the same answers from `views.api.gateway`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from django.urls import Resolver404, resolve

from gateway_project.bodies import Bounded, left, read_body
from gateway_project.kinds import Kinds
from gateway_project.protection import Protection
from gateway_project.serving import current, popular, refusals
from gateway_project.serving.asked import Asked, path_of
from gateway_project.serving.replies import Reply
from gateway_project.upstreams import BrokenBody
from tiercache.http import dates

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger: Final = logging.getLogger(__name__)

LARGEST_OTHER: Final = 1024 * 1024
"""Bytes of a request's body where no route says so: purges, other pages, 404 and 405."""

PATIENCE: Final = 30.0
"""Seconds within which a caller takes a part of an answer; beyond, the rest is not sent."""

_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]+)(/.*)?", re.IGNORECASE | re.DOTALL)


class FastPath:
    """An ASGI application: answers requests for routes, and leaves the rest to Django's.

    Bodies that are larger than the route allows end here as well, before Django writes them to a
    file, and so do callers who do not take what they asked for.
    """

    def __init__(self, django: Application) -> None:
        self._django = django
        self._kinds: Kinds | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._django(scope, receive, send)
            return
        kinds = self._kinds
        if kinds is None or kinds.gateway is not current.gateway():
            kinds = self._kinds = Kinds(current.gateway())
            popular.start()
        kind = kinds.of(scope)
        if kind is not None and (answer := kind.answer()) is not None:
            start, body = answer
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        await self._go_on(kinds, scope, receive, completed(send))

    async def _go_on(self, kinds: Kinds, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is no hit from memory."""
        there = in_origin_form(scope)
        if there is None:
            refusal = "The target is neither a path nor an address of this host."
            await _send(refusals.problem(400, refusal), send)
            return
        asked = Asked.from_scope(there)
        if is_for_routes(there["path"], asked, kinds.protection):
            await _answer(kinds, asked, receive, send)
        else:
            await self._ask_django(there, receive, send)

    async def _ask_django(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to Django, as long as its body is not too large."""
        if scope["path"].startswith("/admin/"):
            await self._django(scope, receive, send)
            return
        body = Bounded(receive, LARGEST_OTHER)
        await self._django(scope, body, send)
        if body.exceeded:
            # Django reads a body to its end before it does anything else, so nothing was sent yet.
            await _send(refusals.too_large(LARGEST_OTHER), send)


def in_origin_form(scope: Scope) -> Scope | None:
    """Return the connection with a target that begins with a slash; None if it has none.

    The absolute form (RFC 9112, 3.2.2) is taken where it names the host that Host does.
    """
    path = path_of(scope)
    if path.startswith(b"/"):
        return scope
    match = _ABSOLUTE.fullmatch(path)
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if match is None or hosts != [match[1]]:
        return None
    parts = scope["path"].partition("://")[2].partition("/")
    return {**scope, "raw_path": match[2] or b"/", "path": "/" + parts[2]}


def is_for_routes(path: str, asked: Asked, protection: Protection) -> bool:
    """Tell whether a request is none of Django's pages', and Django would let it through."""
    if not protection.allows(asked.fields, asked.scheme):
        return False
    with suppress(Resolver404):
        return resolve(path).url_name == "gateway"
    return False


def completed(send: Send) -> Send:
    """Return what sends the same, with a Date where there is none, and not to idle callers.

    A cached answer has the Date of its origin (RFC 9110, 6.6.1), so a server must not add one of
    its own to all.
    """

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            if all(name.lower() != b"date" for name, _ in headers):
                now = dates.formatted(time.time()).encode("ascii")
                message = {**message, "headers": [*headers, (b"date", now)]}
        async with asyncio.timeout(PATIENCE):
            await send(message)

    return sent


async def _answer(kinds: Kinds, asked: Asked, receive: Receive, send: Send) -> None:
    """Answer a request for a route, as long as the caller is there."""
    allowed = kinds.gateway.largest_request(asked.path, asked.method)
    most = LARGEST_OTHER if allowed is None else allowed
    body = await read_body(receive, most)
    if body is None:
        await _send(refusals.too_large(most), send)
        return
    answering = asyncio.ensure_future(_answered(kinds, asked, body, send))
    leaving = asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        answering.cancel()
    with suppress(asyncio.CancelledError):
        await answering


async def _answered(kinds: Kinds, asked: Asked, body: bytes, send: Send) -> None:
    reply = await _reply(kinds, asked, body)
    fields = kinds.protection.extended(reply.fields, asked.fields, asked.scheme)
    try:
        await _send(replace(reply, fields=fields), send)
    except (BrokenBody, TimeoutError) as exc:
        # Without its end the server closes the connection, so that the caller knows.
        reason = exc if isinstance(exc, BrokenBody) else "the caller does not take it"
        logger.warning("The answer to %s is not whole: %s", asked.shown, reason)


async def _reply(kinds: Kinds, asked: Asked, body: bytes) -> Reply:
    async def given(_most: int) -> bytes:
        return body

    try:
        return await kinds.gateway.answer(asked, given)
    except Exception:
        # Django would do the same with what a view raises.
        logger.exception("The gateway made a mistake with %s %s", asked.method, asked.shown)
        return refusals.problem(500, "The gateway made a mistake; its log says which.")


async def _send(reply: Reply, send: Send) -> None:
    start = {"type": "http.response.start", "status": reply.status}
    parts = reply.body
    if isinstance(parts, bytes):
        await send({**start, "headers": reply.fields.encoded()})
        await send({"type": "http.response.body", "body": parts})
        return
    try:
        await send({**start, "headers": reply.fields.encoded()})
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await parts.aclose()
