"""Which query parameters count: make another answer, and are handed to the upstream."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Pairs = tuple[tuple[str, str], ...]
Fate = Literal["counted", "dropped", "unknown", "too long"]


class RefusedQuery(ValueError):
    """A query parameter that a route refuses: 400.

    Attributes:
        parameter: its name.
        allowed: the names that are; None: all are, and this one's value is too long.
    """

    def __init__(self, message: str, parameter: str, allowed: tuple[str, ...] | None) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.allowed = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRules:
    """What a route does with query parameters.

    Attributes:
        names: the ones that count; None: all do.
        ignored: globs of names that are dropped, unless they are among `names`.
        unknown: what happens to those that are neither.
        longest: characters of a value that counts, at the most.
    """

    names: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    unknown: Literal["refuse", "drop"] = "refuse"
    longest: int = 1024

    def counted(self, pairs: Pairs) -> Pairs:
        """Return the parameters that count, sorted by name; values of one name keep their order.

        Raises:
            RefusedQuery: For the first that is unknown or too long.
        """
        fates = [(self.fate(name, value), name, value) for name, value in pairs]
        for fate, name, _ in fates:
            if fate in ("unknown", "too long"):
                raise self._refusal(fate, name)
        counted = ((name, value) for fate, name, value in fates if fate == "counted")
        return tuple(sorted(counted, key=lambda pair: pair[0]))

    def fate(self, name: str, value: str) -> Fate:
        """Say what happens to one parameter."""
        if self.names is None or name in self.names:
            if self.names is None and self._is_ignored(name):
                return "dropped"
            return "counted" if len(value) <= self.longest else "too long"
        if self.unknown == "drop" or self._is_ignored(name):
            return "dropped"
        return "unknown"

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.ignored)

    def _refusal(self, fate: Fate, name: str) -> RefusedQuery:
        if fate == "too long":
            said = f"{name} is longer than {self.longest} characters."
            return RefusedQuery(said, name, self.names)
        allowed = f"allowed are {', '.join(self.names)}." if self.names else "none is allowed here."
        return RefusedQuery(f"Unknown query parameter {name!r}; {allowed}", name, self.names)
