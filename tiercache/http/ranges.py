"""Parts of a complete response (RFC 9110, 14): one range of bytes, never several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from tiercache.http import dates, etags
from tiercache.http.fields import Fields

# More digits than any length has: such a Range is ignored, which is always allowed.
_RANGE: Final = re.compile(
    r"bytes=[ \t,]*([0-9]{0,18})-([0-9]{0,18})[ \t,]*", re.ASCII | re.IGNORECASE
)

# They are those of the whole content, not of a part.
_OF_THE_WHOLE: Final = frozenset({"content-digest", "content-md5"})


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` until before `stop`: at least one of them."""

    start: int
    stop: int


Selection = Part | Literal["whole", "unsatisfiable"]
"""What is sent: a part with 206, the whole as it is, or nothing with 416."""


def part(
    method: str, asked: Fields, status: int, answered: Fields, length: int, received: float
) -> Selection:
    """Say which part of a stored response a request wants (RFC 9110, 14.2).

    Only a 200 to GET has parts. An end beyond the content is its end. The whole is sent for
    what is malformed, for another unit than bytes, for more than one range, and if what If-Range
    names is not what is stored; RFC 9110 allows or requires each.

    Args:
        method: of the request.
        asked: the fields of the request.
        status: of the stored response.
        answered: the fields of the stored response.
        length: of its content, in bytes.
        received: when it was received, in seconds since the epoch: the time by which years of
            two digits are read.
    """
    match = _RANGE.fullmatch(asked.get("range") or "")
    if method != "GET" or status != 200 or match is None:
        return "whole"
    if not _is_wanted(asked, answered, received):
        return "whole"
    first, last = match.groups()
    if first:
        return _between(int(first), int(last) if last else None, length)
    return _suffix(int(last), length) if last else "whole"


def partial_fields(answered: Fields, part: Part, length: int) -> Fields:
    """Return the fields of a 206 (RFC 9110, 15.3.7): those of the response, with Content-Range.

    Content-Length becomes the part's; digests of the whole content are left out.
    """
    extent = f"bytes {part.start}-{part.stop - 1}/{length}"
    size = str(part.stop - part.start)
    kept = answered.without(_OF_THE_WHOLE)
    return kept.replaced("content-range", extent).replaced("content-length", size)


def unsatisfiable_fields(length: int) -> Fields:
    """Return the fields of a 416 (RFC 9110, 15.5.17): how long the content is."""
    return Fields([("content-range", f"bytes */{length}")])


def _between(first: int, last: int | None, length: int) -> Selection:
    if last is not None and last < first:
        return "whole"
    if first >= length:
        return "unsatisfiable"
    return Part(first, length if last is None else min(last + 1, length))


def _suffix(size: int, length: int) -> Selection:
    if size == 0:
        return "unsatisfiable"
    # The end of nothing is all of it, which no Content-Range can say.
    return Part(max(length - size, 0), length) if length else "whole"


def _is_wanted(asked: Fields, answered: Fields, received: float) -> bool:
    condition = asked.get("if-range")
    if condition is None:
        return True
    if (tag := etags.parse(condition)) is not None:
        return etags.is_same(tag, etags.parse(answered.get("etag")))
    return condition == answered.get("last-modified") and _is_strong(answered, received)


def _is_strong(answered: Fields, received: float) -> bool:
    # A response of the second of its last change may have changed again within it (8.8.2.2).
    told = (answered.get(name) or "" for name in ("last-modified", "date"))
    changed, sent = (dates.parse(text, received) for text in told)
    return changed is not None and sent is not None and changed + 1 <= sent
