"""Where a search goes on: what a page hands out, and takes back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

_FORM: Final = struct.Struct(">4sBQQQ")


class BadCursor(ValueError):
    """A cursor that none of this search's pages has handed out."""


class Place(NamedTuple):
    """How far a search has come.

    Attributes:
        at: SCAN's cursor, or how many of this process's entries were looked at.
        scanned: keys looked at so far.
        found: keys found so far.
        in_memory: whether this process's memory is searched, and not Redis.
    """

    at: int = 0
    scanned: int = 0
    found: int = 0
    in_memory: bool = False


def pack(place: Place, search: str) -> str:
    """Return the place as a text that stands in a URL."""
    data = _FORM.pack(_mark(search), place.in_memory, place.at, place.scanned, place.found)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unpack(text: str, search: str) -> Place:
    """Return the place that a cursor names; "" is the beginning.

    Raises:
        BadCursor: it is damaged, or another search's.
    """
    if not text:
        return Place()
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        mark, in_memory, at, scanned, found = _FORM.unpack(data)
    except (binascii.Error, ValueError, struct.error):
        raise BadCursor(
            _("The cursor %(cursor)r is damaged; allowed: what the page before named, or none.")
            % {"cursor": text[:60]}
        ) from None
    if mark != _mark(search) or in_memory > 1:
        raise BadCursor(
            _("The cursor %(cursor)r is of another search; leave it out to begin this one.")
            % {"cursor": text[:60]}
        )
    return Place(at, scanned, found, bool(in_memory))


def _mark(search: str) -> bytes:
    return hashlib.sha256(search.encode(errors="surrogatepass")).digest()[:4]
