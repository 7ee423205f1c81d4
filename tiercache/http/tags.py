"""The tags by which an upstream wants responses invalidated: Surrogate-Key and Cache-Tag."""

from __future__ import annotations

import re
from itertools import chain
from typing import Final, NamedTuple

from tiercache.http.fields import Fields

TAG_FIELDS: Final = frozenset({"cache-tag", "surrogate-key"})

MOST_TAGS: Final = 64
"""How many tags of one response count; each is looked at whenever the response is read."""

LONGEST_TAG: Final = 256
"""How many characters a tag may have."""


# Not `str.split`, to which the second byte of an "à" in UTF-8 is a space.
_SPACES: Final = re.compile(r"[ \t]+")


class Tags(NamedTuple):
    """The tags of a response.

    Attributes:
        kept: each once, in their order.
        dropped: how many were left out, because they were too long or too many. What is tagged
            with them alone cannot be invalidated by them, so it is worth a line in the log.
    """

    kept: tuple[str, ...]
    dropped: int


def of(fields: Fields) -> Tags:
    """Return the tags of a response.

    Surrogate-Key separates them by spaces, Cache-Tag by commas. Those longer than
    `LONGEST_TAG` do not count, nor those beyond the first `MOST_TAGS`.
    """
    keys = chain.from_iterable(_SPACES.split(line) for line in fields.lines("surrogate-key"))
    listed = chain.from_iterable(line.split(",") for line in fields.lines("cache-tag"))
    found = dict.fromkeys(tag.strip(" \t") for tag in chain(keys, listed))
    found.pop("", None)
    kept = tuple(tag for tag in found if len(tag) <= LONGEST_TAG)[:MOST_TAGS]
    return Tags(kept, len(found) - len(kept))


def stripped(fields: Fields) -> Fields:
    """Return a response's fields without its tags, which are no business of its readers."""
    return fields.without(TAG_FIELDS)
