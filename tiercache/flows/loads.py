"""Loading: what is not there is computed once, by one caller on one node, for everybody.

    ask      memory or Redis has it: answer; stale, or about to be: answer, and see to a new one
    board    join the node's flight, or begin it and launch it
    flight   take the lease in Redis; who does not get it waits for its holder's message
             compute, with no lock, no connection and no valid ticket held
             store, only if the lease still bears this flight's token, and no tag was evicted

A change to the key takes the lease away, so what was computed before it is handed to those who
asked before it, and kept nowhere.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ..entry import KEPT, MISSING, Copy, Entry
from ..errands import LATE, OWN, Compute, Launch, Wait
from ..exceptions import LoadTimeout, RedisAway
from ..flights import Flight
from ..header import Meta
from ..loading import DEFAULT, NOT_MODIFIED, LoadContext, as_names
from ..local import Before
from ..steps import Extend, Flow, Release, Store, Take, Taken
from .common import PLAIN_META, Packed, Sight
from .writes import Writes

DEAF_PATIENCE = 0.1
"""Seconds after which a node that hears no messages looks again."""


class Terms(Protocol):
    """What callers' words mean to one alias."""

    def life(self, timeout: Any) -> int | None:
        """Return a timeout in milliseconds; 0: has passed; None: for ever."""

    def grace(self, seconds: Any) -> int:
        """Return a grace in milliseconds."""

    def tag(self, name: str) -> str:
        """Return the full key of a tag."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a value is loaded and kept.

    Attributes:
        terms: what timeouts, graces and tags mean.
        timeout, grace: as the caller gave them.
        tags: names.
        early: how eagerly it is loaded anew before its end (XFetch's beta); 0: never.
        budget: seconds that the caller waits for a load; None: as long as it takes.
        lease: whether one node in the cluster loads at a time.
    """

    terms: Terms
    timeout: Any
    grace: Any
    tags: tuple[str, ...] = ()
    early: float = 0.0
    budget: float | None = None
    lease: bool = True

    @property
    def full_tags(self) -> tuple[str, ...]:
        """The full keys of the tags."""
        return tuple(map(self.terms.tag, self.tags))


@dataclass(slots=True)
class Outcome:
    """What a flight brought.

    Attributes:
        value: for the one who led it.
        copy: of which each of the others gets a value of its own.
    """

    value: Any
    copy: Copy


