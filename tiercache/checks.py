"""System checks: what is wrong, or unwise, in `CACHES`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core import checks

from .aliases import ours
from .options import Problem, is_memory_only, problems
from .stores import OF_ALIAS, identity

_SERIALIZERS_THAT_RUN_NOTHING = (
    "django_redis.serializers.json.JSONSerializer",
    "django_redis.serializers.msgpack.MSGPackSerializer",
)


def check_caches(**_: Any) -> list[checks.CheckMessage]:
    """Check every alias whose backend is a `TieredCache`."""
    tiered = ours()
    messages: list[checks.CheckMessage] = []
    for alias, conf in tiered.items():
        wrong = list(_errors(alias, conf))
        messages += wrong or _warnings(alias, conf)
    if not any(isinstance(message, checks.Error) for message in messages):
        messages += _shared_stores(tiered)
    return messages


def _errors(alias: str, conf: Mapping[str, Any]) -> Iterator[checks.CheckMessage]:
    options = conf.get("OPTIONS") or {}
    found = list(problems(options, alias=alias))
    try:
        is_memory_only(conf.get("LOCATION", ""))
        if not found:
            identity(conf.get("LOCATION", ""), conf)
    except Problem as exc:
        found.append(exc)
    for problem in found:
        unknown = str(problem).startswith("unknown option")
        yield checks.Error(
            str(problem), obj=alias, id="tiercache.E001" if unknown else "tiercache.E002"
        )


def _warnings(alias: str, conf: Mapping[str, Any]) -> Iterator[checks.CheckMessage]:
    options = conf.get("OPTIONS") or {}
    if is_memory_only(conf.get("LOCATION", "")):
        if options.get("FALLBACK") == "raise":
            yield checks.Info(
                f"FALLBACK of cache {alias!r} has no effect: it has no Redis tier.",
                hint="Leave it out, or give the cache a LOCATION.",
                obj=alias,
                id="tiercache.I001",
            )
        return
    if conf.get("TIMEOUT", 300) is None and options.get("MEMORY_TIMEOUT") is None:
        yield checks.Warning(
            f"Entries of cache {alias!r} never expire, neither in Redis nor in memory.",
            hint="Set TIMEOUT, or OPTIONS['MEMORY_TIMEOUT'] to bound the life of copies in memory.",
            obj=alias,
            id="tiercache.W001",
        )
    if options.get("BACKPLANE") == "none" and options.get("MEMORY_TIMEOUT") is None:
        yield checks.Warning(
            f"Cache {alias!r} hears of no other process's changes (BACKPLANE is 'none') and keeps "
            f"its copies for as long as the entries live.",
            hint="Set OPTIONS['MEMORY_TIMEOUT'] to the staleness that this site can bear.",
            obj=alias,
            id="tiercache.W003",
        )
    if not conf.get("KEY_PREFIX"):
        yield checks.Warning(
            f"Cache {alias!r} has no KEY_PREFIX: clear() removes the keys of every other Django "
            f"cache without one in the same database.",
            hint="Set KEY_PREFIX to something of this site's own.",
            obj=alias,
            id="tiercache.W002",
        )
    if options.get("SERIALIZER") not in _SERIALIZERS_THAT_RUN_NOTHING:
        yield checks.Info(
            f"Cache {alias!r} unpickles what it finds in Redis: whoever can write there can run "
            f"code here.",
            hint="Keep Redis to this site alone, or set OPTIONS['SERIALIZER'] to "
            "'django_redis.serializers.json.JSONSerializer'.",
            obj=alias,
            id="tiercache.I002",
        )
    location = conf.get("LOCATION", "")
    if len(location if isinstance(location, list | tuple) else location.split(",")) > 1:
        yield checks.Info(
            f"Cache {alias!r} names replicas, which are not read: a replica may still have the "
            f"value that a change has just replaced.",
            hint="Name the primary alone.",
            obj=alias,
            id="tiercache.I003",
        )


def _shared_stores(tiered: Mapping[str, Mapping[str, Any]]) -> Iterator[checks.CheckMessage]:
    """Find aliases that share a store and could not be made together."""
    from .stores import disagreement

    first: dict[tuple[object, ...], str] = {}
    for alias, conf in tiered.items():
        key = identity(conf.get("LOCATION", ""), conf)
        other = first.setdefault(key, alias)
        names = disagreement(tiered[other], conf)
        if names:
            yield checks.Error(
                f"Caches {other!r} and {alias!r} share a store and differ in OPTIONS: "
                f"{', '.join(map(repr, names))}.",
                hint="Make them agree; aliases of one store may differ only in KEY_PREFIX, "
                "VERSION, TIMEOUT, KEY_FUNCTION and OPTIONS "
                f"{', '.join(map(repr, sorted(OF_ALIAS - {'IGNORE_EXCEPTIONS'})))}.",
                obj=alias,
                id="tiercache.E003",
            )
