"""All that is wrong with a routes file, told at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from gateway_project.routing.places import Place, Places
from gateway_project.routing.values import BadValue, Reader


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong, and the line where it is, from 1."""

    line: int
    said: str


class BadRoutes(ImproperlyConfigured, ValueError):
    """A routes file that cannot be used; one line of the message for each mistake.

    Attributes:
        file: its path.
        mistakes: in the order of their lines.
    """

    def __init__(self, file: str, mistakes: Collection[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(f"{file}:{one.line}: {one.said}" for one in self.mistakes))


class Mistakes:
    """Collect the mistakes of one file; whoever adds one goes on with what is right."""

    def __init__(self, places: Places) -> None:
        self._places = places
        # As a dictionary's keys: a mistake in the defaults shows in every route, and is told once.
        self._found: dict[Mistake, None] = {}

    def add(self, place: Place, where: str, said: str) -> None:
        """Add a mistake at a place, which the message calls `where`."""
        self._found[Mistake(self._places.line(place), f"{where}: {said}" if where else said)] = None

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self, file: str) -> None:
        """Raise BadRoutes if there are any."""
        if self._found:
            raise BadRoutes(file, self._found)

    def table(self, value: object, place: Place, where: str) -> Mapping[str, Any]:
        """Return a table; an empty one for anything else, which is a mistake."""
        if isinstance(value, dict):
            return value
        self.add(place, where, "must be a table of options")
        return {}

    def options(
        self, given: Mapping[str, Any], readers: Mapping[str, Reader], place: Place, where: str
    ) -> dict[str, Any]:
        """Return the options that are right, read."""
        read: dict[str, Any] = {}
        for name, value in given.items():
            if name not in readers:
                self.unknown(name, readers, (*place, name), where)
                continue
            try:
                read[name] = readers[name](value)
            except BadValue as exc:
                self.add((*place, name), where, f"{name} {exc}")
        return read

    def unknown(self, name: str, known: Collection[str], place: Place, where: str) -> None:
        """Add that a name is not known, with the one that may be meant."""
        meant = get_close_matches(name[:64], known, n=1)
        guess = f" Did you mean {meant[0]!r}?" if meant else ""
        said = f"unknown option {name[:64]!r}.{guess} Known are {', '.join(sorted(known))}."
        self.add(place, where, said)
