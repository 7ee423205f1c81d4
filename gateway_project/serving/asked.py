"""A request, as everything here sees it: ASGI's, or what is left of it under WSGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from tiercache.http.fields import Fields

ReadBody = Callable[[int], Awaitable[bytes]]
"""Returns a request's body; raises a problem if it has more than so many bytes."""

_CGI: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request without its body, as it came in: nothing is decoded, nothing left out.

    Attributes:
        method: in capitals.
        path, query: of the target, as they were sent.
        fields: the header fields.
        http_version: `1.0`, `1.1`, `2`.
        scheme: `http` or `https`.
        peer: the address at the other end, None for a socket that has none.
        is_lasting: whether the event loop outlives the request, so that something can be done
            beside it.
    """

    method: str
    path: bytes
    query: bytes = b""
    fields: Fields = Fields()  # noqa: RUF009 - a value, never changed
    http_version: str = "1.1"
    scheme: str = "http"
    peer: str | None = None
    is_lasting: bool = True

    @property
    def shown(self) -> str:
        """Path and query as they were sent, for a log."""
        return (self.path + (b"?" + self.query if self.query else b"")).decode("latin-1")

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any]) -> Asked:
        """Return the request of an ASGI connection."""
        client = scope.get("client")
        return cls(
            method=scope["method"],
            path=path_of(scope),
            query=scope["query_string"],
            fields=Fields.decoded(scope["headers"]),
            http_version=scope["http_version"],
            scheme=scope["scheme"],
            peer=client[0] if client else None,
        )

    @classmethod
    def from_request(cls, request: HttpRequest) -> Asked:
        """Return the request that Django has, under ASGI or WSGI.

        WSGI's servers decode the path and join fields of one name; where they say how the target
        was sent (`RAW_URI`, `REQUEST_URI`), that is taken.
        """
        if isinstance(request, ASGIRequest):
            return cls.from_scope(request.scope)
        meta = request.META
        target = meta.get("RAW_URI") or meta.get("REQUEST_URI") or ""
        path = target.partition("?")[0] or quote(request.path)
        return cls(
            method=request.method or "",
            path=path.encode("latin-1"),
            query=meta.get("QUERY_STRING", "").encode("latin-1"),
            fields=Fields(_wsgi_lines(meta)),
            http_version=meta.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/"),
            scheme=request.scheme or "http",
            peer=meta.get("REMOTE_ADDR") or None,
            is_lasting=False,
        )


def path_of(scope: Mapping[str, Any]) -> bytes:
    """Return the path of an ASGI connection as it was sent, as far as the server tells."""
    return scope.get("raw_path") or quote(scope["path"]).encode("ascii")


def _wsgi_lines(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = [name for name in meta if name.startswith("HTTP_")]
    lines = [(name.removeprefix("HTTP_").replace("_", "-"), meta[name]) for name in names]
    return lines + [(name.replace("_", "-"), meta[name]) for name in _CGI if meta.get(name)]
