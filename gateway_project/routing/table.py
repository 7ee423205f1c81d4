"""The table of routes: which request is asked of which upstream, and by what rules it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway_project.callers.limits import Rate
from gateway_project.routing.parsing import Template
from gateway_project.routing.patterns import Captures, Parts, Pattern, split
from gateway_project.routing.query import Pairs, QueryRules
from tiercache.http.rules import Rules

DEFAULT_METHODS: Final = frozenset({"GET", "HEAD"})
DEFAULT_PASS_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "content-encoding",
        "content-language",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "traceparent",
        "tracestate",
    }
)
"""Request headers that the upstream sees unless a route says otherwise.

No other one reaches it: a header that decides an answer without being in its key would let one
caller decide what all others get. Of these, the Accept ones are in the key where the answer varies
on them, `Authorization` keeps an answer from being stored (RFC 9111, 3.5), conditions and ranges
are evaluated by the gateway for what it stores, and trace context (W3C) decides nothing.
"""
# Looking for the nearest path must cost little: whoever asks for what is not there gets it.
_COMPARED: Final = 200
_NEAREST: Final = 20
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """A pool of upstream servers, as the file has it. Equal ones can share their servers' health.

    Attributes:
        servers: their base addresses; empty where the environment's variable names none.
        options: the pairs of name and value that the file gives; what it does not give has the
            default of the pool.
        variable: the environment's variable that names the servers, if one does.
    """

    name: str
    servers: tuple[str, ...]
    options: tuple[tuple[str, float | str | bool | Path], ...] = ()
    variable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: which requests are its, what is asked for them, and how answers are kept.

    Attributes:
        name: unique in the table; the first part of each key.
        pool: the name of the pool that is asked.
        methods: the methods that it takes.
        query: which query parameters count.
        vary: names of headers that are in the key, whatever a response says.
        pass_headers: names of the request's headers that the upstream sees.
        tag_templates: what an answer is tagged with.
        budget: seconds that a load may take, from the first server asked to the last byte.
        largest_request: bytes of a request's body, at the most.
        largest_stored: bytes of a body that is kept, at the most; a larger one is streamed.
        requires_key: whether a request needs an API key.
        rate: how many requests a caller has.
        tenant: "key" if answers are kept for each API key on its own.
    """

    name: str
    pattern: Pattern
    pool: str
    target_template: Template
    methods: frozenset[str] = DEFAULT_METHODS
    rules: Rules = field(default_factory=Rules)
    query: QueryRules = field(default_factory=QueryRules)
    vary: tuple[str, ...] = ()
    pass_headers: frozenset[str] = DEFAULT_PASS_HEADERS
    tag_templates: tuple[Template, ...] = ()
    budget: float = 10.0
    largest_request: int = 1024 * 1024
    largest_stored: int = 4 * 1024 * 1024
    requires_key: bool = False
    rate: Rate | None = None
    tenant: Literal["key"] | None = None

    @property
    def path(self) -> str:
        """The pattern, as the file has it."""
        return self.pattern.source

    def match(self, path: str) -> dict[str, str] | None:
        """Return what a normalised path captures; None if it is another route's."""
        return self.pattern.match(split(path))

    def target(self, captures: Captures) -> str:
        """Return the path to ask the upstream for."""
        return self.target_template.filled(captures)

    def key_path(self, captures: Captures) -> str:
        """Return what stands for the path in a key: two routes never share an answer."""
        return f"{self.name}:{self.target(captures)}"

    def counted(self, pairs: Pairs) -> Pairs:
        """Return the query parameters that count, in one order.

        Raises:
            RefusedQuery: If one of them is unknown, or its value too long.
        """
        return self.query.counted(pairs)

    def tags(self, captures: Captures) -> tuple[str, ...]:
        """Return what an answer is tagged with."""
        return tuple(template.filled(captures) for template in self.tag_templates)


@dataclass(frozen=True, slots=True)
class Matched:
    """A request has a route."""

    route: Route
    captures: Captures


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No route has the path (404).

    `nearest` is the path of the route most like it, its captures without conditions; None if none
    is like it.
    """

    nearest: str | None


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """Routes have the path, but not the method (405); the methods that they take, sorted."""

    allowed: tuple[str, ...]


Found: TypeAlias = Matched | NoRoute | WrongMethod


@dataclass(frozen=True, slots=True)
class Table:
    """All routes, in the order of the file, and the pools that they ask."""

    routes: tuple[Route, ...]
    pools: Mapping[str, PoolEntry]
    # Routes by the texts in front of their first capture, so that a request is compared with few.
    _index: dict[Parts, list[int]] = field(init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[Parts, list[int]] = {}
        for position, route in enumerate(self.routes):
            index.setdefault(route.pattern.prefix, []).append(position)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_lengths", tuple(sorted({len(prefix) for prefix in index})))

    def match(self, path: str, method: str) -> Found:
        """Return the first route that has the path and the method, or why there is none.

        Args:
            path: normalised (`tiercache.http.targets`).
        """
        parts = split(path)
        allowed: set[str] = set()
        for route in self._candidates(parts):
            captures = route.pattern.match(parts)
            if captures is None:
                continue
            if method in route.methods:
                return Matched(route, captures)
            allowed |= route.methods
        if allowed:
            return WrongMethod(tuple(sorted(allowed)))
        return NoRoute(self._nearest(parts))

    def route(self, name: str) -> Route | None:
        """Return the route of a name."""
        return next((route for route in self.routes if route.name == name), None)

    def _candidates(self, parts: Parts) -> list[Route]:
        positions: list[int] = []
        for length in self._lengths:
            if length > len(parts):
                break
            positions += self._index.get(parts[:length], ())
        return [self.routes[position] for position in sorted(positions)]

    def _nearest(self, parts: Parts) -> str | None:
        """Compare what is left with the routes that agree longest; with few, since it is slow."""
        agreeing = [(route.pattern.agrees(parts), route) for route in self.routes[:_COMPARED]]
        most = max((count for count, _ in agreeing), default=0)
        best = [route.pattern.template for count, route in agreeing if count == most]
        rests = {"/".join(split(one)[most:]): one for one in reversed(best[:_NEAREST])}
        close = get_close_matches("/".join(parts[most:])[:_LONGEST], rests, n=1)
        return rests[close[0]] if close else None
