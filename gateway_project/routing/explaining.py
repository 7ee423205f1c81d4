"""Why a request has the route that it has, and what the gateway makes of it: for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from gateway_project.routing.patterns import split
from gateway_project.routing.query import Pairs, RefusedQuery
from gateway_project.routing.table import Found, Matched, NoRoute, Route, Table, WrongMethod
from tiercache.http.targets import BadTarget, Target, encoded, parse

_RULES: Final = ("lifetime", "stale_while_revalidate", "stale_if_error", "keep", "obey_callers")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter and what happens to it: "counted", "dropped", "unknown", "too long"."""

    name: str
    value: str
    fate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the gateway makes of a request that has a route.

    Attributes:
        asks: the addresses that may be asked, in the order of the pool.
        refused: why the query is refused (400), if it is.
        key: what an answer's key is made of, by name; headers stand with their names alone.
    """

    route: str
    captures: Mapping[str, str]
    pool: str
    asks: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    refused: str | None
    key: Mapping[str, Any]
    tags: tuple[str, ...]
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What happens to a request.

    Attributes:
        path: normalised.
        tried: each route's name and why it is not the one; None at the one that is, the last.
        answered: None if no route is.
        advice: what may have been meant instead, if no route is.
    """

    method: str
    path: str
    tried: tuple[tuple[str, str | None], ...]
    answered: Answered | None
    advice: str | None


def explain(table: Table, url: str, method: str) -> Explanation:
    """Return what happens to a request.

    Args:
        url: a path with or without a query, or a whole address, whose host does not matter.

    Raises:
        BadTarget: If no request can have it.
    """
    target = _target(url)
    found = table.match(target.path, method)
    matched = found if isinstance(found, Matched) else None
    return Explanation(
        method=method,
        path=target.path,
        tried=tuple(_tried(table, matched, target.path, method)),
        answered=_answered(table, matched, target.query) if matched else None,
        advice=_advice(found),
    )


def summary(route: Route) -> dict[str, Any]:
    """Return what is worth knowing of a route, in values that JSON has."""
    return {
        "name": route.name,
        "methods": sorted(route.methods),
        "path": route.path,
        "pool": route.pool,
        "target": route.target_template.source,
        "rules": rules(route),
        "query": None if route.query.names is None else list(route.query.names),
        "tags": [template.source for template in route.tag_templates],
        "requires_key": route.requires_key,
        "tenant": route.tenant,
        "rate": rate(route),
    }


def rules(route: Route) -> dict[str, Any]:
    """Return the rules of a route, in values that JSON has."""
    plain = {name: getattr(route.rules, name) for name in _RULES}
    return {
        **plain,
        "statuses": sorted(route.rules.statuses),
        "store_anyway": sorted(route.rules.store_anyway),
    }


def rate(route: Route) -> str | None:
    """Return the rate of a route as a text."""
    return f"{route.rate.requests}/{route.rate.window:.12g}s" if route.rate else None


def _target(url: str) -> Target:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadTarget(
            f"A URL has printable ASCII characters and no spaces, others as %XX; not {url!r}."
        )
    if "#" in url:
        raise BadTarget(f"What is behind '#' never reaches a server; leave it out of {url!r}.")
    if not url.startswith("/"):
        url = _origin_form(url)
    path, _, query = url.partition("?")
    return parse(path.encode("ascii"), query.encode("ascii"))


def _origin_form(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise BadTarget(f"{url!r} is no URL: {exc}.") from exc
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadTarget(
            f"A URL begins with '/', 'http://' or 'https://', as /api/v1/symbols does; not {url!r}."
        )
    return f"{parts.path or '/'}?{parts.query}"


def _tried(
    table: Table, matched: Matched | None, path: str, method: str
) -> Iterator[tuple[str, str | None]]:
    for route in table.routes:
        if matched and route is matched.route:
            yield route.name, None
            return
        yield route.name, _reason(route, path, method)


def _advice(found: Found) -> str | None:
    if isinstance(found, WrongMethod):
        return f"Allowed here are {', '.join(found.allowed)}."
    if isinstance(found, NoRoute) and found.nearest:
        return f"The nearest path is {found.nearest}."
    return None


def _reason(route: Route, path: str, method: str) -> str:
    allowed = ", ".join(sorted(route.methods))
    return route.pattern.mismatch(split(path)) or f"its methods are {allowed}, not {method}"


def _answered(table: Table, matched: Matched, pairs: Pairs) -> Answered:
    route, captures = matched.route, matched.captures
    counted, refused = _counted(route, pairs)
    target = route.target(captures) + (f"?{encoded(counted)}" if counted else "")
    servers = table.pools[route.pool].servers
    key: dict[str, Any] = {"path": route.key_path(captures), "query": encoded(counted)}
    if route.vary:
        key["headers"] = route.vary
    if route.tenant:
        key["tenant"] = route.tenant
    return Answered(
        route=route.name,
        captures=captures,
        pool=route.pool,
        asks=tuple(server + target for server in servers),
        parameters=tuple(
            Parameter(name, value, route.query.fate(name, value)) for name, value in pairs
        ),
        refused=refused,
        key=key,
        tags=route.tags(captures),
        rules=rules(route),
    )


def _counted(route: Route, pairs: Pairs) -> tuple[Pairs, str | None]:
    try:
        return route.counted(pairs), None
    except RefusedQuery as exc:
        return (), str(exc)
