"""What the flows share: their tiers, how an entry is read and kept, and who answers alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .. import sources
from ..entry import Copy, Lookup, kept
from ..exceptions import RedisAway, Undecodable
from ..flights import Traffic
from ..header import Meta, split
from ..local import Before, Local, marked
from ..memory import MemoryTier
from ..molds import Mold
from ..stats import Calls
from ..steps import FOREVER, Flow, Found, Numbers, Raw, Read, Tags

# Not the site's own random state, which may be seeded, and is every thread's.
_chance = random.SystemRandom().random

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

    def mold(self, data: bytes) -> Mold | None:
        """Return what makes the value of a `SERIALIZED` copy faster, if any."""


class Entries(Protocol):
    """Where copies are looked up while memory is trusted; nothing is there while it is not."""

    entries: Lookup


@dataclass(frozen=True, slots=True)
class Habits:
    """How an alias goes about its work.

    Attributes:
        cache: the alias.
        raises: whether callers see `RedisAway` instead of the memory tier's answer.
        budget: seconds that one call may spend on Redis.
        cap: the longest life of a copy that memory did not make itself, in seconds.
        lease: seconds after which the lease of a load ends by itself.
        rest: seconds after a failed load before the next try, where a stale value is at hand.
        hears: whether other nodes' changes are heard of.
    """

    cache: str = ""
    raises: bool = False
    budget: float = 1.0
    cap: float = float("inf")
    lease: float = 10.0
    rest: float = 10.0
    hears: bool = True


PLAIN_META = Meta()


class Decoded(NamedTuple):
    """An entry as Redis sent it.

    Attributes:
        value: what it holds.
        copy: the copy for memory, without what `meta` says.
        left: milliseconds until the end of its grace, None for ever.
        meta: its header, None for a plain one.
        raw: its bytes.
    """

    value: Any
    copy: Copy
    left: int | None
    meta: Meta | None
    raw: bytes


@dataclass(slots=True)
class Sight:
    """An entry that may be used.

    Attributes:
        value: what it holds.
        left: milliseconds that it is fresh for, 0 or less if it is stale; infinity for ever.
        tier: which tier had it.
        meta: its header, an empty one where it has none.
        softened: whether it is stale because a tag of its was evicted softly.
    """

    value: Any
    left: float
    tier: sources.Tier
    meta: Meta = PLAIN_META
    softened: bool = False

    @property
    def stale(self) -> bool:
        """Whether it is in its grace."""
        return self.left <= 0


class Tiers:
    """Both tiers as one alias uses them.

    Args:
        memory: the store's memory tier.
        shelf: where copies are looked up.
        traffic: what is under way.
        codec: the store's value format.
        calls: the alias's counters.
        habits: how it goes about its work.
        clock: the memory tier's clock, in seconds.
        undecodable: called with the key and the error when a value cannot be read.
        chance: returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        memory: MemoryTier,
        shelf: Entries,
        traffic: Traffic,
        codec: Format,
        calls: Calls,
        habits: Habits,
        clock: Callable[[], float],
        undecodable: Callable[[str, Undecodable], None],
        chance: Callable[[], float] = _chance,
    ) -> None:
        self.local = Local(memory, codec, clock, self._count_undecodable)
        self._memory = memory
        self._shelf = shelf
        self._traffic = traffic
        self._codec = codec
        self._calls = calls
        self._habits = habits
        self._clock = clock
        self._undecodable = undecodable
        self._chance = chance

    def _alone(self, away: RedisAway, *changed: str) -> Local:
        """Return who answers instead of Redis, or raise for those who would rather know.

        Args:
            away: why it does not.
            changed: keys that are going to be changed; whoever waits for that is told.
        """
        self._traffic.changed(changed)
        if self._habits.raises and away.kind != "alone":
            self._memory.invalidate_many(changed)
            raise away
        return self.local

    # Entries as Redis has them

    def _decode(self, key: str, found: Found | None) -> Decoded | None:
        """Return an entry as Redis sent it, None where there is none that can be read."""
        if found is None:
            return None
        try:
            whole = _string(found.raw)
            meta, raw = split(whole)
            value, copy = self._codec.unpack(raw)
        except Undecodable as exc:
            self._count_undecodable(key, exc)
            return None
        return Decoded(value, copy, None if found.left == FOREVER else found.left, meta, whole)

    def _keep(
        self, key: str, entry: Decoded, ticket: int, asked: float, numbers: dict[str, Any]
    ) -> Sight | None:
        """Return what Redis sent, if its tags have these numbers, and keep a copy.

        The copy's end is counted from before the question, so it comes before the entry's.
        """
        copy, left, meta = marked(key, entry.copy), entry.left, entry.meta
        end = self._deadline(asked, left)
        if meta is None:
            self._memory.install(key, copy, end, ticket)
            # In its last millisecond it is fresh, and nothing that is loaded anew beside its use.
            return Sight(entry.value, float("inf") if left is None else max(left, 1), "redis")
        if any(numbers.get(tag) != number for tag, number in meta.tags):
            return None
        fresh = None if left is None else left - meta.grace
        self._memory.install(key, kept(copy, end, meta), self._deadline(asked, fresh), ticket)
        return Sight(entry.value, float("inf") if fresh is None else fresh, "redis", meta)

    def _numbers(
        self, tags: Iterable[str], to_change: tuple[str, ...] = ()
    ) -> Flow[dict[str, Any]]:
        """Return the tags' numbers by full key: from memory, those it has not from Redis.

        `to_change` names keys that are going to be changed, whatever comes of this.
        """
        now, numbers = self._clock(), {}
        unknown = []
        for tag in tags:
            entry = self._shelf.entries.get(tag)
            if entry is not None and now < entry.deadline:
                entry.used = True
                numbers[tag] = entry.held
            else:
                unknown.append(tag)
        if unknown:
            tickets = [self._memory.ticket(tag) for tag in unknown]
            answers = yield Read(tuple(unknown), to_change)
            numbers |= self._keep_numbers(unknown, answers, tickets, now)
        return numbers

    def _given_numbers(
        self, tags: tuple[str, ...], to_change: tuple[str, ...] = ()
    ) -> Flow[Before]:
        """Return the tags' numbers from Redis, where those that have none are given one."""
        asked, tickets = self._clock(), [self._memory.ticket(tag) for tag in tags]
        answer: Numbers = yield Tags(tags, to_change)
        numbers = self._keep_numbers(tags, answer.found, tickets, asked)
        return Before(numbers, answer.count, answer.evictions)

    def _keep_numbers(
        self,
        tags: Iterable[str],
        answers: Iterable[Found | None],
        tickets: Iterable[int],
        asked: float,
    ) -> dict[str, Any]:
        numbers = {}
        for tag, found, ticket in zip(tags, answers, tickets, strict=True):
            entry = self._decode(tag, found)
            if entry is not None:
                self._keep(tag, entry, ticket, asked, {})
                numbers[tag] = entry.value
        return numbers

    def _count_undecodable(self, key: str, error: Undecodable) -> None:
        self._calls.undecodable += 1
        self._undecodable(key, error)

    def _count_alone(self, away: RedisAway, found: int, missing: int) -> None:
        """Count look-ups that memory alone has answered."""
        self._count("memory", found)
        self._count("miss", missing, lost=0 if away.kind == "alone" else missing)

    def _deadline(self, since: float, life: float | None) -> float:
        if life is None:
            return since + self._habits.cap
        return since + min(life / 1000, self._habits.cap)

    def _count(
        self,
        tier: sources.Tier,
        times: int = 1,
        left: float | None = None,
        error: BaseException | None = None,
        lost: int = 0,
    ) -> None:
        """Count look-ups; `left` as in `Sight`, `error` as in `sources.Seen`.

        Args:
            lost: how many of the misses Redis was not asked for, or did not answer.
        """
        # Each is an attribute of its own to be raised without a lock (see `Calls`).
        if tier == "memory":
            self._calls.memory_hits += times
        elif tier == "redis":
            self._calls.redis_hits += times
        elif tier == "miss":
            # With no call in between, nobody sees the one without the other (see `Calls`).
            self._calls.misses += times
            self._calls.unanswered += lost
        elif tier == "stale":
            self._calls.stale_hits += times
        else:
            self._calls.loaded += times
        if sources.watching and times:
            sources.note(tier, None if left is None else left / 1000, error)


def _string(raw: bytes | None) -> bytes:
    if raw is None:
        raise Undecodable("what is stored under this key is not a string")
    return raw
