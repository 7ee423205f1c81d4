"""Patterns and templates out of the texts that the file has.

In a path, `{name}` captures what is between two slashes, or a part of it; `{name:regex}` only what
a regular expression matches (there, too, a slash is never part of it); `{name*}`, at the end, all
that is left. None of them captures nothing. `{name|upper}` and `{name|lower}` change what was
captured, wherever it is used: with them AAPL and aapl are one. In a template `{name}` is a capture.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway_project.routing.patterns import CHANGES, Pattern, Segment, split

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
# What a normalised path has outside of captures: RFC 3986, 3.3 and 6.2.2.
_TEXT: Final = re.compile(
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]"
    r"|%(?!2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])[0-9A-F]{2})*"
)


class BadPattern(ValueError):
    """A pattern or a template that cannot be; the message says why, and what can be."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places for captures: `/symbols/{symbol}/series`, `symbol:{symbol}`.

    `texts` are what is in front of each place and, last, behind them all.
    """

    source: str
    texts: tuple[str, ...]
    names: tuple[str, ...]

    def filled(self, captures: Mapping[str, str]) -> str:
        """Return the text with the captures in their places."""
        values = (*(captures[name] for name in self.names), "")
        return "".join(text + value for text, value in zip(self.texts, values, strict=True))


@dataclass(frozen=True, slots=True)
class _Capture:
    name: str
    change: str | None
    regex: str | None
    tail: bool


def template(source: str, known: Collection[str]) -> Template:
    """Return the template of a text.

    Raises:
        BadPattern: If a brace has no partner, or a name is not among the known captures.
    """
    pieces = _PLACE.split(source)
    texts, names = tuple(pieces[::2]), tuple(pieces[1::2])
    if any("{" in text or "}" in text for text in texts):
        raise BadPattern(f"must pair its braces, as in {{name}}; {source!r} does not")
    for name in names:
        if name not in known:
            has = ", ".join(known) or "it has none"
            raise BadPattern(f"must name captures of the path ({has}), not {name!r}")
    return Template(source, texts, names)


def target(source: str, known: Collection[str]) -> Template:
    """Return the template of a path at the upstream.

    Raises:
        BadPattern: As `template` does, and if it is no path.
    """
    made = template(source, known)
    _check_path("x".join(made.texts))
    return made


def pattern(source: str) -> Pattern:
    """Return the pattern of a path.

    Raises:
        BadPattern: If no request could be matched, or a capture is not as described above.
    """
    pieces = tuple(_pieces(source))
    captures = [piece for piece in pieces if isinstance(piece, _Capture)]
    _check_path("".join("x" if isinstance(piece, _Capture) else piece for piece in pieces))
    _check_names([capture.name for capture in captures])
    tail = _tail(pieces)
    rows = _rows(pieces[:-1] if tail else pieces)
    return Pattern(
        source,
        tuple(_segment(row) for row in (rows[:-1] if tail else rows)),
        tail,
        tuple((capture.name, capture.change) for capture in captures if capture.change),
        "".join(f"{{{one.name}}}" if isinstance(one, _Capture) else one for one in pieces),
    )


def _pieces(source: str) -> Iterator[str | _Capture]:
    """Yield the texts and the captures; braces within a capture's regex stand in pairs."""
    start, depth = 0, 0
    for at, char in enumerate(source):
        if char == "{":
            if depth == 0:
                yield source[start:at]
                start = at + 1
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                yield _capture(source[start:at])
                start = at + 1
        if depth < 0:
            break
    if depth:
        raise BadPattern(f"must pair its braces, as in {{name}}; {source!r} does not")
    yield source[start:]


def _capture(text: str) -> _Capture:
    head, colon, regex = text.partition(":")
    name, bar, change = head.partition("|")
    tail = name.endswith("*")
    name = name.removesuffix("*")
    if not _NAME.fullmatch(name):
        raise BadPattern(
            "must name captures in small letters, digits and '_', "
            f"as in {{name}}, {{name:regex}}, {{name|upper}} or {{name*}}, not {{{text}}}"
        )
    if bar and change not in CHANGES:
        raise BadPattern(f"must change captures by one of {', '.join(CHANGES)}, not {change!r}")
    if tail and colon:
        raise BadPattern(f"cannot give {{{name}*}}, which takes all that is left, a condition")
    if colon:
        _check_regex(name, regex)
    return _Capture(name, change or None, regex if colon else None, tail)


def _tail(pieces: tuple[str | _Capture, ...]) -> str | None:
    """Return the name of the last capture if it takes all that is left; refuse others that do."""
    for before, piece in zip(("", *pieces), pieces, strict=False):
        if not isinstance(piece, _Capture) or not piece.tail:
            continue
        if pieces[-2:] != (piece, "") or not str(before).endswith("/"):
            raise BadPattern(f"can have {{{piece.name}*}} only as its end, behind a slash")
        return piece.name
    return None


def _rows(pieces: tuple[str | _Capture, ...]) -> list[list[str | _Capture]]:
    """Part the pieces at the slashes of their texts."""
    rows: list[list[str | _Capture]] = [[]]
    for piece in pieces:
        if isinstance(piece, _Capture):
            rows[-1].append(piece)
            continue
        first, *others = piece.split("/")
        rows[-1].append(first)
        rows.extend([other] for other in others)
    return rows[1:]


def _segment(row: list[str | _Capture]) -> Segment:
    texts = [piece for piece in row if isinstance(piece, str) and piece]
    captures = [piece for piece in row if isinstance(piece, _Capture)]
    if not captures:
        return Segment("".join(texts))
    source = "".join(_written(piece) for piece in row)
    free = not texts and len(captures) == 1 and captures[0].regex is None
    regex = "".join(_as_regex(piece) for piece in row)
    return Segment(source, _compiled(regex), tuple(one.name for one in captures), free)


def _written(piece: str | _Capture) -> str:
    if isinstance(piece, str):
        return piece
    return f"{{{piece.name}:{piece.regex}}}" if piece.regex else f"{{{piece.name}}}"


def _as_regex(piece: str | _Capture) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    return f"(?P<{piece.name}>{piece.regex or '.+'})"


def _check_path(path: str) -> None:
    parts = split(path)
    if not path.startswith("/"):
        raise BadPattern(f"must begin with a slash, not {path[:1]!r}")
    for part in parts:
        if not _TEXT.fullmatch(part):
            raise BadPattern(
                "must be a normalised path (RFC 3986, 6.2.2: letters, digits, -._~!$&'()*+,;=:@ "
                f"and %XX in capitals for anything else); {part!r} is not"
            )
    if "" in parts[:-1] or not {".", ".."}.isdisjoint(parts):
        raise BadPattern("cannot have empty segments ('//') or dot segments ('..'): no path has")


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadPattern(f"must capture each name once, not {name!r} twice")


def _check_regex(name: str, regex: str) -> None:
    if "/" in regex:
        raise BadPattern(
            f"cannot have a slash in the condition of {{{name}}}: it is for one segment"
        )
    if _compiled(regex).fullmatch(""):
        raise BadPattern(f"cannot let {{{name}}} be empty: its condition {regex!r} matches nothing")


def _compiled(regex: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            # What Python's next version may read otherwise is refused today.
            warnings.simplefilter("error")
            return re.compile(regex, re.ASCII)
    except (re.error, OverflowError, RecursionError, Warning) as exc:
        raise BadPattern(f"must have regular expressions; {regex!r} is none: {exc}") from exc
