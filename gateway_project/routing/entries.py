"""One table under `[[routes]]`, with the defaults, becomes a route."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from gateway_project.routing import options, parsing, values
from gateway_project.routing.mistakes import Mistakes
from gateway_project.routing.parsing import BadPattern, Template
from gateway_project.routing.patterns import Pattern
from gateway_project.routing.query import QueryRules
from gateway_project.routing.table import Route
from gateway_project.routing.values import BadValue
from tiercache.http.rules import Rules

_NEEDED = ("name", "path", "pool")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What `[defaults]` says: as it was given, and what of it is right, read."""

    given: Mapping[str, Any]
    read: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any], mistakes: Mistakes) -> Self:
        """Return the defaults of a document."""
        given = mistakes.table(document.get("defaults", {}), ("defaults",), "defaults")
        return cls(given, mistakes.options(given, options.DEFAULTS, ("defaults",), "defaults"))


class Entry:
    """One table under `[[routes]]`; what is wrong with it is added to the mistakes.

    Attributes:
        given: the table, as it was given.
    """

    def __init__(self, number: int, given: object, defaults: Defaults, mistakes: Mistakes) -> None:
        self._place = ("routes", number)
        self._mistakes = mistakes
        name = given.get("name") if isinstance(given, dict) else None
        self._where = (
            f"route {name[:64]!r}" if isinstance(name, str) else f"route number {number + 1}"
        )
        self.given = mistakes.table(given, self._place, self._where)
        self._read = {
            **defaults.read,
            **mistakes.options(self.given, options.ROUTE, self._place, self._where),
        }
        missing = [one for one in _NEEDED if one not in {**defaults.given, **self.given}]
        if missing:
            said = f"must have a {' and a '.join(missing)}"
            mistakes.add(self._place, self._where, said)

    def wrong(self, name: str, said: str) -> None:
        """Add a mistake at one of the options: the route's own, or the default."""
        if name in self.given or name not in options.DEFAULTS:
            self._mistakes.add((*self._place, name), self._where, said)
        else:
            self._mistakes.add(("defaults", name), "defaults", said)

    def route(self, pools: Collection[str]) -> Route | None:
        """Return the route, if only to be compared with others; None if too much is wrong.

        Args:
            pools: the names of those that there are.
        """
        read = self._read
        self._tried("pool", lambda name: values.one_of(name, pools))
        pattern = self._tried("path", parsing.pattern)
        if pattern is None:
            return None
        target = self._target(pattern)
        tags = self._tried(
            "tags", lambda texts: tuple(parsing.template(one, pattern.names) for one in texts)
        )
        if target is None or "name" not in read or "pool" not in read:
            return None
        return Route(
            name=read["name"],
            pattern=pattern,
            pool=read["pool"],
            target_template=target,
            rules=Rules(**{name: read[name] for name in options.RULES if name in read}),
            query=QueryRules(**options.renamed(read)),
            tag_templates=tags or (),
            **{name: read[name] for name in options.PLAIN if name in read},
        )

    def _target(self, pattern: Pattern) -> Template | None:
        if "target" not in self.given:
            return parsing.target(pattern.template, pattern.names)
        return self._tried("target", lambda text: parsing.target(text, pattern.names))

    def _tried(self, name: str, make: Callable[[Any], T]) -> T | None:
        """Return what is made of an option; None if it is missing or cannot be."""
        if name not in self._read:
            return None
        try:
            return make(self._read[name])
        except (BadPattern, BadValue) as exc:
            self.wrong(name, f"{name} {exc}")
            return None
