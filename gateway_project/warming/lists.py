"""Addresses to be warmed up, one a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

LARGEST: Final = 64 * 1024 * 1024
"""Bytes that a list or a sitemap may have."""

LONGEST: Final = 16 * 1024
"""Bytes that a line may have: more than any target that the gateway answers."""

_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


class BadSource(ValueError):
    """A list or a sitemap that cannot be read as a whole; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One address as it was given, and where: a file's name and a line's number, from 1."""

    place: str
    number: int
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong with a line, and where that is."""

    place: str
    number: int
    said: str

    def __str__(self) -> str:
        return f"{self.place}:{self.number}: {self.said}"


def content(path: Path) -> bytes:
    """Return what is in a file.

    Raises:
        BadSource: it cannot be read, or has more than `LARGEST` bytes.
    """
    try:
        with path.open("rb") as file:
            return bounded(file, str(path))
    except OSError as exc:
        raise BadSource(f"{path} cannot be read: {exc.strerror}.") from exc


def bounded(file: BinaryIO, place: str) -> bytes:
    """Return what is in an open file.

    Raises:
        BadSource: it has more than `LARGEST` bytes.
    """
    found = file.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise BadSource(f"{place} is too large; allowed are {LARGEST} bytes.")
    return found


def addresses(listed: bytes, place: str) -> tuple[list[Line], list[Mistake]]:
    """Return the addresses of a list, and its lines that are none.

    Blank lines do not count, nor does what is behind a `#` that begins a line or follows a space.
    """
    found, mistakes = [], []
    for number, raw in enumerate(listed.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if len(raw) > LONGEST:
            said = f"The line has {len(raw)} bytes; allowed are {LONGEST}."
            mistakes.append(Mistake(place, number, said))
            continue
        try:
            text = _COMMENT.sub("", raw.decode()).strip()
        except UnicodeDecodeError as exc:
            mistakes.append(Mistake(place, number, f"The line is not UTF-8: {exc.reason}."))
            continue
        if text:
            found.append(Line(place, number, text))
    return found, mistakes
