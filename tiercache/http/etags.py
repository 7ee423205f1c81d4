"""Entity tags: read, listed and compared (RFC 9110, 8.8.3)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ANY: Final = "*"
"""What a conditional field says instead of a list, for any representation."""

# An opaque tag knows no escapes: a backslash in it is a backslash, so that the lists are no lists
# of quoted strings, and `fields.members` would split some of them wrongly.
_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MEMBER: Final = re.compile(rf"[ \t]*{_TAG.pattern}[ \t]*(?:,|\Z)|[^,]*(?:,|\Z)")


class EntityTag(NamedTuple):
    """An entity tag.

    Attributes:
        opaque: the tag with its quotes.
        is_weak: whether it says no more than that representations are equivalent.
    """

    opaque: str
    is_weak: bool = False

    def __str__(self) -> str:
        return f"W/{self.opaque}" if self.is_weak else self.opaque


def parse(text: str | None) -> EntityTag | None:
    """Return the one entity tag of a field; None if it is absent, malformed, or not one.

    A tag without quotes is malformed, and so is a `w/` in lower case.
    """
    match = _TAG.fullmatch(text or "")
    return EntityTag(match[2], match[1] is not None) if match else None


def parse_list(text: str) -> tuple[EntityTag, ...]:
    """Return the entity tags of a list, without members that are malformed."""
    found = _MEMBER.finditer(text)
    return tuple(EntityTag(match[2], match[1] is not None) for match in found if match[2])


def is_same(one: EntityTag | None, other: EntityTag | None) -> bool:
    """Tell whether two tags are the same by strong comparison (RFC 9110, 8.8.3.2): none is weak."""
    return one is not None and one == other and not one.is_weak


def is_equivalent(one: EntityTag | None, other: EntityTag | None) -> bool:
    """Tell whether two tags are the same by weak comparison: whether one is weak does not count."""
    return one is not None and other is not None and one.opaque == other.opaque


def is_listed(text: str, tag: EntityTag | None) -> bool:
    """Tell whether an If-None-Match names a tag (RFC 9110, 13.1.2): weak comparison, or `*`."""
    return text == ANY or any(is_equivalent(tag, listed) for listed in parse_list(text))
