"""What a server's settings and figures mean for the cache: each judgement one small function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.utils.translation import gettext as _

from .findings import Finding, Signs
from .rights import LOOKING, NEEDED

OLDEST: Final = {"Redis": (6, 2), "Valkey": (7, 2)}
"""The first versions that tiercache is tested with."""

NO_TOUCH_SINCE: Final = (7, 2)

SHORTEST_TIMEOUT: Final = 10
"""Seconds of silence after which the server may close a connection: listeners speak before."""

LEAST_BUFFER: Final = 2**20
"""Bytes that the server should keep for a node that hears slowly."""

SLOW: Final = 0.1
"""The share of the time budget that one round trip may take before it is a warning."""

LONG: Final = 5.0
"""Seconds of a time budget from which on callers wait too long for a server that hangs."""

CLOCK: Final = 2.0
"""Seconds by which the server's clock may differ from this host's."""


def eviction_policy(signs: Signs) -> Iterator[Finding]:
    """Judge who leaves Redis when it is full."""
    policy, limit = signs.said.get("maxmemory_policy", ""), signs.number("maxmemory")
    if not policy:
        return
    if not limit:
        yield Finding(
            "advice",
            "maxmemory",
            _("The server's memory has no limit (maxmemory is 0): it grows until the host is out."),
            _("Set maxmemory below the host's memory, and maxmemory-policy to allkeys-lru."),
        )
    elif policy == "noeviction":
        yield Finding(
            "warning",
            "eviction-policy",
            _("The server evicts nothing (noeviction): once full it refuses writes."),
            _("Set maxmemory-policy to allkeys-lru or allkeys-lfu if it holds caches alone."),
        )
    elif policy.startswith("volatile") or policy == "allkeys-random":
        yield Finding(
            "advice",
            "eviction-policy",
            _("The server evicts by %(policy)s.") % {"policy": policy},
            _("allkeys-lru or allkeys-lfu keep what is used, with a timeout or without."),
        )
    else:
        text = _("The server evicts by %(policy)s.") % {"policy": policy}
        yield Finding("good", "eviction-policy", text)
    if limit and signs.number("used_memory") > 0.95 * limit:
        yield Finding(
            "advice",
            "memory-full",
            _("The server's memory is used up: it evicts, or refuses writes."),
            _("Raise maxmemory, or shorten timeouts."),
        )


def time_budget(signs: Signs) -> Iterator[Finding]:
    """Judge what callers wait for, against what a round trip takes."""
    budget, latency = signs.options.time_budget, signs.latency
    if signs.socket_timeout is not None and signs.socket_timeout > budget:
        yield Finding(
            "advice",
            "socket-timeout",
            _("SOCKET_TIMEOUT (%(timeout)g s) has no effect: TIME_BUDGET is %(budget)g s.")
            % {"timeout": signs.socket_timeout, "budget": budget},
            _("Leave SOCKET_TIMEOUT out."),
        )
    if budget > LONG:
        yield Finding(
            "warning",
            "time-budget",
            _("TIME_BUDGET is %(budget)g s: so long callers wait for a server that hangs.")
            % {"budget": budget},
            _("Set TIME_BUDGET to 1 s or less."),
        )
    if latency is None:
        return
    values = {"latency": f"{latency * 1000:.2f}", "budget": f"{budget:g}"}
    text = _("A round trip takes %(latency)s ms (median of PINGs); TIME_BUDGET is %(budget)s s.")
    slow = latency > SLOW * budget
    advice = _("Raise TIME_BUDGET, or bring the server nearer.") if slow else ""
    yield Finding("warning" if slow else "good", "latency", text % values, advice)


def clocks(signs: Signs) -> Iterator[Finding]:
    """Judge the difference between the clocks."""
    apart = abs(signs.offset)
    if apart <= CLOCK:
        text = _("The clocks of the server and this host agree (%(seconds).2f s apart).")
        yield Finding("good", "clock", text % {"seconds": apart})
        return
    text = (
        _("The server's clock is %(seconds).2f s ahead of this host's.")
        if signs.offset > 0
        else _("The server's clock is %(seconds).2f s behind this host's.")
    )
    advice = _("Run NTP on both: times on these pages are the server's.")
    yield Finding("advice", "clock", text % {"seconds": apart}, advice)


def version(signs: Signs) -> Iterator[Finding]:
    """Judge the server's version."""
    if not signs.version:
        return
    shown = f"{signs.product} {'.'.join(map(str, signs.version))}"
    oldest = OLDEST[signs.product]
    if signs.version < oldest:
        advice = _("Upgrade to %(oldest)s or later.") % {"oldest": ".".join(map(str, oldest))}
        text = _("%(server)s is older than what tiercache is tested with.") % {"server": shown}
        yield Finding("error", "version", text, advice)
    elif signs.version < NO_TOUCH_SINCE:
        text = _("%(server)s cannot be read without marking keys as used.") % {"server": shown}
        advice = _("Redis 7.2 or Valkey let operators see values and tags.")
        yield Finding("advice", "version", text, advice)
    else:
        yield Finding("good", "version", shown)


