"""Which caches share a store, and the nodes of this process."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.cache.backends.base import get_key_func
from django.core.signals import setting_changed
from django.db import connections
from django.utils.module_loading import import_string

from . import background, keeper, runner, signals
from .codec import IDENTITY, PICKLE, make_codec, pickle_codec
from .entry import MISSING
from .exceptions import CannotEnumerate
from .flows import Flows
from .keys import namespace
from .node import Node
from .options import MEMORY_SCHEME, Options, Problem, is_memory_only, own, parse
from .stats import Calls

MOST_BINDINGS = 1024
"""Settings objects that are remembered; past it all are forgotten and met anew."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What every face of one alias shares.

    Attributes:
        alias: its name in `CACHES`, None if the settings do not have it.
        node: its store's state in this process.
        options: tiercache's own options.
        flows: its operations.
        calls: its counters.
        client: django-redis's client, whose faces copy it; None for memory alone.
        reverse_key: makes the key that a caller knows out of a full key.
        made: what the first face of each class has in its `__dict__`, for others to begin with.
    """

    alias: str | None
    node: Node
    options: Options
    flows: Flows
    calls: Calls
    client: Any
    reverse_key: Callable[[str], str]
    made: dict[type, dict[str, Any]] = field(default_factory=dict)


class _Backend:
    """As much of a cache as django-redis's client asks of its own when it is made."""

    key_prefix = ""
    version = 1
    default_timeout = None


OF_ALIAS = frozenset(
    {
        "TIME_BUDGET",
        "FALLBACK",
        "IGNORE_EXCEPTIONS",
        "GRACE",
        "JITTER",
        "LEASE",
        "LOAD_RETRY",
        "ON_COMMIT",
    }
)
"""Options that are the alias's own, and may differ among those that share a store."""

_lock = threading.Lock()
_nodes: dict[tuple[object, ...], tuple[Node, Mapping[str, Any], Any]] = {}
_bindings: dict[tuple[object, ...], tuple[object, Binding]] = {}


def bind(location: Any, params: Mapping[str, Any]) -> Binding:
    """Return what the faces of these settings share; make it on first use.

    Args:
        location: the `LOCATION`.
        params: the rest of the alias's settings, as Django passes them.

    Raises:
        ImproperlyConfigured: an option cannot be, or contradicts another alias on the same store.
    """
    # Django passes the same objects each time; the memo keeps them, so their ids stay their own.
    place = location if isinstance(location, str) else id(location)
    key = (place, *params, *map(id, params.values()))
    known = _bindings.get(key)
    if known is not None:
        return known[1]
    # Before the lock: a key function is the site's, and may use another cache.
    own_namespace = _namespace(params)
    with _lock:
        binding = _make(location, params, own_namespace)
        if len(_bindings) >= MOST_BINDINGS:
            _bindings.clear()
        _bindings[key] = ((location, dict(params)), binding)
    return binding


def alias_of(location: Any, params: Mapping[str, Any]) -> str | None:
    """Return the name that the settings give to a cache, None if they do not have it."""
    for alias, conf in settings.CACHES.items():
        rest = {name: conf[name] for name in conf if name not in ("BACKEND", "LOCATION")}
        if conf.get("LOCATION", "") == location and rest == params:
            return str(alias)
    return None


