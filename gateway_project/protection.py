"""What Django's middleware does for every answer, worked out once for those given without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.utils.module_loading import import_string

from tiercache.http.fields import Fields

_WORKED_OUT: Final = (
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""Middleware whose fields depend on nothing but the settings and the scheme."""


class Protection:
    """Which requests may be answered in front of Django, and the fields that such answers need.

    Middleware other than Django's security and clickjacking ones is not asked about hits from
    memory. Where the settings redirect to HTTPS, requests by HTTP are Django's.
    """

    def __init__(self) -> None:
        self._fields = {scheme: _fields(scheme) for scheme in ("http", "https")}
        self._proxy: tuple[str, str] | None = None
        if settings.SECURE_PROXY_SSL_HEADER:
            name, value = settings.SECURE_PROXY_SSL_HEADER
            self._proxy = name.removeprefix("HTTP_").replace("_", "-").lower(), value

    @property
    def fields(self) -> frozenset[str]:
        """The request's fields that it goes by."""
        return frozenset({"host", "x-forwarded-host", *([self._proxy[0]] if self._proxy else [])})

    def allows(self, fields: Fields, scheme: str) -> bool:
        """Tell whether Django would let a request with these fields through to its view."""
        host = fields.get("host")
        if host is None or (settings.USE_X_FORWARDED_HOST and "x-forwarded-host" in fields):
            return False
        if settings.SECURE_SSL_REDIRECT and self._scheme(fields, scheme) != "https":
            return False
        name, _ = split_domain_port(host)
        return bool(name) and validate_host(name, settings.ALLOWED_HOSTS)

    def extended(self, answered: Fields, asked: Fields, scheme: str) -> Fields:
        """Return an answer's fields with those that Django's middleware would add."""
        added = self._fields[self._scheme(asked, scheme)]
        return Fields([*answered, *(line for line in added if line[0] not in answered)])

    def _scheme(self, fields: Fields, scheme: str) -> str:
        if self._proxy is None or self._proxy[0] not in fields:
            return scheme
        name, value = self._proxy
        claimed = (fields.get(name) or "").split(",", 1)[0].strip()
        return "https" if claimed == value else "http"


def _fields(scheme: str) -> Fields:
    request = _Request(scheme)
    response: Any = HttpResponse()
    content_type = set(response.headers)
    for path in _WORKED_OUT:
        if path in settings.MIDDLEWARE:
            middleware: Any = import_string(path)(lambda _: HttpResponse())
            response = middleware.process_response(request, response)
    lines: Mapping[str, str] = response.headers
    return Fields((name, value) for name, value in lines.items() if name not in content_type)


class _Request(HttpRequest):
    def __init__(self, scheme: str) -> None:
        super().__init__()
        self._chosen = scheme

    def _get_scheme(self) -> str:
        return self._chosen

    def is_secure(self) -> bool:
        """Tell the scheme, whatever proxies say."""
        return self._chosen == "https"