class Loads(Writes):
    """The operations that compute what is not there."""

    def load(self, key: str, source: Any, plan: Plan, *, force: bool = False) -> Flow[Any]:
        """Return the value; compute it where there is none, or with `force` in any case.

        Raises:
            LoadTimeout: it was not computed within the budget.
            Exception: what the source raised, where nothing stale is at hand.
        """
        # XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
        # Prevention", VLDB 2015. One draw for each call, however often it looks.
        eagerness = -math.log(self._chance() or 1.0) * plan.early if plan.early else 0.0
        while True:
            sight = None if force else (yield from self._sight(key, eagerness))
            if sight is not None and not self._due(sight, eagerness):
                self._count(sight.tier)
                return sight.value
            if sight is not None and self._traffic.rests(key, self._clock()):
                return self._still(sight)
            flight, leads = self._traffic.loads.board(key, self._memory.ticket(key), alone=force)
            if leads:
                aside = sight is not None or plan.budget is not None
                flight.forced = force
                flow = self._lead(flight, key, source, plan, sight)
                yield Launch(flow, flight, self._habits.budget, aside)
            if sight is not None:
                return self._still(sight)
            landed = yield Wait(flight, math.inf if plan.budget is None else plan.budget)
            if landed == OWN:
                # Asked for by what loads it: to wait would be to wait for ever.
                return (yield Compute(source, LoadContext(key)))
            if landed == LATE:
                raise LoadTimeout(f"{key!r} was not loaded in {plan.budget} s; the load goes on")
            if not flight.abandoned:
                return self._landed(key, flight, leads)

    # Askers

    def _sight(self, key: str, eagerness: float) -> Flow[Sight | None]:
        """Look in memory, then in Redis; what is stale in memory needs no second look."""
        sight = self._glance(self._shelf.entries.get(key))
        if sight is not None and (sight.stale or not self._due(sight, eagerness)):
            return sight
        try:
            return (yield from self._look(key))
        except RedisAway as away:
            self._alone(away)
            return self._glance(self._memory.entries.get(key))

    def _glance(self, entry: Entry | None) -> Sight | None:
        """Return what memory has, stale or fresh."""
        now = self._clock()
        if entry is None or (
            entry.deadline <= now and not (entry.form & KEPT and now < entry.held.until)
        ):
            return None
        value = self.local.value(entry) if self.local.holds(entry) else MISSING
        if value is MISSING:
            return None
        entry.used = True
        meta = entry.held.meta if entry.form & KEPT else PLAIN_META
        return Sight(value, (entry.deadline - now) * 1000, "memory", meta)

    def _due(self, sight: Sight, eagerness: float) -> bool:
        """Tell whether it is time to load: it is stale, or as good as."""
        if not eagerness:
            return sight.stale
        return sight.left <= eagerness * (sight.meta.cost or self._calls.mean_load)

    def _still(self, sight: Sight) -> Any:
        self._count("stale" if sight.stale else sight.tier)
        return sight.value

    def _landed(self, key: str, flight: Flight, leads: bool) -> Any:  # noqa: FBT001
        if flight.error is not None:
            raise flight.error.with_traceback(flight.traceback)
        self._count("loaded")
        outcome: Outcome = flight.outcome
        return outcome.value if leads else self.local.opened(key, outcome.copy)

    # The flight

    def _lead(
        self, flight: Flight, key: str, source: Any, plan: Plan, sight: Sight | None
    ) -> Flow[None]:
        """Bring the flight to its end, whatever happens."""
        try:
            outcome = yield from self._obtain(_Load(flight, key, plan, sight), source)
        except Exception as exc:  # noqa: BLE001 - it is everybody's who waits
            self._traffic.loads.land(flight, error=exc)
        except BaseException:
            self._traffic.loads.abandon(flight)
            raise
        else:
            if outcome is None:
                self._traffic.loads.abandon(flight)
            else:
                self._traffic.loads.land(flight, outcome)

    def _obtain(self, load: _Load, source: Any) -> Flow[Outcome | None]:
        """Get the lease, or what its holder brings; compute and store. None: not now."""
        try:
            proceed = yield from self._take(load)
        except RedisAway as away:
            local = self._alone(away)
            load.away, load.token = True, None
            load.before = local.numbers_before(load.plan.full_tags)
        else:
            if not isinstance(proceed, _Load):
                return proceed
        stale = MISSING if load.sight is None else load.sight.value
        context = LoadContext(load.key, stale)
        began = self._clock()
        try:
            value = yield Compute(source, context)
            load.settle(context, self._clock() - began)
            self._calls.loaded_in(load.cost)
            if value is NOT_MODIFIED and load.sight is not None:
                return (yield from self._live_on(load, load.sight))
            return (yield from self._store(load, value))
        except Exception:
            self._calls.load_failures += 1
            yield from self._give_up(load)
            raise
        except BaseException:
            # No step can be taken any more; the keeper gives the lease back.
            if load.token is not None:
                self._traffic.abandon(load.key, load.token)
            raise

    # The lease

    def _take(self, load: _Load) -> Flow[_Load | Outcome | None]:
        """Wait for the lease, or for what its holder stores.

        Returns:
            The load if it is to be computed here, what somebody else has stored, or None if it
            is somebody else's to load and there is no need to wait.
        """
        key, sight, tags = load.key, load.sight, load.plan.full_tags
        life = int(self._habits.lease * 1000)
        # Without a lease everyone computes, and the last one who began stores.
        over = ("" if sight is not None else "resting") if load.plan.lease else "any"
        token = load.token = self._traffic.token()
        while True:
            with self._traffic.bells.hung(key) as bell:
                tickets = [self._memory.ticket(name) for name in (key, *tags)]
                asked = self._clock()
                taken: Taken = yield Take(key, token, life, over, tags)
                if not load.forced and taken.found is not None:
                    outcome = yield from self._stored_since(load, taken, tickets[0], asked)
                    if outcome is not None:
                        return outcome
                if taken.mine:
                    of = taken.numbers
                    numbers = self._keep_numbers(tags, of.found, tickets[1:], asked)
                    load.before = Before(numbers, of.count, of.evictions)
                    return load
                left = max(taken.left, 1) / 1000
                if sight is not None:
                    self._traffic.rest(key, self._clock() + left)
                    return None
                hears = self._habits.hears and not self._memory.paused
                yield Wait(bell, left if hears else min(left, DEAF_PATIENCE))

    def _stored_since(
        self, load: _Load, taken: Taken, ticket: int, asked: float
    ) -> Flow[Outcome | None]:
        """Return what somebody else has stored since the key was looked up, if anything."""
        entry = self._decode(load.key, taken.found)
        if entry is None:
            return None
        there = yield from self._judge(load.key, entry, ticket, asked)
        older = load.sight is not None and there is not None and there.left <= load.sight.left
        if there is None or there.stale or older:
            return None
        if taken.mine:
            yield from self._release(load)
        return Outcome(there.value, entry.copy)

    def _give_up(self, load: _Load) -> Flow[None]:
        """Let others try: at once, or after a rest where something stale is at hand."""
        rest = 0 if load.sight is None else int(self._habits.rest * 1000)
        if rest:
            self._traffic.rest(load.key, self._clock() + rest / 1000)
        yield from self._release(load, rest)

    def _release(self, load: _Load, rest: int = 0) -> Flow[None]:
        if load.token is None:
            return
        with suppress(RedisAway):  # it ends by itself, in a Redis that nobody asks at the moment
            yield Release(load.key, load.token, rest)
        self._traffic.bells.ring((load.key,))

    # What was computed

    def _live_on(self, load: _Load, sight: Sight) -> Flow[Outcome]:
        """Let the stale value be fresh again, for as long as if it had been computed anew."""
        copy = self._codec.pack(sight.value).copy
        outcome = Outcome(sight.value, copy)
        if load.token is None or not load.stored or load.life == 0:
            yield from self._release(load)
            return outcome
        total = None if load.life is None else load.life + sight.meta.grace
        self._memory.begin(load.key)
        try:
            with suppress(RedisAway):  # the copy is dropped all the same
                yield Extend(load.key, load.token, total)
        finally:
            self._memory.invalidate(load.key)
        self._traffic.bells.ring((load.key,))
        return outcome

    def _store(self, load: _Load, value: Any) -> Flow[Outcome]:
        """Store what was computed, if nothing has changed since the load began."""
        packed = self._codec.pack(value)
        outcome = Outcome(value, packed.copy)
        numbers = (yield from self._numbers_before(load)) if load.stored else None
        if numbers is None or load.life == 0:
            yield from self._release(load)
            return outcome
        meta = load.meta(numbers)
        ticket, valid = self._memory.renew(load.key, load.flight.ticket)
        if valid:
            # Whoever asks from now on may still join.
            load.flight.ticket = ticket
        elif load.away:
            # It was changed meanwhile, and there is no lease by which Redis could tell.
            return outcome
        yield from self._write_loaded(load, packed, meta, ticket, valid=valid)
        self._traffic.bells.ring((load.key,))
        return outcome

    def _write_loaded(
        self, load: _Load, packed: Packed, meta: Meta | None, ticket: int, *, valid: bool
    ) -> Flow[None]:
        key, era, now = load.key, self._memory.era, self._clock()
        dressed = self._dressed(key, packed, load.life, meta, now)
        deadline = self._deadline(now, load.life)
        if load.away:
            self.local.put(key, dressed.copy, deadline, "", era)
            return
        items, tags = ((key, dressed.raw),), meta.tags if meta else ()
        try:
            (stored,) = yield Store(items, dressed.life, "", tags, load.token)
        except RedisAway as away:
            if valid:
                self._alone(away, key).put(key, dressed.copy, deadline, "", era)
        except BaseException:
            self._memory.invalidate(key)
            raise
        else:
            if stored is True:
                self._memory.finish(key, dressed.copy, deadline, ticket)
            else:
                self._memory.invalidate(key)

    def _numbers_before(self, load: _Load) -> Flow[dict[str, Any] | None]:
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