def identity(location: Any, params: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what two caches have in common if they share a store: server, database, format."""
    options = params.get("OPTIONS") or {}
    if is_memory_only(location):
        name = (location or "").removeprefix(MEMORY_SCHEME)
        return ("memory", name, options.get("SERIALIZER"), options.get("COMPRESSOR"))
    return (
        "redis",
        _endpoint(_servers(location)[0], options),
        repr(options.get("SENTINELS")),
        options.get("CLIENT_CLASS"),
        options.get("SERIALIZER", PICKLE),
        options.get("COMPRESSOR", IDENTITY),
        options.get("PICKLE_VERSION"),
    )


def scope_of(location: Any, params: Mapping[str, Any]) -> str:
    """Return what tells this site's nodes on a store from others' in the same database.

    The same in every process with the same `CACHES`: made of the aliases that share the store, and
    their prefixes.
    """
    own = identity(location, params)
    sharing = sorted(
        (str(alias), str(conf.get("KEY_PREFIX", "")))
        for alias, conf in settings.CACHES.items()
        if _has_identity(conf, own)
    )
    named = sharing or [("", str(params.get("KEY_PREFIX", "")))]
    return hashlib.sha256(repr((own[3:], named)).encode()).hexdigest()[:16]


def _has_identity(conf: Mapping[str, Any], own: tuple[object, ...]) -> bool:
    try:
        return identity(conf.get("LOCATION", ""), conf) == own
    except (Problem, TypeError):
        # Another backend's settings, whose LOCATION is no server's.
        return False


def forget() -> None:
    """Drop every node of this process, as when the settings change under test."""
    with _lock:
        nodes = [node for node, _, _ in _nodes.values()]
        _nodes.clear()
        _bindings.clear()
    for node in nodes:
        node.close()


def _namespace(params: Mapping[str, Any]) -> str | None:
    try:
        return namespace(get_key_func(params.get("KEY_FUNCTION")), params.get("KEY_PREFIX") or "")
    except CannotEnumerate:
        return None


def _make(location: Any, params: Mapping[str, Any], own_namespace: str | None) -> Binding:
    alias = alias_of(location, params)
    raw = params.get("OPTIONS") or {}
    options = parse(raw, alias=alias)
    _refuse_unknown_database(options.on_commit, alias)
    key = identity(location, params)
    if key not in _nodes:
        client = None if is_memory_only(location) else _make_client(location, params, options)
        scope = scope_of(location, params)
        _nodes[key] = (_make_node(location, raw, options, client, scope), params, client)
    node, first, client = _nodes[key]
    if names := disagreement(first, params):
        raise Problem(
            names[0],
            f"cache {alias!r} shares its store ({node.name}) with cache "
            f"{alias_of(location, first)!r} and differs from it in OPTIONS "
            f"({', '.join(names)}); aliases of one store may differ only in KEY_PREFIX, VERSION, "
            f"TIMEOUT, KEY_FUNCTION and those OPTIONS that are each cache's own "
            f"({', '.join(sorted(OF_ALIAS - {'IGNORE_EXCEPTIONS'}))})",
        )
    node.listen_for(own_namespace)
    return Binding(
        alias=alias,
        node=node,
        options=options,
        flows=node.flows(alias, options),
        calls=node.calls(alias),
        client=client,
        reverse_key=_reverse_key_function(params.get("REVERSE_KEY_FUNCTION")),
    )


def _refuse_unknown_database(database: str | None, alias: str | None) -> None:
    if database is not None and database not in connections.settings:
        raise Problem(
            "ON_COMMIT",
            f"OPTIONS['ON_COMMIT'] of cache {alias!r} is {database!r}, and there is no such "
            f"database; allowed: True, False, {', '.join(map(repr, connections.settings))}",
        )


def _make_node(
    location: Any, raw: Mapping[str, Any], options: Options, client: Any, scope: str
) -> Node:
    if client is None:
        named = {"SERIALIZER", "COMPRESSOR", "PICKLE_VERSION"} & set(raw)
        codec = make_codec(raw) if named else pickle_codec()
        return Node(location or MEMORY_SCHEME, options, codec, None, scope=scope)
    return Node(
        without_secrets(_servers(location)[0]),
        options,
        make_codec(raw),
        lambda: client.get_client(write=True).connection_pool,
        scope=scope,
    )


def _make_client(location: Any, params: Mapping[str, Any], options: Options) -> Any:
    """Make django-redis's client, with a pool of its own and time-outs that fit the budget."""
    raw = {
        name: value
        for name, value in (params.get("OPTIONS") or {}).items()
        if name not in own(params["OPTIONS"])
    }
    raw.setdefault("SOCKET_TIMEOUT", options.time_budget)
    raw.setdefault("SOCKET_CONNECT_TIMEOUT", options.time_budget)
    client_class = import_string(raw.get("CLIENT_CLASS", "django_redis.client.DefaultClient"))
    refuse_unfit_client(client_class)
    client = client_class(_servers(location), {**params, "OPTIONS": raw}, _Backend())
    # django-redis keeps pools by URL alone, for all caches of the process: a second cache would
    # get the first one's time-outs.
    client.connection_factory._pools = {}
    return client


def refuse_unfit_client(client_class: type) -> None:
    """Refuse a client whose form of storing differs; by class, since one may derive from it.

    Raises:
        Problem: it is, or derives from, django-redis's `HerdClient` or `ShardClient`.
    """
    from django_redis.client import HerdClient, ShardClient

    if issubclass(client_class, HerdClient | ShardClient):
        raise Problem(
            "CLIENT_CLASS",
            f"OPTIONS['CLIENT_CLASS'] is {client_class.__qualname__}, which derives from a client "
            f"that tiercache cannot sit on; allowed: classes derived from "
            f"django_redis.client.DefaultClient or SentinelClient",
        )


def client_for(binding: Binding, face: Any) -> Any:
    """Return django-redis's client for one face: the shared connections, its own keys."""
    client = copy.copy(binding.client)
    client._backend = face
    return client


def _reverse_key_function(function: Any) -> Callable[[str], str]:
    if function is None:
        return _reverse_key
    chosen: Callable[[str], str] = function if callable(function) else import_string(function)
    return chosen


def _reverse_key(full: str) -> str:
    """Return the key in a full key that Django's own key function made, else all of it."""
    return full.split(":", 2)[-1]


def _servers(location: Any) -> list[str]:
    servers = location.split(",") if isinstance(location, str) else list(location)
    return [server.strip() for server in servers]


def _endpoint(url: str, options: Mapping[str, Any]) -> tuple[object, ...]:
    from redis.connection import parse_url

    if options.get("CONNECTION_FACTORY") not in (
        None,
        "django_redis.pool.ConnectionFactory",
        "django_redis.pool.SentinelConnectionFactory",
    ):
        return (url,)
    try:
        parsed = parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:
        # redis-py's text may quote a part of the password.
        raise Problem(
            "LOCATION",
            f"LOCATION {without_secrets(url)!r} is no URL of a server; allowed: "
            f"redis://[user:password@]host[:port][/database], rediss://…, unix://[…@]/path[?db=…]",
        ) from None
    pool = options.get("CONNECTION_POOL_KWARGS", {})
    return (
        parsed.get("path") or (parsed.get("host", "localhost"), parsed.get("port", 6379)),
        int(parsed.get("db", pool.get("db", 0))),
        parsed.get("connection_class"),
        parsed.get("username", options.get("USERNAME")),
        parsed.get("password", options.get("PASSWORD")),
    )


def without_secrets(url: str) -> str:
    """Return the URL without user, password and query."""
    scheme, separator, _ = url.partition("://")
    place = url.removeprefix(scheme + separator) if separator else url
    place = place.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{separator}{place}" if separator else place


def disagreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the `OPTIONS` in which two aliases of one store differ, and must not."""
    ours, theirs = one.get("OPTIONS") or {}, other.get("OPTIONS") or {}
    # What is tiercache's is compared as it is understood: "64MiB" is the default, said aloud.
    one_parsed, other_parsed = parse(ours), parse(theirs)
    own_names = {name for name in own(ours) | own(theirs) if name not in OF_ALIAS}
    return sorted(
        {
            name
            for name in own_names
            if getattr(one_parsed, name.lower()) != getattr(other_parsed, name.lower())
        }
        | {
            name
            for name in {*ours, *theirs} - OF_ALIAS - own_names
            if ours.get(name, MISSING) != theirs.get(name, MISSING)
        }
    )


def _settings_changed(*, setting: str, **_: object) -> None:
    if setting == "CACHES":
        forget()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _lock = threading.Lock()
    keeper.reset_after_fork()
    background.reset_after_fork()
    runner.reset_after_fork()
    signals.reset_after_fork()
    for node, _, _ in _nodes.values():
        node.reset_after_fork()


setting_changed.connect(_settings_changed, dispatch_uid="tiercache.stores")
os.register_at_fork(after_in_child=_after_fork)
