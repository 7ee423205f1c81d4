"""System checks: what keeps the gateway from working, and what to set before it is deployed.

`check` (and every start) looks at the routes; the others are for `check --deploy`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core import checks

from gateway_project import environment
from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.reading import load
from gateway_project.routing.table import PoolEntry

Messages = list[checks.CheckMessage]


def register() -> None:
    """Make Django run the checks."""
    checks.register(check_routes)
    for check in (check_pools, check_settings, check_redis, check_state):
        checks.register(check, deploy=True)


def check_routes(**_: Any) -> Messages:
    """Find all mistakes of the routes file: E001, one for each."""
    try:
        load(settings.GATEWAY_ROUTES)
    except BadRoutes as exc:
        hint = "Mend the file, or set GATEWAY_ROUTES to another."
        return [
            checks.Error(f"{exc.file}:{one.line}: {one.said}", hint=hint, id="gateway.E001")
            for one in exc.mistakes
        ]
    return []


def check_pools(**_: Any) -> Messages:
    """Find pools without servers (E002), and servers reached in plain text (W001)."""
    try:
        pools = load(settings.GATEWAY_ROUTES).pools.values()
    except BadRoutes:
        return []  # E001 says it
    return [message for pool in pools for message in _pool(pool)]


def check_settings(**_: Any) -> Messages:
    """Find what the environment has to say in earnest: E003, E004, W002, E005."""
    return list(_settings())


def check_redis(**_: Any) -> Messages:
    """Find a Redis that is missing (W003), or open to whoever reaches its port (W004)."""
    address = settings.TIERCACHE_REDIS_URL
    if not address:
        return [
            checks.Warning(
                "The gateway has no Redis: each process keeps and counts for itself.",
                hint="Set TIERCACHE_REDIS_URL, for instance to rediss://:PASSWORD@HOST:6379/0.",
                id="gateway.W003",
            )
        ]
    parts = urlsplit(address)
    if parts.scheme in ("rediss", "unix") or parts.password or _is_loopback(parts.hostname):
        return []
    return [
        checks.Warning(
            f"Redis at {parts.hostname} is reached without a password and without TLS.",
            hint="Set TIERCACHE_REDIS_URL to one with a password (redis://:PASSWORD@HOST:PORT/0), "
            "better with TLS (rediss://).",
            id="gateway.W004",
        )
    ]


def check_state(**_: Any) -> Messages:
    """Find a state directory that cannot be written to: E006."""
    directory = settings.STATE_DIR
    nearest = next(one for one in (directory, *directory.parents) if one.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        checks.Error(
            f"The state directory {directory} cannot be written to by this user.",
            hint="Set GATEWAY_STATE_DIR to a directory that can.",
            id="gateway.E006",
        )
    ]


def _pool(pool: PoolEntry) -> Iterator[checks.CheckMessage]:
    if not pool.servers:
        yield checks.Error(
            f"Pool {pool.name!r} has no servers.",
            hint=f"Set {pool.variable} to addresses such as http://10.0.0.5:9001, separated by "
            "commas.",
            id="gateway.E002",
        )
    for server in pool.servers:
        if _crosses_in_plain_text(urlsplit(server)):
            yield checks.Warning(
                f"Pool {pool.name!r} asks {server} in plain text, and that is "
                "no loopback or private address.",
                hint="Set an https:// address.",
                id="gateway.W001",
            )


def _settings() -> Iterator[checks.CheckMessage]:
    if not environment.text("DJANGO_SECRET_KEY"):
        yield checks.Error(
            "The secret key is not set: log-ins and sessions of one host are none on another.",
            hint="Set DJANGO_SECRET_KEY to 50 random characters or more, the same on each host.",
            id="gateway.E003",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield checks.Error(
            "ALLOWED_HOSTS has '*': any Host line is believed.",
            hint="Set DJANGO_ALLOWED_HOSTS to the names that callers use, separated by commas.",
            id="gateway.E004",
        )
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield checks.Warning(
            "Cookies are sent over plain HTTP, too.",
            hint="Set DJANGO_SECURE_COOKIES to 1 where callers come by HTTPS.",
            id="gateway.W002",
        )
    if settings.DEBUG:
        yield checks.Error(
            "DEBUG is on: error pages show settings and source.",
            hint="Set DJANGO_DEBUG to 0.",
            id="gateway.E005",
        )


def _crosses_in_plain_text(server: SplitResult) -> bool:
    """Tell whether a server is asked in plain text beyond this host and its private network.

    A name that is no address may be anything; one without a dot is a container's or a host's own.
    """
    if server.scheme == "https":
        return False
    host = server.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." in host and not _is_loopback(host)
    return not (address.is_private or address.is_loopback or address.is_link_local)


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost" or (host or "").endswith(".localhost")
