"""A dictionary of entries in parts, none of which takes long to be made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercache.entry import Entry

__all__ = ["PART", "SHIFT", "WHOLE", "Entries", "Shards", "make_entries", "parts_of"]

WHOLE: Final = 16_384
"""Entries for which there is one dictionary.

In a full tier a dictionary rebuilds itself once in one to two insertions per entry, and Python runs
nothing else meanwhile: 90 ms at 1,000,000 entries, less than 1 ms here.
"""

PART: Final = 4096
"""Entries that each of several dictionaries holds on average at the most.

Fewer than they could be: those of a large tier lie far apart, so each takes longer to be moved.
"""


SHIFT: Final = 20
"""The lowest bit of a key's hash that chooses the part; by the lowest of all a dictionary finds its
places, so keys of one part must not have those in common."""


class Shards:
    """The part of a dictionary's interface that the memory tier needs, over several of them.

    Args:
        count: how many there are, a power of two.

    Attributes:
        parts: the dictionaries; the bits of a key's hash from `SHIFT` on say which is the key's.
    """

    __slots__ = ("_mask", "parts")

    def __init__(self, count: int) -> None:
        self.parts: tuple[dict[str, Entry], ...] = tuple({} for _ in range(count))
        self._mask = count - 1

    def get(self, key: str, /) -> Entry | None:
        """Return the key's entry, None if there is none."""
        return self.parts[hash(key) >> SHIFT & self._mask].get(key)

    def __getitem__(self, key: str) -> Entry:
        return self.parts[hash(key) >> SHIFT & self._mask][key]

    def __setitem__(self, key: str, entry: Entry) -> None:
        self.parts[hash(key) >> SHIFT & self._mask][key] = entry

    def __delitem__(self, key: str) -> None:
        del self.parts[hash(key) >> SHIFT & self._mask][key]

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[str]:
        """Yield the keys; each part as it is when its turn comes, whatever comes and goes."""
        for part in self.parts:
            yield from list(part)

    def values(self) -> Iterator[Entry]:
        """Yield the entries; each part as it is when its turn comes, whatever comes and goes."""
        for part in self.parts:
            yield from list(part.values())

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Yield keys and entries; each part as it is when its turn comes."""
        for part in self.parts:
            yield from list(part.items())

    def clear(self) -> None:
        """Remove everything, part by part."""
        for part in self.parts:
            part.clear()


def parts_of(entries: Entries) -> tuple[dict[str, Entry], ...]:
    """Return the dictionaries that there are, as `Shards.parts`."""
    return entries.parts if isinstance(entries, Shards) else (entries,)


Entries = dict[str, "Entry"] | Shards
"""A dictionary of entries: one, or several that look like one."""


def make_entries(max_entries: int) -> Entries:
    """Make a dictionary for so many entries: in parts if there are more than `WHOLE` of them."""
    if max_entries <= WHOLE:
        return {}
    return Shards(1 << ((max_entries - 1) // PART).bit_length())
