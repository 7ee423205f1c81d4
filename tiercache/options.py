"""`CACHES` settings parsed once, loudly.

What is tiercache's own is checked here and kept from django-redis; everything else is
django-redis's and means what it means there.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import DEFAULT_DB_ALIAS

from .policies import POLICIES

FALLBACKS: Final = ("memory", "raise")
BACKPLANES: Final = ("pubsub", "tracking", "none")
MEMORY_SCHEME: Final = "memory://"

_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}

DJANGO_REDIS_OPTIONS: Final = frozenset(
    {
        "CLIENT_CLASS",
        "CLOSE_CONNECTION",
        "COMPRESSOR",
        "CONNECTION_FACTORY",
        "CONNECTION_POOL_CLASS",
        "CONNECTION_POOL_KWARGS",
        "IGNORE_EXCEPTIONS",
        "PARSER_CLASS",
        "PASSWORD",
        "PICKLE_VERSION",
        "REDIS_CLIENT_CLASS",
        "REDIS_CLIENT_KWARGS",
        "REPLICA_READ_ONLY",
        "SENTINELS",
        "SENTINEL_KWARGS",
        "SERIALIZER",
        "SOCKET_CONNECT_TIMEOUT",
        "SOCKET_TIMEOUT",
        "USERNAME",
    }
)
"""Options that django-redis 7 reads."""

# Options naming a class: one that is not django-redis's or redis-py's may read names of its own.
_CLASS_OPTIONS: Final = (
    "CLIENT_CLASS",
    "COMPRESSOR",
    "CONNECTION_FACTORY",
    "CONNECTION_POOL_CLASS",
    "SERIALIZER",
)
_REFUSED_CLIENTS: Final = {
    "django_redis.client.HerdClient": "its stored form differs",
    "django_redis.client.herd.HerdClient": "its stored form differs",
    "django_redis.client.ShardClient": "its keys are spread over several servers",
    "django_redis.client.sharded.ShardClient": "its keys are spread over several servers",
}


@dataclass(frozen=True, slots=True)
class Options:
    """tiercache's own options; each field is the option of the same name in lower case.

    Attributes:
        max_entries: bound of the memory tier, in entries.
        max_bytes: bound of the memory tier, in accounted bytes.
        max_entry_bytes: a larger entry goes to Redis alone, in accounted bytes.
        policy: who leaves the memory tier when it is full, a name from `POLICIES`.
        memory_timeout: longest life of a copy in memory, in seconds; infinity for no cap.
        time_budget: what one call may spend on Redis in all, in seconds.
        raises: whether a call raises `RedisAway` instead of answering from memory alone.
        backplane: how nodes hear of changes, a name from `BACKPLANES`.
        grace: seconds after its timeout for which a loaded entry may be served stale, where the
            call does not say.
        jitter: the share of a timeout by which it may be shortened, at random.
        lease: seconds after which the lease of a load ends by itself.
        load_retry: seconds after a failed load before the next, while there is a stale value.
        report: seconds between two reports of a node; infinity: it does not report.
        on_commit: the alias of the database whose transactions changes wait for; None: of none.
    """

    max_entries: int = 10_000
    max_bytes: int = 64 * 2**20
    max_entry_bytes: int = 8 * 2**20
    policy: str = "s3fifo"
    memory_timeout: float = math.inf
    time_budget: float = 1.0
    raises: bool = False
    backplane: str = "pubsub"
    grace: float = 0.0
    jitter: float = 0.0
    lease: float = 10.0
    load_retry: float = 10.0
    report: float = 5.0
    on_commit: str | None = None

    def shown(self) -> dict[str, str]:
        """Return each by the option's name, as text."""
        return {field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}


class Problem(ImproperlyConfigured):
    """An option that cannot be.

    Attributes:
        option: its name.
    """

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def is_memory_only(location: object) -> bool:
    """Tell whether a `LOCATION` is the memory tier alone.

    Raises:
        Problem: it is neither text nor a list of texts.
    """
    if location is None or location == "":
        return True
    servers = [location] if isinstance(location, str) else location
    if (
        not isinstance(servers, list | tuple)
        or not servers
        or not all(isinstance(server, str) and server.strip() for server in servers)
    ):
        # Not quoted as a whole: it may have a password in it.
        raise Problem(
            "LOCATION",
            f"LOCATION is {_described(location)}; allowed: a URL such as "
            f"redis://127.0.0.1:6379/0, a list of them (the first is the primary), "
            f'"" or {MEMORY_SCHEME}name for memory alone',
        )
    return isinstance(location, str) and location.startswith(MEMORY_SCHEME)


