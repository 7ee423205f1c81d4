"""Storing what was computed, unless something has changed since the load began."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..entry import MISSING, Missing
from ..exceptions import RedisAway
from ..steps import Extend, Flow, Several, Store
from .common import Packed, Sight
from .leases import Leases
from .plans import Load, Loaded, Outcome


class Storing(Leases):
    """What happens to a value once it has been computed."""

    def _live_on(self, load: Load, sight: Sight) -> Flow[Outcome]:
        """Let the stale value be fresh again, for as long as if it had been computed anew."""
        packed = self._codec.pack(sight.value)
        outcome = Outcome(sight.value, packed.copy)
        if not load.kept:
            yield from self._release(load)
            return outcome
        if load.away:
            # Memory alone has nothing to extend but the value itself, with the tags that it bears.
            load.grace, numbers = sight.meta.grace, dict(sight.meta.tags)
            yield from self._write_loaded([self._loaded(load, packed, numbers)])
            return outcome
        if sight.softened:
            # It needs its tags' new numbers, so it is written anew.
            load.grace, load.tags = sight.meta.grace, tuple(tag for tag, _ in sight.meta.tags)
            return (yield from self._store_packed(load, sight.value, packed))
        assert load.token is not None  # noqa: S101 - it has the lease
        total = None if load.life is None else load.life + sight.meta.grace
        self._memory.begin(load.key)
        try:
            with suppress(RedisAway):  # the copy is dropped all the same
                yield Extend(load.key, load.token, total)
        finally:
            self._memory.invalidate(load.key)
        self._traffic.changed((load.key,))
        return outcome

    def _store(self, load: Load, value: Any) -> Flow[Outcome | Missing]:
        """Store what was computed, if nothing has changed since the load began."""
        if value is MISSING:
            yield from self._release(load)
            nothing: Missing = value
            return nothing
        return (yield from self._store_packed(load, value, self._codec.pack(value)))

    def _store_packed(self, load: Load, value: Any, packed: Packed) -> Flow[Outcome]:
        numbers = (yield from self._numbers_before(load)) if load.kept else None
        if numbers is None:
            yield from self._release(load)
        else:
            yield from self._write_loaded([self._loaded(load, packed, numbers)])
        return Outcome(value, packed.copy)

    def _loaded(self, load: Load, packed: Packed, numbers: dict[str, Any]) -> Loaded:
        """Make ready to store; who asks from now on may still join the flight."""
        now, era = self._clock(), self._memory.era
        ticket, valid = self._memory.renew(load.key, load.flight.ticket)
        if valid:
            load.flight.ticket = ticket
        meta = load.meta(numbers)
        dressed = self._dressed(load.key, packed, load.life, meta, now)
        tags = meta.tags if meta else ()
        # Without a lease it bears a token that no lease has: Redis is not to store it, should it be
        # back, and while it is away the step is journaled like any other write.
        token = load.token or self._traffic.token()
        step = Store(((load.key, dressed.raw),), dressed.life, "", tags, token)
        return Loaded(load, step, dressed.copy, self._deadline(now, load.life), ticket, era)

    def _write_loaded(self, loaded: list[Loaded]) -> Flow[None]:
        """Store in one round trip; in memory alone while Redis is away."""
        keys = [each.load.key for each in loaded]
        try:
            answers = yield from self._send(loaded)
        except RedisAway as away:
            for each in loaded:
                # There is no lease by which Redis could tell whether it was changed meanwhile.
                if not each.load.changed.happened:
                    local = self._alone(away, each.load.key)
                    local.put(each.load.key, each.copy, each.deadline, "", each.era)
        except BaseException:
            self._memory.invalidate_many(keys)
            raise
        else:
            for each, (stored,) in zip(loaded, answers, strict=True):
                if stored is True:
                    self._memory.finish(each.load.key, each.copy, each.deadline, each.ticket)
                else:
                    self._memory.invalidate(each.load.key)
        self._traffic.changed(keys)

    @staticmethod
    def _send(loaded: list[Loaded]) -> Flow[tuple[list[bool | str], ...]]:
        if len(loaded) == 1:
            return ((yield loaded[0].step),)
        answers: tuple[list[bool | str], ...] = yield Several(tuple([e.step for e in loaded]))
        return answers

    def _numbers_before(self, load: Load) -> Flow[dict[str, Any] | None]:
        """Return the tags' numbers from before the value was computed.

        None if one of those that the source named may have been evicted since.
        """
        before = load.before
        more = tuple(tag for tag in load.tags if tag not in before.numbers)
        if not more:
            return {tag: before.numbers[tag] for tag in load.tags}
        try:
            after = (
                self.local.numbers_before(more)
                if load.away
                else (yield from self._given_numbers(more))
            )
        except RedisAway:
            return None
        # Numbers go up in Redis and down in memory; what was given since may replace another.
        given_since = any(abs(n) > abs(before.last) for n in after.numbers.values())
        if given_since and after.evictions != before.evictions:
            return None
        numbers = {**before.numbers, **after.numbers}
        return {tag: numbers[tag] for tag in load.tags}
