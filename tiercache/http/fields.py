"""Header fields as values: names in lower case, in their order, never changed (RFC 9110, 5)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Final

TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""A character of a token, for patterns that have tokens in them (RFC 9110, 5.6.2)."""

_TOKEN: Final = re.compile(rf"{TCHAR}+")


def is_token(text: str) -> bool:
    """Tell whether a text is a token (RFC 9110, 5.6.2): a method, a field's name, a directive."""
    return _TOKEN.fullmatch(text) is not None


class Fields:
    """The header fields of a request or a response.

    Names are kept in lower case and values without white space around them, as texts of one
    character for each byte (Latin-1). The order is kept, and so are lines of the same name.
    Equal if names, values and order are.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines = tuple((name.lower(), value.strip(" \t")) for name, value in lines)

    @classmethod
    def decoded(cls, lines: Iterable[tuple[bytes, bytes]]) -> Fields:
        """Return the fields that ASGI and httpx give as bytes."""
        return cls((name.decode("latin-1"), value.decode("latin-1")) for name, value in lines)

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """Return the fields as ASGI takes them."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._lines]

    def get(self, name: str) -> str | None:
        """Return the value of a field, its lines joined by commas (RFC 9110, 5.3); None if absent.

        The name is to be given in lower case, here and in the other methods.
        """
        values = [value for other, value in self._lines if other == name]
        return ", ".join(values) if values else None

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the value of each line of a field, for those that are not to be joined."""
        return tuple(value for other, value in self._lines if other == name)

    def members(self, name: str) -> tuple[str, ...]:
        """Return the members of a field that is a list (RFC 9110, 5.6.1), without empty ones.

        A comma in a quoted string separates nothing.
        """
        return tuple(members(self.get(name) or ""))

    def replaced(self, name: str, *values: str) -> Fields:
        """Return the fields with these lines, at the end, instead of those of that name."""
        kept = [line for line in self._lines if line[0] != name]
        return Fields([*kept, *((name, value) for value in values)])

    def without(self, names: Container[str]) -> Fields:
        """Return the fields but for those of these names."""
        return Fields(line for line in self._lines if line[0] not in names)

    def only(self, names: Container[str]) -> Fields:
        """Return the fields of these names."""
        return Fields(line for line in self._lines if line[0] in names)

    def __contains__(self, name: object) -> bool:
        return any(other == name for other, _ in self._lines)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._lines == other._lines

    def __hash__(self) -> int:
        return hash(self._lines)

    def __repr__(self) -> str:
        return f"Fields({list(self._lines)!r})"


def members(text: str) -> Iterator[str]:
    """Yield the members of a list, split at the commas outside of quoted strings."""
    start, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char == ",":
            if member := text[start:at].strip(" \t"):
                yield member
            start = at + 1
    if member := text[start:].strip(" \t"):
        yield member
