"""Path patterns: what a request's path is matched with, and what is captured of it.

They work on normalised paths (RFC 3986, 6.2.2). Captures stay percent-encoded: what was captured
can be put into another path as it is, and cannot leave its place there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

Captures = Mapping[str, str]

Parts = tuple[str, ...]
"""The segments of a path: what is between its slashes."""

_ENCODED: Final = re.compile("%[0-9a-f]{2}")
# Some servers take what is behind a semicolon for parameters, and the rest for the segment.
_DOTS: Final = re.compile(r"\.\.?(?:(?:;|%3B).*)?")
_GROUP: Final = re.compile(r"\(\?P<\w+>")


def _lower(text: str) -> str:
    # In a normalised path the digits of a percent-encoding are capitals (RFC 3986, 6.2.2.1).
    return _ENCODED.sub(lambda found: found[0].upper(), text.lower())


CHANGES: Final[Mapping[str, Callable[[str], str]]] = {"upper": str.upper, "lower": _lower}
"""What `{name|change}` may do with a capture."""


def split(path: str) -> Parts:
    """Return the segments of a path that begins with a slash."""
    return tuple(path.split("/")[1:])


@dataclass(frozen=True, slots=True)
class Segment:
    """What one segment of a path has to be: a text, or what a regular expression matches.

    Attributes:
        source: as the file has it.
        regex: for the whole segment, with a group for each capture; None: the source itself.
        names: of the captures.
        free: whether it is one capture without a condition.
    """

    source: str
    regex: re.Pattern[str] | None = None
    names: tuple[str, ...] = ()
    free: bool = False

    def matches(self, part: str) -> bool:
        """Tell whether a segment of a path is such a one."""
        return part == self.source if self.regex is None else bool(self.regex.fullmatch(part))

    def covers(self, other: Segment) -> bool:
        """Tell whether whatever the other matches is matched by this; in doubt it is not."""
        if other.regex is None:
            return self.matches(other.source)
        return self.free or (self.regex is not None and self._shape() == other._shape())

    def _shape(self) -> str:
        return _GROUP.sub("(", self.regex.pattern) if self.regex else self.source


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path with captures; `parsing.pattern` makes it of a text and says how that is written.

    Attributes:
        source: as the file has it.
        tail: the name of the capture that takes all that is left, if there is one.
        changes: pairs of a capture's name and one of `CHANGES`.
        template: the same path as a text for `parsing.template`.
    """

    source: str
    segments: tuple[Segment, ...]
    tail: str | None
    changes: tuple[tuple[str, str], ...]
    template: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the captures, in their order."""
        names = tuple(name for segment in self.segments for name in segment.names)
        return (*names, self.tail) if self.tail else names

    @property
    def prefix(self) -> Parts:
        """The texts of the segments in front of the first capture."""
        first = next((n for n, one in enumerate(self.segments) if one.regex), len(self.segments))
        return tuple(segment.source for segment in self.segments[:first])

    def match(self, parts: Parts) -> dict[str, str] | None:
        """Return the captures, changed as the pattern says; None for another path."""
        if not self._is_long_enough(parts):
            return None
        captures: dict[str, str] = {}
        for segment, part in zip(self.segments, parts, strict=False):
            if segment.regex is None:
                if part != segment.source:
                    return None
            elif found := segment.regex.fullmatch(part):
                for name in segment.names:
                    captures[name] = found[name]
            else:
                return None
        if self.tail is not None:
            captures[self.tail] = "/".join(parts[len(self.segments) :])
        return self._changed(captures) if _stay_in_place(captures) else None

    def mismatch(self, parts: Parts) -> str | None:
        """Say why a path is another; None if it is not."""
        for number, (segment, part) in enumerate(self._pairs(parts), start=1):
            if not segment.matches(part):
                return f"segment {number} is {part!r}, not {segment.source!r}"
        if not self._is_long_enough(parts):
            if self.tail:
                return f"nothing is left for {{{self.tail}*}}"
            return f"it has {len(parts)} segments, not {len(self.segments)}"
        return "a capture would be a dot segment" if self.match(parts) is None else None

    def agrees(self, parts: Parts) -> int:
        """Return how many segments, from the left, are as the pattern has them."""
        pairs = enumerate(self._pairs(parts))
        most = min(len(parts), len(self.segments))
        return next((n for n, (segment, part) in pairs if not segment.matches(part)), most)

    def covers(self, other: Pattern) -> bool:
        """Tell whether whatever the other matches is matched by this; in doubt it is not."""
        ours, theirs = len(self.segments), len(other.segments)
        if self.tail is None:
            fits = ours == theirs and other.tail is None
        elif theirs == ours + 1 and other.tail is None:
            # What ends in a slash has an empty last segment, which is no tail.
            fits = other.segments[-1].source != ""
        else:
            fits = theirs > ours or (theirs == ours and other.tail is not None)
        return fits and all(
            one.covers(two) for one, two in zip(self.segments, other.segments, strict=False)
        )

    def _pairs(self, parts: Parts) -> Iterator[tuple[Segment, str]]:
        return zip(self.segments, parts, strict=False)

    def _is_long_enough(self, parts: Parts) -> bool:
        ours = len(self.segments)
        if self.tail is None:
            return len(parts) == ours
        return len(parts) > ours and parts[ours:] != ("",)

    def _changed(self, captures: dict[str, str]) -> dict[str, str]:
        for name, change in self.changes:
            captures[name] = CHANGES[change](captures[name])
        return captures


def _stay_in_place(captures: Mapping[str, str]) -> bool:
    """Tell whether no capture could become a dot segment of another path (RFC 3986, 3.3)."""
    return not any(text[:1] == "." and _DOTS.fullmatch(text) for text in captures.values())
