"""The header of entries with grace or tags, in front of the bytes that django-redis would store.

    0xC1, format version, grace, cost, number of tags, then for each tag: number, length, key

It begins with a byte that no value begins with: no UTF-8 text (so no JSON and no bare integer) has
a 0xC1 in it, pickle has no such opcode, MessagePack never uses it, and the compressors' formats
begin otherwise. Big-endian, as Lua's `struct` reads it in `scripts`.

Times are durations, never clock readings: what is left of an entry is what Redis says is left,
less the grace, so clocks need not agree.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from .exceptions import Undecodable

MARK: Final = b"\xc1"

FORMAT: Final = 1

_FIXED: Final = struct.Struct(">BBQIH")
# Numbers that Redis gives are positive, and in `scripts` unsigned; those of memory alone are not.
_TAG: Final = struct.Struct(">qH")

LONGEST_COST: Final = 2**32 - 1
MOST_TAGS: Final = 2**16 - 1
LONGEST_TAG: Final = 2**16 - 1


class Meta(NamedTuple):
    """What is stored with a value.

    Attributes:
        grace: how long after its timeout it may be served stale, in milliseconds.
        cost: how long it took to load, in milliseconds; 0 if nobody knows.
        tags: the full key of each tag, and the number that the tag had before the value was
            computed; the value is good while each still has that number.
    """

    grace: int = 0
    cost: int = 0
    tags: tuple[tuple[str, int], ...] = ()


def wrap(meta: Meta, raw: bytes | int) -> bytes:
    """Put the header in front of a value's bytes.

    Raises:
        ValueError: there are too many tags, or one is too long.
    """
    if len(meta.tags) > MOST_TAGS:
        raise ValueError(f"an entry has {len(meta.tags)} tags; allowed: at most {MOST_TAGS}")
    parts = [_FIXED.pack(MARK[0], FORMAT, meta.grace, min(meta.cost, LONGEST_COST), len(meta.tags))]
    for key, number in meta.tags:
        name = key.encode(errors="surrogatepass")
        if len(name) > LONGEST_TAG:
            raise ValueError(
                f"the tag {key[:40]!r}… has {len(name)} bytes; allowed: at most {LONGEST_TAG}"
            )
        parts += (_TAG.pack(number, len(name)), name)
    parts.append(raw if isinstance(raw, bytes) else b"%d" % raw)
    return b"".join(parts)


def split(raw: bytes) -> tuple[Meta | None, bytes]:
    """Return the header and the value's bytes; None where there is no header.

    Raises:
        Undecodable: it begins as a header does and is none, or one of another version.
    """
    if raw[:1] != MARK:
        return None, raw
    try:
        _, version, grace, cost, count = _FIXED.unpack_from(raw)
        if version != FORMAT:
            raise Undecodable(f"a header of version {version}; this is version {FORMAT}")
        at, tags = _FIXED.size, []
        for _ in range(count):
            number, length = _TAG.unpack_from(raw, at)
            at += _TAG.size + length
            if at > len(raw):
                raise Undecodable("a header that is cut off")
            tags.append((raw[at - length : at].decode(errors="surrogatepass"), number))
    except (struct.error, UnicodeDecodeError) as exc:
        raise Undecodable(f"a header that is damaged: {exc}") from exc
    return Meta(grace, cost, tuple(tags)), raw[at:]
