"""The commonest operations of a cache without a Redis tier, which ask nobody in vain.

The others find out at their first step that there is nobody to ask, as while Redis is away. That
takes several microseconds: nothing where a value is loaded, but half of a write.
"""

from __future__ import annotations

from typing import Any, Final

from ..entry import MISSING
from ..local import marked
from ..steps import Flow, Step
from .writes import PLAIN_ENTRY, Extras, Writes

NO_STEPS: Final[tuple[Step, ...]] = ()


class Alone(Writes):
    """Operations that the memory tier answers without a step."""

    def get(self, key: str) -> Flow[Any]:
        """Look a value up; `MISSING` if it is not there."""
        yield from NO_STEPS
        value = self.local.get(key)
        self._count("miss" if value is MISSING else "memory")
        return value

    def set(
        self, key: str, value: Any, life: int | None, when: str = "", extras: Extras = PLAIN_ENTRY
    ) -> Flow[bool]:
        """Write a value, as `Writes.set`."""
        if life == 0 or extras != PLAIN_ENTRY:
            return (yield from super().set(key, value, life, when, extras))
        copy, era = marked(key, self._codec.pack(value).copy), self._memory.era
        self._calls.sets += 1
        self._traffic.changed((key,))
        return self.local.put(key, copy, self._deadline(self._clock(), life), when, era)

    def delete(self, keys: tuple[str, ...]) -> Flow[int]:
        """Remove keys; return how many were there."""
        yield from NO_STEPS
        self._traffic.changed(keys)
        return self.local.remove(keys)

    def increment(self, key: str, delta: Any, *, create: bool = False) -> Flow[Any]:
        """Add to a value, as `Writes.increment`."""
        yield from NO_STEPS
        self._calls.sets += 1
        self._traffic.changed((key,))
        return self.local.increment(key, delta, create=create, era=self._memory.era)
