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
from typing import Any

from ..entry import KEPT, MISSING, Entry, Missing
from ..errands import LATE, OWN, Compute, Launch, Wait
from ..exceptions import LoadTimeout, RedisAway
from ..flights import LoadFlight
from ..loading import NOT_MODIFIED, LoadContext
from ..steps import Flow
from .common import PLAIN_META, Sight
from .plans import Load, Outcome, Plan
from .storing import Storing


class Loads(Storing):
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
        end = math.inf if plan.budget is None else self._clock() + plan.budget
        while True:
            sight = None if force else (yield from self._sight(key, eagerness))
            if sight is not None and not self._due(sight, eagerness):
                self._count(sight.tier, left=sight.left)
                return sight.value
            if sight is not None and self._traffic.rests(key, self._clock()):
                return self._still(sight)
            waits = plan.waits(sight)
            flight, leads = self._traffic.loads.board(key, self._memory.ticket(key), alone=force)
            if leads:
                aside = plan.budget is not None or not waits
                flight.forced = force
                flow = self._lead(flight, key, source, plan, sight)
                yield Launch(flow, (flight,), self._habits.budget, aside, awaited=waits)
            if sight is not None and not waits:
                return self._still(sight)
            landed = yield Wait(flight, max(end - self._clock(), 0.0))
            failed = landed not in (LATE, OWN) and flight.error is not None
            if sight is not None and (landed == LATE or failed):
                return self._still(sight, flight.error if failed else None)
            if landed == LATE:
                self._calls.failed += 1
                raise LoadTimeout(f"{key!r} was not loaded in {plan.budget} s; the load goes on")
            if landed != OWN and flight.abandoned:
                if leads and self._brought_nothing(flight):
                    return MISSING
                continue
            value = MISSING if landed == OWN else self._landed(key, flight, leads=leads)
            # Asked for by what loads it, where to wait would be to wait for ever; or brought in
            # a form of which no second copy can be made.
            return (
                (yield Compute(source, LoadContext(key), self._habits.cache))
                if value is MISSING
                else value
            )

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

    def _still(self, sight: Sight, error: BaseException | None = None) -> Any:
        self._count("stale" if sight.stale else sight.tier, left=sight.left, error=error)
        return sight.value

    @staticmethod
    def _brought_nothing(flight: LoadFlight) -> bool:
        """Tell whether the source had no value; raise what interrupted it."""
        if flight.cause is not None:
            raise flight.cause
        return flight.outcome is MISSING

    def _landed(self, key: str, flight: LoadFlight, *, leads: bool) -> Any:
        if flight.error is not None:
            self._calls.failed += 1
            raise flight.error.with_traceback(flight.traceback)
        self._count("loaded")
        outcome: Outcome = flight.outcome
        return outcome.value if leads else self.local.opened(key, outcome.copy)

    # The flight

    def _lead(
        self, flight: LoadFlight, key: str, source: Any, plan: Plan, sight: Sight | None
    ) -> Flow[None]:
        """Bring the flight to its end, whatever happens."""
        try:
            with self._traffic.changes.hung(key) as changed:
                load = Load(flight, key, plan, sight, changed)
                outcome = yield from self._obtain(load, source)
        except Exception as exc:  # noqa: BLE001 - it is everybody's who waits
            flight.traceback = exc.__traceback__
            self._traffic.loads.land(flight, error=exc)
        except BaseException as exc:
            # Who began it is told, since what interrupted it once would do so again.
            flight.cause = exc
            self._traffic.loads.abandon(flight)
            raise
        else:
            self._end(flight, outcome)

    def _end(self, flight: LoadFlight, outcome: Outcome | Missing | None) -> None:
        """Land with what was brought; where that is nothing, those who joined try themselves."""
        if isinstance(outcome, Outcome):
            self._traffic.loads.land(flight, outcome)
        else:
            flight.outcome = outcome
            self._traffic.loads.abandon(flight)

    def _obtain(self, load: Load, source: Any) -> Flow[Outcome | Missing | None]:
        """Get the lease, or what its holder brings; compute and store. None: not now."""
        try:
            found = yield from self._take_or_go_alone(load)
            if not isinstance(found, Load):
                return found
            return (yield from self._compute(load, source))
        except Exception:
            raise
        except BaseException:
            # No step can be taken any more; the keeper gives the lease back.
            self._abandon(load)
            raise

    def _take_or_go_alone(self, load: Load) -> Flow[Load | Outcome | None]:
        try:
            return (yield from self._take(load))
        except RedisAway as away:
            self._go_alone(load, away)
            return self._held_since(load) or load

    def _held_since(self, load: Load) -> Outcome | None:
        """Return what memory has come to hold since the key was looked up, if anything."""
        there = None if load.forced else self._glance(self._shelf.entries.get(load.key))
        older = load.sight is not None and there is not None and there.left <= load.sight.left
        if there is None or there.stale or older:
            return None
        return Outcome(there.value, self._codec.pack(there.value).copy)

    def _compute(self, load: Load, source: Any) -> Flow[Outcome | Missing]:
        stale = MISSING if load.sight is None else load.sight.value
        context = LoadContext(load.key, stale)
        began = self._clock()
        try:
            value = yield Compute(source, context, self._habits.cache)
            seconds = self._clock() - began
            load.settle(context, seconds)
            self._calls.loaded_in(seconds)
            if value is NOT_MODIFIED and load.sight is not None:
                return (yield from self._live_on(load, load.sight))
            return (yield from self._store(load, value))
        except Exception as exc:
            self._calls.load_failed(exc, self._clock())
            yield from self._give_up(load)
            raise
