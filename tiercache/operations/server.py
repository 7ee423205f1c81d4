"""The Redis or Valkey server, as it tells of itself: one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiercache.reports.cluster import Server
from tiercache.steps import Flow

from .looking import Look, number

if TYPE_CHECKING:
    pass

# One command for each: servers before Redis 7 take one section at a time.
SECTIONS: Final = ("server", "memory", "stats", "clients", "replication")
COMMANDS: Final = (*(("INFO", section) for section in SECTIONS), ("DBSIZE",))


def told() -> Flow[Server]:
    """Ask the server; what this user may not ask is in `Server.missing`."""
    looks = Look()
    replies = yield from looks.ask(*COMMANDS)
    return server_of(replies, looks.missing)


def server_of(replies: list[Any], missing: tuple[str, ...]) -> Server:
    """Return what replies to `COMMANDS` say."""
    *sections, keys = replies
    said = facts(*sections)
    valkey = "valkey_version" in said
    return Server(
        product="Valkey" if valkey else "Redis" if "redis_version" in said else "",
        version=said.get("valkey_version" if valkey else "redis_version", ""),
        role=said.get("role", ""),
        used=_whole(said, "used_memory"),
        limit=_whole(said, "maxmemory"),
        policy=said.get("maxmemory_policy", ""),
        evicted=_whole(said, "evicted_keys"),
        expired=_whole(said, "expired_keys"),
        keys=number(keys) or 0,
        clients=_whole(said, "connected_clients"),
        uptime=_whole(said, "uptime_in_seconds"),
        missing=missing,
    )


def facts(*sections: Any) -> dict[str, str]:
    """Return what sections of INFO say, by name; those that were refused say nothing."""
    lines = [
        line
        for section in sections
        if isinstance(section, bytes | str)
        for line in (
            section if isinstance(section, str) else section.decode(errors="replace")
        ).splitlines()
    ]
    pairs = (line.partition(":") for line in lines if not line.startswith("#"))
    return {name: value for name, colon, value in pairs if colon}


def _whole(said: dict[str, str], name: str) -> int:
    value = said.get(name, "")
    return int(value) if value.isdigit() else 0