def role(signs: Signs) -> Iterator[Finding]:
    """Judge whether the server takes writes."""
    if signs.said.get("role") == "slave":
        yield Finding(
            "error",
            "replica",
            _("The server is a replica: it refuses writes, and memory is not trusted."),
            _("Name the primary in LOCATION, or the Sentinels."),
        )


def persistence(signs: Signs) -> Iterator[Finding]:
    """Judge what saving may do to requests."""
    failed = signs.said.get("rdb_last_bgsave_status", "ok") != "ok"
    if failed and signs.config.get("stop-writes-on-bgsave-error", "yes") == "yes":
        yield Finding(
            "error",
            "persistence",
            _("The server's last save failed, so it refuses writes."),
            _("Mend the disk; for a cache: CONFIG SET stop-writes-on-bgsave-error no."),
        )
    if signs.config.get("appendonly") == "yes" and signs.config.get("appendfsync") == "always":
        yield Finding(
            "warning",
            "appendfsync",
            _("The server waits for the disk after each write (appendfsync always)."),
            _("Set appendfsync to everysec, or appendonly to no for a cache."),
        )


def connections(signs: Signs) -> Iterator[Finding]:
    """Judge what the server does with idle connections, and with nodes that hear slowly."""
    timeout = signs.number("timeout")
    if 0 < timeout < SHORTEST_TIMEOUT:
        yield Finding(
            "warning",
            "timeout",
            _("The server closes connections after %(seconds)d s without a word.")
            % {"seconds": timeout},
            _("Set timeout to 0, or to 60 or more."),
        )
    if signs.config.get("tcp-keepalive") == "0":
        yield Finding(
            "advice",
            "tcp-keepalive",
            _("The server does not notice clients that are gone (tcp-keepalive is 0)."),
            _("Set tcp-keepalive to 300."),
        )
    limits = signs.config.get("client-output-buffer-limit", "")
    found = re.search(r"pubsub (\d+) (\d+)", limits)
    most = min((int(text) for text in found.groups() if text != "0"), default=0) if found else 0
    if 0 < most < LEAST_BUFFER:
        yield Finding(
            "warning",
            "output-buffer",
            _("The server throws out listeners that are %(bytes)d bytes behind.") % {"bytes": most},
            _("Set client-output-buffer-limit pubsub to 32mb 8mb 60, its default."),
        )


def protection(signs: Signs) -> Iterator[Finding]:
    """Judge who can write to the server."""
    open_to_all = signs.config.get("protected-mode") == "no" and not signs.password
    bound = signs.config.get("bind", "").split()
    local = bool(bound) and all(one.lstrip("-") in ("127.0.0.1", "::1") for one in bound)
    if open_to_all and not local:
        runs = _(" Values are unpickled: they can run code here.") if signs.pickles else ""
        yield Finding(
            "warning",
            "protection",
            _("Whoever reaches the server's port can write to it (protected-mode no).") + runs,
            _("Set a password (ACL SETUSER), or bind it to a private address."),
        )


def rights(signs: Signs) -> Iterator[Finding]:
    """Judge what this user may not do."""
    needed = [name for name, use in signs.denied.items() if use == NEEDED]
    looking = [name for name, use in signs.denied.items() if use == LOOKING]
    if needed:
        text = _("This Redis user may not use what the cache needs: %(commands)s.")
        yield Finding("error", "rights", text % {"commands": ", ".join(needed)}, _allow(needed))
    if looking:
        text = _("This Redis user may not use what operators look with: %(commands)s.")
        yield Finding("advice", "rights", text % {"commands": ", ".join(looking)}, _allow(looking))
    if not signs.denied:
        yield Finding("good", "rights", _("This Redis user may use every command that is needed."))


def _allow(names: list[str]) -> str:
    rules = " ".join(f"+{name.lower().replace(' ', '|')}" for name in names)
    return _("Allow it: ACL SETUSER with %(rules)s") % {"rules": rules}


ALL: Final = (
    version,
    role,
    rights,
    eviction_policy,
    persistence,
    connections,
    protection,
    time_budget,
    clocks,
)
"""Every judgement, in the order in which operators read them."""