def parse(options: Mapping[str, Any], *, alias: str | None = None) -> Options:
    """Check a cache's `OPTIONS` and return tiercache's own.

    Args:
        options: the `OPTIONS` of one alias.
        alias: its name, for messages.

    Raises:
        Problem: the first option that is unknown or has an impossible value; the message names
            it, the alias where known, what was given and what is allowed.
    """
    for problem in problems(options, alias=alias):
        raise problem
    parsed = {name.lower(): _READERS[name](options[name]) for name in _OWN if name in options}
    for name in ("memory_timeout", "report"):
        if parsed.get(name, 0) is None:
            parsed[name] = math.inf
    if "max_bytes" in parsed and "max_entry_bytes" not in parsed:
        parsed["max_entry_bytes"] = max(parsed["max_bytes"] // 8, 1)
    fallback = parsed.pop("fallback", None)
    if fallback is None and options.get("IGNORE_EXCEPTIONS") is False:
        fallback = "raise"
    return Options(**parsed, raises=fallback == "raise")


def problems(options: Mapping[str, Any], *, alias: str | None = None) -> Iterable[Problem]:
    """Yield everything that is wrong with `OPTIONS`."""
    where = f" of cache {alias!r}" if alias else ""
    for name, value in options.items():
        if name in _READERS:
            try:
                _READERS[name](value)
            except _Impossible as exc:
                yield Problem(name, f"OPTIONS[{name!r}]{where} is {value!r}; allowed: {exc}")
        elif name not in DJANGO_REDIS_OPTIONS and not _has_foreign_class(options):
            yield Problem(name, f"unknown option {name!r} in OPTIONS{where}; {_hint(name)}")
    client = options.get("CLIENT_CLASS")
    if isinstance(client, str) and client in _REFUSED_CLIENTS:
        yield Problem(
            "CLIENT_CLASS",
            f"OPTIONS['CLIENT_CLASS']{where} is {client!r}, which tiercache cannot sit on "
            f"({_REFUSED_CLIENTS[client]}); allowed: django_redis.client.DefaultClient, "
            f"django_redis.client.SentinelClient and classes derived from them",
        )
    fallback, ignores = options.get("FALLBACK"), options.get("IGNORE_EXCEPTIONS")
    if (fallback, ignores) in (("raise", True), ("memory", False)):
        yield Problem(
            "FALLBACK",
            f"OPTIONS{where} says both 'FALLBACK': {fallback!r} and 'IGNORE_EXCEPTIONS': "
            f"{ignores}, which contradict each other; leave IGNORE_EXCEPTIONS out",
        )


def own(options: Mapping[str, Any]) -> frozenset[str]:
    """Return the names in `OPTIONS` that are tiercache's."""
    return frozenset(options) & frozenset(_OWN)


class _Impossible(Exception):
    """The text says what is allowed."""


def _no(allowed: str) -> NoReturn:
    raise _Impossible(allowed)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _no("a whole number of entries, 1 or more")
    return value


def _size(value: object) -> int:
    allowed = (
        'a number of bytes, 1 or more, or a text such as "64MiB" (B, kB, MB, GB, KiB, MiB, GiB)'
    )
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**63:
        return value
    match = re.fullmatch(
        r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value if isinstance(value, str) else ""
    )
    if not match or match[2].lower() not in _UNITS:
        _no(allowed)
    try:
        size = int(decimal.Decimal(match[1]) * _UNITS[match[2].lower()])
    except (decimal.DecimalException, OverflowError):
        _no(allowed)
    return size if 1 <= size < 2**63 else _no(allowed)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        _no("a number of seconds above 0")
    return float(value)


def _seconds_or_none(none_means: str) -> Callable[[object], float | None]:
    def read(value: object) -> float | None:
        if value is None:
            return None
        try:
            return _seconds(value)
        except _Impossible as exc:
            _no(f"{exc}, or None for {none_means}")

    return read


def _seconds_or_zero(value: object) -> float:
    if isinstance(value, bool) or value != 0:
        try:
            return _seconds(value)
        except _Impossible:
            _no("a number of seconds, 0 or more")
    return 0.0


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        _no("a number from 0 to below 1")
    return float(value)


def _described(location: object) -> str:
    kind = type(location).__name__
    return f"a {kind}" if isinstance(location, str) or location else f"an empty {kind}"


def _one_of(names: Iterable[str]) -> Callable[[object], str]:
    valid = tuple(names)

    def read(value: object) -> str:
        return value if isinstance(value, str) and value in valid else _no(_listed(valid))

    return read


def _redis_seconds(value: object) -> float | None:
    return None if value is None else _seconds(value)


def _any_bool(value: object) -> bool:
    return value if isinstance(value, bool) else _no("True or False")


def _database(value: object) -> str | None:
    if isinstance(value, bool):
        return DEFAULT_DB_ALIAS if value else None
    return value if isinstance(value, str) and value else _no("True, False or a database's alias")


_OWN: Final[dict[str, Callable[[Any], Any]]] = {
    "MAX_ENTRIES": _count,
    "MAX_BYTES": _size,
    "MAX_ENTRY_BYTES": _size,
    "POLICY": _one_of(POLICIES),
    "MEMORY_TIMEOUT": _seconds_or_none("no cap"),
    "TIME_BUDGET": _seconds,
    "FALLBACK": _one_of(FALLBACKS),
    "BACKPLANE": _one_of(BACKPLANES),
    "GRACE": _seconds_or_zero,
    "JITTER": _share,
    "LEASE": _seconds,
    "LOAD_RETRY": _seconds,
    "REPORT": _seconds_or_none("no reports"),
    "ON_COMMIT": _database,
}
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    **_OWN,
    "SOCKET_TIMEOUT": _redis_seconds,
    "SOCKET_CONNECT_TIMEOUT": _redis_seconds,
    "IGNORE_EXCEPTIONS": _any_bool,
}


def _hint(name: str) -> str:
    if name == "CULL_FREQUENCY":
        return "tiercache does not cull: entries leave one at a time, as POLICY says"
    theirs = _listed(sorted(DJANGO_REDIS_OPTIONS))
    return f"known: {_listed(sorted(_OWN))}; and django-redis's {theirs}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _has_foreign_class(options: Mapping[str, Any]) -> bool:
    return any(
        not str(options[name]).startswith(("django_redis.", "redis."))
        for name in _CLASS_OPTIONS
        if name in options
    )
