"""What a transaction has changed and not yet applied, as it sees it itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from .entry import MISSING, Copy, Missing


class Held(NamedTuple):
    """What a transaction sees under a key that it has changed.

    Attributes:
        copy: the value, as memory would hold it.
        deadline: when it ends, in seconds of the tier's clock; infinity for never.
        tags: full keys of its tags.
    """

    copy: Copy
    deadline: float
    tags: tuple[str, ...] = ()


_NO_KEYS: Final[Mapping[str, Held | None]] = MappingProxyType({})


class Effect(NamedTuple):
    """What one change does to what its transaction sees.

    Attributes:
        puts: what is under these keys now; None: nothing.
        evicts: full keys of the tags whose bearers are gone.
        removes: a glob and what tells whether a key fits it; all those are gone.
    """

    puts: Mapping[str, Held | None] = _NO_KEYS
    evicts: tuple[str, ...] = ()
    removes: tuple[str, Callable[[str], bool]] | None = None


class View:
    """The sum of the effects that were noted: a look-up, however many there were.

    It holds the last state of each key, and how many effects had been noted when each tag and
    each glob went, so that what was written after an eviction is seen and what was before is not.
    """

    def __init__(self) -> None:
        self._noted = 0
        self._puts: dict[str, tuple[int, Held | None]] = {}
        self._evicted: dict[str, int] = {}
        self._removed: dict[str, tuple[int, Callable[[str], bool]]] = {}

    def note(self, effect: Effect) -> None:
        """Add what has been changed after all else."""
        self._noted += 1
        for key, held in effect.puts.items():
            self._puts[key] = self._noted, held
        for tag in effect.evicts:
            self._evicted[tag] = self._noted
        if effect.removes is not None:
            pattern, match = effect.removes
            self._removed[pattern] = self._noted, match

    @property
    def has_evictions(self) -> bool:
        """Whether it depends on a key's tags if the key is seen."""
        return bool(self._evicted)

    def look(self, key: str) -> Held | Missing | None:
        """Return what is under a key, None for nothing, `MISSING` where the cache has to say."""
        since, held = self._puts.get(key, (0, MISSING))
        if isinstance(held, Held) and self.evicts(held.tags, since):
            return None
        if held is not None and self._removed:
            for when, match in self._removed.values():
                if when > since and match(key):
                    return None
        return held

    def evicts(self, tags: Iterable[str], since: int = 0) -> bool:
        """Tell whether one of these tags has been evicted after so many effects."""
        return any(self._evicted.get(tag, 0) > since for tag in tags)

    def hides(self, key: str, tags: Iterable[str]) -> bool:
        """Tell whether what the cache has is not what the transaction sees."""
        return self.look(key) is not MISSING or self.evicts(tags)
