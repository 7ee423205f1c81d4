"""What a background refresh has instead of its request, which has ended by then."""

from __future__ import annotations

import io
from typing import Any, Final

from django.apps import apps
from django.http import HttpRequest, QueryDict, parse_cookie

from .exceptions import RequestEnded

_PLAIN: Final = (str, int, float, bool, bytes, type(None))

_CONDITIONS: Final = (
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
)
"""What would make the answer less than the whole page."""


class Snapshot:
    """A request as it was when it was asked whether its page is cached.

    Cheap to take: it is sorted out when a refresh asks for `request`.
    """

    __slots__ = ("_attributes", "_meta", "_scheme")

    def __init__(self, request: HttpRequest) -> None:
        self._attributes = dict(vars(request))
        self._meta = dict(request.META)
        self._scheme = request._get_scheme()  # type: ignore[attr-defined]

    def request(self) -> HttpRequest:
        """Return a request for the same page, by nobody, with nothing of the one that ended."""
        return _Later(self._attributes, self._meta, self._scheme)


class _Later(HttpRequest):
    """The same method, URL and headers; no session, no body, and `user` is anonymous.

    Attributes that middleware had set are there if they are plain (text, numbers); to ask for
    others raises `RequestEnded`, instead of letting the view find that there are none.
    """

    def __init__(self, attributes: dict[str, Any], meta: dict[str, Any], scheme: str) -> None:
        super().__init__()
        self._had = frozenset(name for name in attributes if not name.startswith("_"))
        self._own_scheme = scheme
        for name, value in attributes.items():
            if isinstance(value, _PLAIN) and not name.startswith("_"):
                setattr(self, name, value)
        self.META = {
            name: value
            for name, value in meta.items()
            if isinstance(value, _PLAIN) and name not in _CONDITIONS
        }
        self.GET = QueryDict(self.META.get("QUERY_STRING", ""))
        self.COOKIES = parse_cookie(self.META.get("HTTP_COOKIE", ""))
        self.resolver_match = attributes.get("resolver_match")
        self._stream = io.BytesIO()
        self._read_started = False
        if "user" in self._had and apps.is_installed("django.contrib.auth"):
            self._be_nobody()

    def _be_nobody(self) -> None:
        from django.contrib.auth.models import AnonymousUser

        self.user = nobody = AnonymousUser()

        async def auser() -> AnonymousUser:
            return nobody

        self.auser = auser

    def _get_scheme(self) -> str:
        return self._own_scheme

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._had:
            raise RequestEnded(
                f"{self.path}: the view asked for request.{name} in a background refresh, whose "
                f"request has ended; allowed: method, path, GET, headers, COOKIES and plain "
                f"attributes, or no grace and no early for this view"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
