"""The shelves of one node: which there are, and whether they are open."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from tiercache.shelf import Shelf, names_for

if TYPE_CHECKING:
    from tiercache.entry import Lookup
    from tiercache.memory import MemoryTier

MOST_HEADS: Final = 16
"""Beginnings of full keys that have shelves of their own; others share one without names."""


class Shelves:
    """Opens and shuts all shelves at once. Thread-safe.

    Args:
        memory: the memory tier whose entries are found on them.
        max_bytes: its bound.

    Attributes:
        loose: for callers with any full keys, whom Redis's absence need not concern.
        strict: the same for those who would rather see an error than a node-local answer.
    """

    def __init__(self, memory: MemoryTier, max_bytes: int) -> None:
        self._memory = memory
        self._most_names = names_for(max_bytes)
        self.loose, self.strict = Shelf(None, 0), Shelf(None, 0)
        self._known: dict[tuple[str | None, bool], Shelf] = {
            (None, False): self.loose,
            (None, True): self.strict,
        }
        self.begin()

    def begin(self) -> None:
        """Shut all, as in the child of a fork."""
        self._lock = Lock()
        for shelf in self._known.values():
            shelf.begin()
        self._lookups: dict[bool, Lookup | None] = {False: None, True: None}

    def of(self, head: str | None, *, strict: bool) -> Shelf:
        """Return the shelf for callers whose full keys begin with `head`, None if with anything."""
        with self._lock:
            known = self._known.get((head, strict))
            if known is not None:
                return known
            if len(self._known) >= MOST_HEADS:
                return self.strict if strict else self.loose
            shelf = Shelf(head, self._most_names)
            # First of all: a fork in between must not leave one that nobody makes forget.
            self._memory.serve(shelf)
            self._known[head, strict] = shelf
            self._set(shelf, strict=strict)
            return shelf

    def set(self, *, loose: Lookup | None, strict: Lookup | None) -> None:
        """Let hits be looked up there, or nowhere; on the strict shelves, and on the others."""
        with self._lock:
            self._lookups = {False: loose, True: strict}
            for (_, is_strict), shelf in self._known.items():
                self._set(shelf, strict=is_strict)

    def _set(self, shelf: Shelf, *, strict: bool) -> None:
        lookup = self._lookups[strict]
        if lookup is None:
            shelf.shut()
        else:
            # What stands in for the dictionary wants to see who is asked for.
            shelf.open(lookup, by_name=lookup is self._memory.entries)
