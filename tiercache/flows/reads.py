"""The operations that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..entry import MISSING
from ..errands import HAPPENED, LATE, Wait
from ..exceptions import RedisAway
from ..flights import Flight
from ..header import Meta
from ..keys import is_internal, softened_of
from ..steps import FOREVER, Flow, Found, Peek, Read, Scan
from .common import SCAN_COUNT, Decoded, Sight, Tiers


class Reads(Tiers):
    """The operations that change nothing, but for the copies that memory keeps."""

    def get(self, key: str) -> Flow[Any]:
        """Look a value up in Redis and keep a copy; `MISSING` if it is not there."""
        try:
            sight = yield from self._look(key)
        except RedisAway as away:
            value = self._alone(away).get(key)
            there = value is not MISSING
            self._count_alone(away, int(there), int(not there))
            return value
        if sight is None or sight.stale:
            self._count("miss")
            return MISSING
        self._count("redis", left=sight.left)
        return sight.value

    def get_many(self, keys: tuple[str, ...]) -> Flow[dict[str, Any]]:
        """Look values up in Redis, all in one step, and keep copies."""
        try:
            sights = yield from self._look_at_all(keys)
        except RedisAway as away:
            local = self._alone(away)
            values = {key: local.get(key) for key in keys}
            there = {key: value for key, value in values.items() if value is not MISSING}
            self._count_alone(away, len(there), len(keys) - len(there))
        else:
            there = {key: sight.value for key, sight in sights.items() if not sight.stale}
            self._count("redis", len(there))
            self._count("miss", len(keys) - len(there))
        return there

    def has(self, key: str) -> Flow[bool]:
        """Tell whether there is anything under the key."""
        try:
            peeked = yield Peek((key,))
            if peeked is None or not peeked.headed:
                return peeked is not None
            sight = yield from self._look(key)
        except RedisAway as away:
            return self._alone(away).has(key)
        return sight is not None and not sight.stale

    def left(self, key: str) -> Flow[int | None]:
        """Tell what is left of an entry's time in milliseconds, `FOREVER`, None: not there."""
        try:
            peeked = yield Peek((key,))
            if peeked is None or not peeked.headed:
                return None if peeked is None else int(peeked.left)
            sight = yield from self._look(key)
        except RedisAway as away:
            return self._alone(away).left(key)
        if sight is None or sight.stale:
            return None
        return FOREVER if sight.left == float("inf") else int(sight.left)

    def scan(
        self, cursor: int, pattern: str, match: Callable[[str], bool], count: int = SCAN_COUNT
    ) -> Flow[tuple[int, list[str]]]:
        """Take one step of a walk: the next cursor, 0 at the end, and the keys found on it."""
        try:
            cursor, keys = yield Scan(cursor, pattern, count)
        except RedisAway as away:
            return 0, self._alone(away).keys(match)
        return cursor, [key for key in keys if match(key) and not is_internal(key)]

    # What they share

    def _look(self, key: str) -> Flow[Sight | None]:
        """Look an entry up in Redis, stale or fresh, and keep a copy."""
        ticket, asked = self._memory.ticket(key), self._clock()
        # While memory is not trusted every look-up is Redis's own answer, begun after the call.
        flight, leads = self._traffic.reads.board(key, ticket, alone=self._memory.paused)
        if leads:
            try:
                (found,) = yield Read((key,))
            except RedisAway as away:
                self._traffic.reads.land(flight, error=away)
                raise
            except BaseException:
                self._traffic.reads.abandon(flight)
                raise
            self._traffic.reads.land(flight, (found, asked))
        else:
            found, asked = yield from self._join(key, flight)
        entry = self._decode(key, found)
        if entry is None:
            return None
        if entry.meta is None:
            return self._keep(key, entry, ticket, asked, {})
        return (yield from self._judge(key, entry, ticket, asked))

    def _judge(self, key: str, entry: Decoded, ticket: int, asked: float) -> Flow[Sight | None]:
        """Return an entry if its tags still have the numbers that it bears, and keep a copy."""
        tags = entry.meta.tags if entry.meta else ()
        numbers = (yield from self._numbers(tag for tag, _ in tags)) if tags else {}
        sight = self._keep(key, entry, ticket, asked, numbers)
        if sight is None and entry.meta and entry.meta.grace:
            return (yield from self._softened(entry, entry.meta, numbers))
        return sight

    def _softened(self, entry: Decoded, meta: Meta, numbers: dict[str, Any]) -> Flow[Sight | None]:
        """Return an entry of whose tags some were evicted, as a stale one if they were softly.

        No copy is kept: it would need the numbers that its tags had before.
        """
        gone = [(tag, number) for tag, number in meta.tags if numbers.get(tag) != number]
        answers: list[Found | None] = yield Read(tuple(softened_of(tag) for tag, _ in gone))
        fresh = 0 if entry.left is None else min(entry.left - meta.grace, 0)
        for (_, number), found in zip(gone, answers, strict=True):
            life, _, former = ((found and found.raw) or b"").partition(b":")
            if found is None or str(number).encode() not in former.split(b","):
                return None
            fresh = min(fresh, found.left - int(life))
        if -fresh >= meta.grace:
            return None
        return Sight(entry.value, fresh, "redis", meta, softened=True)

    def _join(self, key: str, flight: Flight) -> Flow[tuple[Found | None, float]]:
        """Return what another look-up under way brings, and when that asked."""
        landed = yield Wait(flight, None)
        if landed == LATE:
            # Its own budget is over as well, unless nobody carries it on: let others ask anew.
            self._traffic.reads.abandon(flight)
            raise RedisAway("timeout", "the look-up that this one had joined took too long")
        if landed == HAPPENED and isinstance(flight.error, RedisAway):
            raise RedisAway(flight.error.kind, str(flight.error)) from flight.error
        if landed == HAPPENED and not flight.abandoned:
            found, asked = flight.outcome
            return found, asked
        asked = self._clock()
        (found,) = yield Read((key,))
        return found, asked

    def _look_at_all(self, keys: tuple[str, ...]) -> Flow[dict[str, Sight]]:
        """Look entries up in one step, and their tags' numbers in another if need be."""
        asked = self._clock()
        tickets = [self._memory.ticket(key) for key in keys]
        answers = yield Read(keys)
        entries = [self._decode(key, found) for key, found in zip(keys, answers, strict=True)]
        tags = {tag for entry in entries if entry and entry.meta for tag, _ in entry.meta.tags}
        numbers = (yield from self._numbers(tags)) if tags else {}
        sights = {
            key: self._keep(key, entry, ticket, asked, numbers)
            for key, entry, ticket in zip(keys, entries, tickets, strict=True)
            if entry is not None
        }
        return {key: sight for key, sight in sights.items() if sight is not None}