class _Load:
    """One load on its way.

    Attributes:
        flight, key, plan: what is loaded, and how.
        sight: what there is while it is loaded, None for nothing.
        forced: whether it is loaded whatever is there.
        token: what the lease bears; None while Redis is away.
        away: whether memory alone is written to.
        before: what was known of tags when it began.
        life, grace, tags, stored, cost: how to store it, once it has been computed; in
            milliseconds, and by full keys.
    """

    def __init__(self, flight: Flight, key: str, plan: Plan, sight: Sight | None) -> None:
        self.flight = flight
        self.key = key
        self.plan = plan
        self.sight = sight
        self.forced = flight.forced
        self.token: str | None = None
        self.away = False
        self.before = Before({}, 0, 0)

    def settle(self, context: LoadContext, seconds: float) -> None:
        """Decide how it is stored, now that the source has had its say."""
        plan, terms = self.plan, self.plan.terms
        self.cost = max(int(seconds * 1000), 1)
        self.stored = context.stored
        self.life = terms.life(plan.timeout if context.timeout is DEFAULT else context.timeout)
        grace = terms.grace(plan.grace if context.grace is DEFAULT else context.grace)
        self.grace = 0 if self.life is None else grace
        names = dict.fromkeys((*plan.tags, *as_names(context.tags)))
        self.tags = tuple(map(terms.tag, names))

    def meta(self, numbers: dict[str, Any]) -> Meta | None:
        """Return the header of the entry, None for a plain one."""
        if not self.grace and not numbers:
            return None
        return Meta(self.grace, self.cost, tuple(numbers.items()))
