"""The operations that change something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..entry import MISSING
from ..exceptions import RedisAway
from ..local import marked
from ..steps import (
    NOT_AN_INTEGER,
    Call,
    Exists,
    Expire,
    Flow,
    Increment,
    Read,
    Remove,
    Rename,
    ScanToRemove,
    Step,
    Store,
    Swap,
)
from .common import SCAN_COUNT, Tiers


class Writes(Tiers):
    """The operations that change something, and drop or replace the copies of it."""

    def set(self, key: str, value: Any, life: int | None, when: str = "") -> Flow[bool]:
        """Write a value that lives `life` milliseconds (0: is gone at once; None: for ever).

        `when` is as in `Store`. Return whether it was written.
        """
        packed = self._codec.pack(value)
        self._calls.sets += 1
        if life == 0:
            return (yield from self._set_expired(key, when))
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
        return bool(stored)

    def set_many(self, values: Mapping[str, Any], life: int | None) -> Flow[None]:
        """Write values that all live `life` milliseconds, in one step."""
        packed = {key: self._codec.pack(value) for key, value in values.items()}
        count = len(packed)
        self._calls.sets += count
        if not packed:
            return
        if life == 0:
            yield from self.delete(tuple(packed))
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

    def delete(self, keys: tuple[str, ...]) -> Flow[int]:
        """Remove keys; return how many were there."""
        try:
            removed: int = yield from self._change(Remove(keys))
        except RedisAway as away:
            return self._alone(away, *keys).remove(keys)
        return removed

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
        except RedisAway as away:
            return self._alone(away, key).increment(key, delta, create=create, era=era)
        return MISSING if total is None else total

    def expire(self, key: str, command: str, argument: int | None, life: int | None) -> Flow[bool]:
        """Change how long an entry lives, by the command named (see `Expire`).

        `life` is what the command leaves of the entry's time, in milliseconds.
        """
        deadline = self._deadline(self._clock(), life)
        try:
            changed: bool = yield from self._change(Expire(key, command, argument))
        except RedisAway as away:
            return self._alone(away, key).retime(key, deadline)
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
                keys = tuple(key for key in found if match(key))
                if keys:
                    removed += yield Remove(keys, pattern)
                if not cursor:
                    return removed
        except RedisAway as away:
            self._alone(away)
            return max(dropped, removed)
        finally:
            # Whoever read a value before its removal must not keep it.
            self._memory.invalidate_where(match)

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
        return answer

    def _set_expired(self, key: str, when: str) -> Flow[bool]:
        """Do as django-redis does with a value that is to be gone at once."""
        if when != "NX":
            return bool((yield from self.delete((key,))))
        try:
            there: bool = yield Exists((key,))
        except RedisAway as away:
            there = self._alone(away).has(key)
        return not there

    def _add_in_python(self, key: str, delta: Any) -> Flow[Any]:
        (found,) = yield Read((key,))
        decoded = self._decoded(key, found)
        if decoded is None:
            return None
        total = decoded[0] + delta
        swapped = yield from self._change(Swap(key, found.raw, self._codec.pack(total).raw))
        return total if swapped else NOT_AN_INTEGER
