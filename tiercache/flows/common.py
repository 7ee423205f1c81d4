"""What the flows share: their tiers, how a value is filled in, and who answers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .. import sources
from ..entry import MISSING, Copy
from ..exceptions import RedisAway, Undecodable
from ..local import Local, marked
from ..memory import MemoryTier
from ..stats import Calls
from ..steps import FOREVER, Found, Raw

SCAN_COUNT = 1000
"""Keys that Redis looks at in one step of a walk."""


class Packed(Protocol):
    """A value, ready for both tiers."""

    @property
    def raw(self) -> Raw:
        """The bytes for Redis."""

    @property
    def copy(self) -> Copy:
        """The copy for memory."""


class Format(Protocol):
    """A value format (see `codec`)."""

    loads: Callable[[bytes], Any]

    def pack(self, value: Any) -> Packed:
        """Return the value, ready for both tiers."""

    def unpack(self, raw: Raw) -> tuple[Any, Copy]:
        """Return the value and its copy; raise `Undecodable`."""


class Tiers:
    """Both tiers as one alias uses them.

    Args:
        memory: the store's memory tier.
        codec: its value format.
        calls: the alias's counters.
        raises: whether callers see `RedisAway` instead of the memory tier's answer.
        cap: the longest life of a copy that memory did not make itself, in seconds.
        clock: the memory tier's clock, in seconds.
        undecodable: called with the key and the error when a value cannot be read.
    """

    def __init__(
        self,
        *,
        memory: MemoryTier,
        codec: Format,
        calls: Calls,
        raises: bool,
        cap: float,
        clock: Callable[[], float],
        undecodable: Callable[[str, Undecodable], None],
    ) -> None:
        self.local = Local(memory, codec, clock, self._count_undecodable)
        self._memory = memory
        self._codec = codec
        self._calls = calls
        self._raises = raises
        self._cap = cap
        self._clock = clock
        self._undecodable = undecodable

    def _alone(self, away: RedisAway, *changed: str) -> Local:
        """Return who answers instead of Redis, or raise for those who would rather know."""
        if self._raises and away.kind != "alone":
            self._memory.invalidate_many(changed)
            raise away
        return self.local

    def _fill(self, key: str, found: Found | None, ticket: int, asked: float) -> Any:
        """Return the value that Redis sent, and keep a copy for what is left of its time."""
        decoded = self._decoded(key, found)
        if found is None or decoded is None:
            return MISSING
        value, copy = decoded
        # Counted from before the question, so the copy ends before the entry does.
        left = None if found.left == FOREVER else found.left
        self._memory.install(key, marked(key, copy), self._deadline(asked, left), ticket)
        return value

    def _decoded(self, key: str, found: Found | None) -> tuple[Any, Copy] | None:
        """Return the value and its copy, None where there is none that can be read."""
        if found is None:
            return None
        error = Undecodable("what is stored under this key is not a string")
        if found.raw is not None:
            try:
                return self._codec.unpack(found.raw)
            except Undecodable as exc:
                error = exc
        self._count_undecodable(key, error)
        return None

    def _count_undecodable(self, key: str, error: Undecodable) -> None:
        self._calls.undecodable += 1
        self._undecodable(key, error)

    def _deadline(self, since: float, life: int | None) -> float:
        if life is None:
            return since + self._cap
        return since + min(life / 1000, self._cap)

    def _count(self, tier: sources.Tier, times: int = 1) -> None:
        if tier == "memory":
            self._calls.memory_hits += times
        elif tier == "redis":
            self._calls.redis_hits += times
        else:
            self._calls.misses += times
        if sources.watching and times:
            sources.note(tier)
