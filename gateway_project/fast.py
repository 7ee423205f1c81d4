"""The ASGI layer in front of Django: hits from memory are answered here, bodies are bounded here.

The same keys, decisions and fields as in Django's path, at a small part of its cost. Whatever is
no plain hit goes to Django.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gateway_project.bodies import Bounded
from gateway_project.kinds import Kinds
from gateway_project.serving import current, popular, refusals
from gateway_project.serving.asked import path_of
from tiercache.http import dates

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_OTHER: Final = 1024 * 1024
"""Bytes of a request's body where no route says so: purges, other pages, 404 and 405."""

PATIENCE: Final = 30.0
"""Seconds within which a caller takes a part of an answer; beyond, the rest is not sent."""

_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]+)(/.*)?", re.IGNORECASE | re.DOTALL)


class FastPath:
    """An ASGI application: answers hits from memory, and leaves the rest to Django's.

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
        else:
            await self._ask_django(kinds, scope, receive, completed(send))

    async def _ask_django(self, kinds: Kinds, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to Django, as long as it has a target and its body is not too large."""
        there = in_origin_form(scope)
        if there is None:
            await _refuse(send, 400, "The target is neither a path nor an address of this host.")
            return
        most = kinds.gateway.largest_request(path_of(there), there["method"])
        if most is None and there["path"].startswith("/admin/"):
            await self._django(there, receive, send)
            return
        body = Bounded(receive, LARGEST_OTHER if most is None else most)
        await self._django(there, body, send)
        if body.exceeded:
            # Django reads a body to its end before it does anything else, so nothing was sent yet.
            await _refuse(send, 413, f"The body is too large; allowed are {body.most} bytes.")


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


async def _refuse(send: Send, status: int, detail: str) -> None:
    refusal = refusals.problem(status, detail)
    headers = refusal.fields.encoded()
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})
