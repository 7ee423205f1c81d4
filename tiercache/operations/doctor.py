"""Settings and server judged together: what is wrong, and what to change."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core import checks
from django.utils.translation import gettext as _

from tiercache.codec import PICKLE
from tiercache.exceptions import RedisAway
from tiercache.steps import Ask, Flow

from .findings import LEVELS, Finding, Level, Signs
from .looking import Look, connecting, look, options_of
from .rights import denied
from .server import facts
from .symptoms import ALL
from .whereabouts import untrusted

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

__all__ = ["LEVELS", "Finding", "Level", "examine"]

PINGS: Final = 50

MEASURED_FOR: Final = 0.2
"""Seconds that they may take together."""

SECTIONS: Final = ("server", "memory", "replication", "persistence")

CONFIGURED: Final = (
    "timeout",
    "tcp-keepalive",
    "client-output-buffer-limit",
    "stop-writes-on-bgsave-error",
    "appendonly",
    "appendfsync",
    "protected-mode",
    "bind",
)
"""What CONFIG GET is asked for: nothing that is secret."""


def examine(cache: TieredCache) -> list[Finding]:
    """Judge a cache's settings and its server; the worst come first.

    Changes nothing, and never raises because Redis is away: then that is the finding.
    """
    findings = [*_of_settings(cache), *_of_server(cache)]
    return sorted(findings, key=lambda finding: -LEVELS.index(finding.level))


def _of_settings(cache: TieredCache) -> Iterator[Finding]:
    """Yield what Django's checks say of this cache."""
    if not apps.is_installed("tiercache"):
        yield Finding(
            "advice",
            "not-installed",
            _("tiercache is not in INSTALLED_APPS: its system checks do not run."),
            _("Add 'tiercache' to INSTALLED_APPS."),
        )
    messages = checks.run_checks(tags=[checks.Tags.caches])
    own = [message for message in messages if message.obj in (None, cache._binding.alias)]
    for message in own:
        yield Finding(_level(message), str(message.id), str(message.msg), str(message.hint or ""))
    if not own:
        yield Finding("good", "checks", _("Django's checks of the settings find nothing."))


def _level(message: checks.CheckMessage) -> Level:
    if message.level >= checks.ERROR:
        return "error"
    return "warning" if message.level >= checks.WARNING else "advice"


def _of_server(cache: TieredCache) -> Iterator[Finding]:
    try:
        signs = look(cache, _signs(cache))
    except RedisAway as away:
        if away.kind == "alone":
            text = _("This cache is memory alone: each process has its own.")
            yield Finding("good", "alone", text)
            return
        yield Finding(
            "error",
            "away",
            _("Redis does not answer (%(kind)s): %(why)s") % {"kind": away.kind, "why": away},
            _("Start it, or correct LOCATION, user and password."),
        )
        return
    for judged in ALL:
        yield from judged(signs)
    yield from _of_hearing(cache)


def _signs(cache: TieredCache) -> Flow[Signs]:
    options = options_of(cache)
    looks = Look()
    sections = yield from looks.ask(*(("INFO", section) for section in SECTIONS))
    settings = yield from looks.ask(*(("CONFIG", "GET", name) for name in CONFIGURED))
    offset = yield from _offset(looks)
    latency = yield from _latency()
    refused = yield from denied(cache)
    return Signs(
        said=facts(*sections),
        config=_pairs(settings),
        options=cache._binding.options,
        socket_timeout=options.get("SOCKET_TIMEOUT"),
        password=bool(connecting(cache).get("password")),
        pickles=options.get("SERIALIZER", PICKLE) == PICKLE,
        offset=offset,
        latency=latency,
        denied=refused,
    )


def _pairs(settings: list[Any]) -> dict[str, str]:
    """Return what CONFIG GET answered, by name; RESP 3 answers with a mapping, RESP 2 a list."""
    found: dict[str, str] = {}
    for name, reply in zip(CONFIGURED, settings, strict=True):
        values = list(reply.values()) if isinstance(reply, dict) else list(reply or ())[1:]
        if values:
            found[name] = values[0].decode(errors="replace")
    return found


def _offset(looks: Look) -> Flow[float]:
    """Return the seconds by which the server's clock is ahead, half a round trip allowed for."""
    before = time.time()
    (reply,) = yield from looks.ask(("TIME",))
    if reply is None:
        return 0.0
    now, microseconds = map(int, reply)
    return now + microseconds / 1e6 - (before + time.time()) / 2


def _latency() -> Flow[float]:
    """Return the seconds of a round trip, the median of some; a slow server is spared the rest."""
    took: list[float] = []
    ends = time.monotonic() + MEASURED_FOR
    while len(took) < PINGS and time.monotonic() < ends:
        began = time.perf_counter()
        yield Ask((("PING",),))
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _of_hearing(cache: TieredCache) -> Iterator[Finding]:
    for node in untrusted(cache):
        yield Finding(
            "warning",
            "backplane",
            _("%(node)s hears of no changes, so its memory is not read.") % {"node": node},
            _("See its log for tiercache.backplane; its user needs SUBSCRIBE on the channel."),
        )
