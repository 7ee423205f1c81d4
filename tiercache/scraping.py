"""The view that Prometheus scrapes, and who may: a bearer of the token, or this host alone."""

from __future__ import annotations

import ipaddress
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

_FORWARDED: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics of all nodes, in the format that the scraper asks for.

    With `TIERCACHE_METRICS_TOKEN` in the settings the request must bear it (RFC 6750), from
    wherever it comes. Without, it must come from this host, and through no proxy.

    Returns:
        401 or 403 for anybody else; 501 where the extra `prometheus` is not installed.
    """
    return refusal(request) or _exposition(request)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return what is answered to a request that may not read the metrics, None for one that may.

    Raises:
        ImproperlyConfigured: the token in the settings is no text, or empty.
    """
    token = getattr(settings, "TIERCACHE_METRICS_TOKEN", None)
    if token is None:
        return None if _is_local(request) else _forbidden()
    if not isinstance(token, str) or not token:
        raise ImproperlyConfigured(
            f"TIERCACHE_METRICS_TOKEN is {token!r}; allowed: a text that is not empty, or None for"
            f" requests from this host alone"
        )
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and constant_time_compare(given.strip(), token):
        return None
    return _text(
        "The metrics need the header Authorization: Bearer with the token of the settings.",
        401,
        **{"WWW-Authenticate": 'Bearer realm="tiercache"'},
    )


def _is_local(request: HttpRequest) -> bool:
    """Tell whether a request was made on this host; a proxy on it speaks for anybody."""
    if any(header in request.META for header in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        # Behind a Unix socket there is none.
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _forbidden() -> HttpResponse:
    return _text(
        "The metrics are for requests from this host; set TIERCACHE_METRICS_TOKEN to let others"
        " read them.",
        403,
    )


def _exposition(request: HttpRequest) -> HttpResponse:
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        return _text("The metrics need the extra: install django-tiercache[prometheus].", 501)
    from .prometheus import TiercacheCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(TiercacheCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _text(text: str, status: int, **headers: str) -> HttpResponse:
    return HttpResponse(text + "\n", "text/plain; charset=utf-8", status=status, headers=headers)
