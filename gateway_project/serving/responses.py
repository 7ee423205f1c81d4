"""The gateway's replies as Django's responses, and Django's requests as the gateway's."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Container, Iterator
from http import HTTPStatus
from http.cookies import Morsel
from typing import Any, Final
from wsgiref.util import FileWrapper

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from gateway_project.problems import ProblemError
from gateway_project.serving.replies import Reply

_PART: Final = 64 * 1024


async def respond(request: HttpRequest, reply: Reply) -> HttpResponseBase:
    """Return the response for a reply; under ASGI a body that comes in parts is handed on so."""
    response = await _with_body(request, reply)
    del response.headers["Content-Type"]  # Django's own, for what has none
    for name, value in _joined(reply):
        response.headers[name] = value
    for number, line in enumerate(reply.fields.lines("set-cookie")):
        dict.__setitem__(response.cookies, f"{number}", _Line(line))
    if not isinstance(request, ASGIRequest):
        # WSGI's servers send a Date of their own, and decide about the connection.
        response.headers.pop("Connection", None)
        response.headers.pop("Date", None)
    return response


async def read_body(request: HttpRequest, limit: int) -> bytes:
    """Return a request's body, whatever Django's own limit for forms is.

    Raises:
        ProblemError: it has more than `limit` bytes (413).
    """
    body = request.read(limit + 1)
    if len(body) > limit:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is too large; allowed are {limit} bytes.",
        )
    return body


class _Line(Morsel[str]):
    """A Set-Cookie line as the upstream wrote it."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line

    def OutputString(self, attrs: Container[str] | None = None) -> str:  # noqa: ARG002, N802
        """Return the line."""
        return self._line

    def output(self, attrs: Container[str] | None = None, header: str = "Set-Cookie:") -> str:  # noqa: ARG002
        """Return the line behind its name."""
        return f"{header} {self._line}" if header else self._line


async def _with_body(request: HttpRequest, reply: Reply) -> HttpResponseBase:
    body: Any = reply.body
    if isinstance(body, bytes) and (body or "content-length" in reply.fields):
        return HttpResponse(body, status=reply.status)
    if isinstance(body, bytes):
        # Django would say how long nothing is, which is wrong for what is not sent, or is no
        # content at all.
        body = _nothing()
    if not isinstance(request, ASGIRequest):
        body = await _spooled(body)
    return StreamingHttpResponse(body, status=reply.status)


def _joined(reply: Reply) -> Iterator[tuple[str, str]]:
    names = dict.fromkeys(name for name, _ in reply.fields if name != "set-cookie")
    for name in names:
        yield name.title(), reply.fields.get(name) or ""


async def _nothing() -> AsyncIterator[bytes]:
    parts: tuple[bytes, ...] = ()
    for part in parts:
        yield part


async def _spooled(parts: AsyncIterator[bytes]) -> FileWrapper:
    """Return what has come to its end: under WSGI the event loop ends before the response does."""
    file = tempfile.SpooledTemporaryFile(max_size=16 * _PART)  # noqa: SIM115 - the response does
    try:
        async for part in parts:
            file.write(part)
    except BaseException:  # broken off or cancelled: nobody will read it
        file.close()
        raise
    file.seek(0)
    return FileWrapper(file, _PART)
