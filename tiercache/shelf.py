"""Where hits are looked up: by the caller's own key if it was hit before, else by the full key."""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tiercache.entry import DEAD, Entry, Lookup

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BYTES_A_NAME", "MOST_NAMES", "Shelf", "names_for"]

MOST_NAMES: Final = 20_000
"""Names that a shelf knows at most. A dictionary of so many is made anew in less than 1 ms."""

BYTES_A_NAME: Final = 4096
"""Bytes of the memory tier's bound for each name that a shelf may know.

A name takes 80 to 150 bytes beyond what is accounted for: the key as the caller wrote it, and its
place in the dictionary. So all names of a shelf take a thirtieth of the bound at most.
"""

LONGEST_NAME: Final = 250
"""Characters of a name at most, as memcached allows a key; longer keys would take far more."""

NOTHING: Final[dict[str, Entry]] = {}
NO_NAMES: Final[Mapping[str, Entry]] = MappingProxyType(NOTHING)


def names_for(max_bytes: int) -> int:
    """Return how many names the shelves of a tier with this bound may know each."""
    return min(MOST_NAMES, max_bytes // BYTES_A_NAME)


class Shelf:
    """What hits are looked up in, for callers whose full keys have the same beginning.

    To look up by name is all that a hit needs, so it makes no full key. An entry is learned by
    its name when it was found by its full key; it is forgotten before it is dropped, so names
    refer to nothing that the memory tier does not hold, but for what `learn` takes back at once.

    Safe for threads: look-ups and `learn` take no lock, whoever changes what is trusted does.

    Args:
        head: what full keys have in front of the caller's key; None for callers of whose keys
            that cannot be told, for whom there are no names.
        most: how many names there may be.

    Attributes:
        entries: finds entries by full key.
        names: finds entries by the caller's own key, a `str`. To be read before `entries` by
            those who want to `learn`.
        known: the same, also while they are not to be looked up by name.
    """

    __slots__ = ("_lock", "_most", "entries", "head", "known", "names")

    def __init__(self, head: str | None, most: int) -> None:
        self.head = head
        self.entries: Lookup
        self.names: Mapping[str, Entry]
        self.known: dict[str, Entry]
        self._most = most
        self.begin()

    def begin(self) -> None:
        """Begin anew, with nothing to be found, as in the child of a fork."""
        self._lock = Lock()
        self.shut()

    def open(self, entries: Lookup, *, by_name: bool) -> None:
        """Let hits be looked up in `entries`; with `by_name` also, and first, by name."""
        with self._lock:
            self.entries = entries
            self.names = self.known if by_name else NO_NAMES

    def shut(self) -> None:
        """Let nothing be found, and forget all names."""
        with self._lock:
            self.entries = NOTHING
            self.names = NO_NAMES
            self.known = {}

    def discard(self) -> None:
        """Forget all names, since the entries they stand for are being dropped.

        Who has found an entry before and learns it after this teaches a dictionary that nobody
        looks into any more.
        """
        with self._lock:
            known, self.known = self.known, {}
            if self.names is known:
                self.names = self.known

    def learn(self, names: Mapping[str, Entry], name: str, entry: Entry) -> None:
        """Let an entry be found by its name, unless that is longer than `LONGEST_NAME`.

        Args:
            names: `names` as it was before the entry was looked up.
            name: the caller's key.
            entry: what was found under the full key that begins with `head` and ends with `name`.
        """
        known = self.known
        if names is not known or self.head is None or len(name) > LONGEST_NAME:
            return
        if len(known) >= self._most:
            known.clear()
        known[name] = entry
        if entry.deadline == DEAD:
            # It was dropped after it was found, and maybe forgotten before it was learned.
            known.pop(name, None)

    def forget(self, full: str) -> None:
        """Forget the name of a full key whose entry has been marked as dead."""
        head = self.head
        if head is not None and full.startswith(head):
            self.known.pop(full[len(head) :], None)
