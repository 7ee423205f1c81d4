"""Sitemaps (sitemaps.org, 0.9): the addresses that they name, read without trusting them.

What XML offers to attackers is refused: a document type, and so every entity of one's own. Nothing
is fetched: an index names files beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from gateway_project.warming.lists import LONGEST, BadSource, Line, Mistake, content

NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"

DEEPEST: Final = 16
"""Elements that may stand in one another; the protocol itself needs three."""

_PLACES: Final = {
    (f"{NAMESPACE} urlset", f"{NAMESPACE} url", f"{NAMESPACE} loc"),
    (f"{NAMESPACE} sitemapindex", f"{NAMESPACE} sitemap", f"{NAMESPACE} loc"),
}
_ROOTS: Final = {f"{NAMESPACE} urlset": "urlset", f"{NAMESPACE} sitemapindex": "sitemapindex"}


@dataclass(slots=True)
class _Reader:
    """What a parser has met so far of one document."""

    place: str
    root: str = ""
    found: list[Line] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _text: list[str] | None = None
    _length: int = 0
    _number: int = 0

    def parse(self, document: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = lambda name, _: self._begin(name, parser.CurrentLineNumber)
        parser.EndElementHandler = lambda _: self._end()
        parser.CharacterDataHandler = self._read
        try:
            parser.Parse(document, True)  # noqa: FBT003 - expat takes it by position alone
        except expat.ExpatError as exc:
            said = expat.errors.messages[exc.code]
            raise BadSource(f"{self.place}:{exc.lineno}: It is not XML: {said}.") from exc

    def _refuse(self, *_: object) -> None:
        raise BadSource(
            f"{self.place}: It has a DOCTYPE, which no sitemap needs; nothing of it is read."
        )

    def _begin(self, name: str, number: int) -> None:
        if not self._open:
            self.root = self._root(name)
        self._open.append(name)
        if len(self._open) > DEEPEST:
            raise BadSource(f"{self.place}:{number}: More than {DEEPEST} elements are nested.")
        if tuple(self._open) in _PLACES:
            self._text, self._length, self._number = [], 0, number

    def _root(self, name: str) -> str:
        if name not in _ROOTS:
            raise BadSource(
                f"{self.place}: It begins with <{name.rpartition(' ')[2]}>; allowed: <urlset> or "
                f'<sitemapindex> of the namespace "{NAMESPACE}".'
            )
        return _ROOTS[name]

    def _read(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
            self._length += len(text)
            if self._length > LONGEST:
                raise BadSource(
                    f"{self.place}:{self._number}: A <loc> has more than {LONGEST} characters."
                )

    def _end(self) -> None:
        if self._text is not None and tuple(self._open) in _PLACES:
            found = "".join(self._text).strip()
            self.found.append(Line(self.place, self._number, found))
            self._text = None
        self._open.pop()


def read(path: Path) -> tuple[list[Line], list[Mistake]]:
    """Return the addresses of a sitemap, or of all those that an index names.

    Raises:
        BadSource: a file cannot be read, or is no sitemap.
    """
    reader = _parsed(path)
    if reader.root == "urlset":
        return reader.found, []
    found: list[Line] = []
    mistakes: list[Mistake] = []
    for line in reader.found:
        beside = _beside(path, line)
        if isinstance(beside, Mistake):
            mistakes.append(beside)
        else:
            found += _part(beside, line)
    return found, mistakes


def _parsed(path: Path) -> _Reader:
    reader = _Reader(str(path))
    reader.parse(content(path))
    return reader


def _beside(index: Path, line: Line) -> Path | Mistake:
    """Return the file that a line of an index names."""
    if "://" in line.text:
        said = f"{line.text!r} is not fetched; allowed: the name of a file beside the index."
        return Mistake(line.place, line.number, said)
    folder = index.parent.resolve()
    path = (folder / line.text).resolve()
    if not line.text or not path.is_relative_to(folder):
        said = f"{line.text!r} is not in the folder of the index; allowed: a file that is."
        return Mistake(line.place, line.number, said)
    return path


def _part(path: Path, line: Line) -> list[Line]:
    part = _parsed(path)
    if part.root != "urlset":
        raise BadSource(
            f"{line.place}:{line.number}: {path} is an index itself; allowed: a <urlset>."
        )
    return part.found
