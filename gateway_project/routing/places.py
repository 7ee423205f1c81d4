"""Where things stand in a TOML text, since `tomllib` does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Place = tuple[str | int, ...]
"""A table or a key: `("routes", 0, "pool")` is that of the first `[[routes]]`."""

# What brackets, signs and line ends mean nothing in.
_OPAQUE: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""' r"|'''.*?'''" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'" r"|\#[^\n]*",
    re.DOTALL,
)
_HEADER: Final = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_KEY: Final = re.compile(
    r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART: Final = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


class Places:
    """The line of each table and key that a TOML text has, from 1.

    Keys of inline tables are taken to be where these begin.
    """

    def __init__(self, source: str) -> None:
        self._lines: dict[Place, int] = {}
        table: Place = ()
        counts: dict[Place, int] = {}
        for number, line in _outer_lines(source):
            if header := _HEADER.match(line):
                table = _absolute(_parts(header[2]), counts)
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                self._note(table, number)
            elif key := _KEY.match(line):
                self._note((*table, *_parts(key[1])), number)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest around it."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _note(self, place: Place, number: int) -> None:
        for length in range(1, len(place) + 1):
            self._lines.setdefault(place[:length], number)


def _outer_lines(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that begin outside of any bracket and of any text over several lines."""
    hidden = _OPAQUE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    depth = 0
    pairs = zip(source.split("\n"), hidden.split("\n"), strict=True)
    for number, (line, shown) in enumerate(pairs, start=1):
        if depth == 0 and shown.strip():
            yield number, line
        depth += sum(shown.count(sign) for sign in "[{") - sum(shown.count(sign) for sign in "]}")


def _parts(dotted: str) -> Place:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _absolute(parts: Place, counts: dict[Place, int]) -> Place:
    """Return the place of a header, whose parts are in the last member of each array of tables."""
    place: Place = ()
    for part in parts[:-1]:
        place = (*place, part)
        if place in counts:
            place = (*place, counts[place])
    return (*place, *parts[-1:])
