"""The operations that change something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..entry import MISSING, Copy, kept
from ..exceptions import RedisAway
from ..header import Meta, wrap
from ..keys import LEASE, is_internal
from ..local import marked
from ..steps import (
    NOT_AN_INTEGER,
    TAGS_CHANGED,
    Call,
    Expire,
    Flow,
    Increment,
    Raw,
    Read,
    Remove,
    Rename,
    ScanToRemove,
    Soften,
    Step,
    Store,
    Swap,
)
from .common import PLAIN_META, SCAN_COUNT, Packed
from .reads import Reads


class Extras(NamedTuple):
    """What an entry may have beyond its value and its timeout.

    Attributes:
        grace: how long after its timeout it may be served stale, in milliseconds.
        tags: full keys of its tags.
    """

    grace: int = 0
    tags: tuple[str, ...] = ()


PLAIN_ENTRY = Extras()


class Dressed(NamedTuple):
    """An entry with all that belongs to it.

    Attributes:
        raw: the bytes for Redis.
        copy: for memory.
        life: milliseconds that Redis keeps it, None for ever.
    """

    raw: Raw
    copy: Copy
    life: int | None


class Writes(Reads):
    """The operations that change something, and drop or replace the copies of it."""

    def set(
        self, key: str, value: Any, life: int | None, when: str = "", extras: Extras = PLAIN_ENTRY
    ) -> Flow[bool]:
        """Write a value that lives `life` milliseconds (0: is gone at once; None: for ever).

        `when` is as in `Store`. Return whether it was written.
        """
        packed = self._codec.pack(value)
        self._calls.sets += 1
        if life == 0:
            return (yield from self._set_expired(key, when))
        if extras != PLAIN_ENTRY:
            return (yield from self._set_extended({key: packed}, life, when, extras))
        copy, era, ticket = marked(key, packed.copy), self._memory.era, self._memory.begin(key)
        deadline = self._deadline(self._clock(), life)
        try:
            (stored,) = yield Store(((key, packed.raw),), life, when)
        except RedisAway as away:
            return self._alone(away, key).put(key, copy, deadline, when, era)
        except BaseException:
            # Cancelled, or refused as nonsense: it is not known what Redis holds now.
            self._memory.invalidate(key)
            raise
        if stored:
            self._memory.finish(key, copy, deadline, ticket)
            self._traffic.changed((key,))
        return bool(stored)

    def set_many(
        self, values: Mapping[str, Any], life: int | None, extras: Extras = PLAIN_ENTRY
    ) -> Flow[None]:
        """Write values that all live `life` milliseconds, in one step."""
        packed = {key: self._codec.pack(value) for key, value in values.items()}
        count = len(packed)
        self._calls.sets += count
        if not packed:
            return
        if life == 0:
            yield from self.delete(tuple(packed))
            return
        if extras != PLAIN_ENTRY:
            yield from self._set_extended(packed, life, "", extras)
            return
        era = self._memory.era
        tickets = self._memory.begin_many(packed)
        deadline = self._deadline(self._clock(), life)
        copies = {key: marked(key, item.copy) for key, item in packed.items()}
        try:
            yield Store(tuple((key, item.raw) for key, item in packed.items()), life)
        except RedisAway as away:
            local = self._alone(away, *packed)
            for key, copy in copies.items():
                local.put(key, copy, deadline, "", era)
        except BaseException:
            self._memory.invalidate_many(packed)
            raise
        else:
            self._memory.finish_many(copies, deadline, tickets)
        self._traffic.changed(packed)

    def delete(self, keys: tuple[str, ...]) -> Flow[int]:
        """Remove keys; return how many were there."""
        try:
            removed: int = yield from self._change(Remove(keys))
        except RedisAway as away:
            return self._alone(away, *keys).remove(keys)
        return removed

    def evict(self, tags: tuple[str, ...], *, soft: bool = False) -> Flow[int]:
        """Evict everything that bears one of these tags; return how many of them were known.

        A tag without a number, and one with another number, are alike to what bears the old one.
        With `soft` what has a grace goes stale instead, where Redis answers.
        """
        try:
            step = Soften(tags) if soft else Remove(tags, evicts=True)
            known: int = yield from self._change(step)
        except RedisAway as away:
            return self._alone(away, *tags).evict(tags)
        finally:
            # Who asks from now on must not get what was computed before.
            self._traffic.loads.seal()
        return known

    def increment(self, key: str, delta: Any, *, create: bool = False) -> Flow[Any]:
        """Add to a value; return the sum, or `MISSING` where there is none and none is made.

        Redis adds integers of 64 bits; everything else that Python can add is read, added and
        swapped in if nobody changed it meanwhile.
        """
        era = self._memory.era
        self._calls.sets += 1
        try:
            total = yield from self._change(Increment(key, delta, create))
            while total is NOT_AN_INTEGER:
                total = yield from self._add_in_python(key, delta)
                if total is None and create:
                    # What is there is stale, or has been evicted: as good as nothing.
                    begin = Store(((key, self._codec.pack(delta).raw),), None, "NX")
                    (made,) = yield from self._change(begin)
                    total = delta if made else NOT_AN_INTEGER
        except RedisAway as away:
            return self._alone(away, key).increment(key, delta, create=create, era=era)
        return MISSING if total is None else total

    def expire(self, key: str, command: str, argument: int | None, life: int | None) -> Flow[bool]:
        """Change how long an entry lives, by the command named (see `Expire`).

        `life` is what the command leaves of the entry's time, in milliseconds.
        """
        era = self._memory.era
        deadline = self._deadline(self._clock(), life)
        try:
            changed: bool = yield from self._change(Expire(key, command, argument))
        except RedisAway as away:
            return self._alone(away, key).retime(key, deadline, era)
        return changed

    def rename(self, old: str, new: str) -> Flow[bool]:
        """Give an entry another key; False where there is none."""
        era = self._memory.era
        try:
            renamed: bool = yield from self._change(Rename(old, new))
        except RedisAway as away:
            return self._alone(away, old, new).rename(old, new, era)
        return renamed

    def remove_pattern(
        self, pattern: str, match: Callable[[str], bool], count: int = SCAN_COUNT
    ) -> Flow[int]:
        """Remove all keys that fit, a batch at a time; return how many were there."""
        dropped = self._memory.invalidate_where(match)
        removed = cursor = 0
        try:
            while True:
                cursor, found = yield ScanToRemove(cursor, pattern, count)
                # A lease stands for what is being loaded, which may be stored before it is removed.
                keys = dict.fromkeys(key.removesuffix(LEASE) for key in found)
                if own := tuple(key for key in keys if match(key) and not is_internal(key)):
                    removed += yield Remove(own, pattern)
                if tags := tuple(key for key in keys if match(key) and is_internal(key)):
                    yield Remove(tags, pattern, evicts=True)
                if not cursor:
                    return removed
        except RedisAway as away:
            self._alone(away)
            return max(dropped, removed)
        finally:
            # Whoever read a value before its removal must not keep it.
            self._memory.invalidate_where(match)
            self._traffic.changed(None)

    def call(
        self, function: Callable[[Any], Any], keys: tuple[str, ...], *, writes: bool, empty: Any
    ) -> Flow[Any]:
        """Run one of django-redis's own calls; `empty` is the answer while Redis is away."""
        step = Call(function, keys, writes)
        try:
            if writes:
                return (yield from self._change(step))
            return (yield step)
        except RedisAway as away:
            self._alone(away, *keys)
            return empty

    # What they share

    def _change(self, step: Step) -> Flow[Any]:
        """Carry out a change of which memory keeps no copy.

        The old copies stay readable until Redis has answered, and where it does not answer.
        """
        for key in step.keys:
            self._memory.begin(key)
        try:
            answer = yield step
        except RedisAway:
            raise
        except BaseException:
            self._memory.invalidate_many(step.keys)
            raise
        self._memory.invalidate_many(step.keys)
        self._traffic.changed(step.keys)
        return answer

    def _set_expired(self, key: str, when: str) -> Flow[bool]:
        """Do as django-redis does with a value that is to be gone at once."""
        if when != "NX":
            return bool((yield from self.delete((key,))))
        return not (yield from self.has(key))

    def _add_in_python(self, key: str, delta: Any) -> Flow[Any]:
        (found,) = yield Read((key,), to_change=(key,))
        entry = self._decode(key, found)
        if entry is None:
            return None
        meta, left = entry.meta, entry.left
        if meta is not None:
            numbers = yield from self._numbers((tag for tag, _ in meta.tags), to_change=(key,))
            if any(numbers.get(tag) != number for tag, number in meta.tags) or (
                left is not None and left <= meta.grace
            ):
                return None
        total = entry.value + delta
        raw = self._codec.pack(total).raw
        new = raw if meta is None else wrap(meta, raw)
        swapped = yield from self._change(Swap(key, entry.raw, new))
        return total if swapped else NOT_AN_INTEGER

    def _set_extended(
        self, packed: Mapping[str, Packed], life: int | None, when: str, extras: Extras
    ) -> Flow[bool]:
        """Write values with grace or tags; return whether the last one was written."""
        era, keys = self._memory.era, tuple(packed)
        tickets = self._memory.begin_many(keys)
        now = self._clock()
        deadline = self._deadline(now, life)

        def dress(numbers: Mapping[str, Any]) -> dict[str, Dressed]:
            meta = Meta(0 if life is None else extras.grace, 0, tuple(numbers.items()))
            dressing = None if meta == PLAIN_META else meta
            return {k: self._dressed(k, item, life, dressing, now) for k, item in packed.items()}

        try:
            numbers = yield from self._numbers_to_bear(extras.tags, keys)
            while True:
                dressed = dress(numbers)
                items = tuple((key, each.raw) for key, each in dressed.items())
                total = dressed[keys[0]].life
                stored = yield Store(items, total, when, tuple(numbers.items()))
                if TAGS_CHANGED not in stored:
                    break
                numbers = (yield from self._given_numbers(extras.tags, keys)).numbers
        except RedisAway as away:
            local = self._alone(away, *keys)
            dressed = dress(local.numbers(extras.tags))
            stored = [local.put(key, dressed[key].copy, deadline, when, era) for key in keys]
        except BaseException:
            self._memory.invalidate_many(keys)
            raise
        else:
            if all(stored):
                copies = {key: each.copy for key, each in dressed.items()}
                self._memory.finish_many(copies, deadline, tickets)
        self._traffic.changed(keys)
        return bool(stored[-1])

    def _dressed(
        self, key: str, packed: Packed, life: int | None, meta: Meta | None, now: float
    ) -> Dressed:
        """Return what both tiers are to hold."""
        copy = marked(key, packed.copy)
        if meta is None:
            return Dressed(packed.raw, copy, life)
        total = None if life is None else life + meta.grace
        return Dressed(wrap(meta, packed.raw), kept(copy, self._deadline(now, total), meta), total)

    def _numbers_to_bear(
        self, tags: tuple[str, ...], keys: tuple[str, ...]
    ) -> Flow[dict[str, int]]:
        """Return the tags' numbers as this node knows them; whether they hold, Redis decides."""
        entries, now = self._shelf.entries, self._clock()
        known = [entries.get(tag) for tag in tags]
        if all(entry is not None and now < entry.deadline for entry in known):
            return {tag: entry.held for tag, entry in zip(tags, known, strict=True) if entry}
        return (yield from self._given_numbers(tags, keys)).numbers
