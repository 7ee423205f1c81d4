"""Loading many keys: one look, one computation of all that is missing, one write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from ..entry import MISSING, Missing
from ..errands import Compute, Launch, Wait
from ..exceptions import RedisAway
from ..flights import LoadFlight, Signal
from ..loading import LoadContext, is_async
from ..steps import Flow, Several
from .common import Sight
from .loads import Loads
from .plans import Load, Outcome, Plan

ManySource = Callable[[list[Any]], Any]
"""What computes values: called with the keys that are missing, returns those that it found."""


class Batches(Loads):
    """The operation that computes what is not there of many keys."""

    def load_many(
        self, keys: Mapping[str, Any], source: ManySource, plan: Plan
    ) -> Flow[dict[str, Any]]:
        """Return the values by full key; compute those that are missing, all in one call.

        Args:
            keys: what the source calls them, by full key.
            source: returns a mapping of values by its own keys; one that it leaves out is not
                there, and not stored.
            plan: how they are kept; neither early nor with a budget.

        Raises:
            Exception: what the source raised, where nothing stale is at hand.
        """
        sights = yield from self._sights(tuple(keys))
        values = {key: self._still(sight) for key, sight in sights.items()}
        now = self._clock()
        stale = {
            key: sight
            for key, sight in sights.items()
            if sight.stale and not self._traffic.rests(key, now)
        }
        yield from self._launch(keys, stale, source, plan)
        missing = [key for key in keys if key not in sights]
        led = yield from self._launch(keys, dict.fromkeys(missing), source, plan)
        for key in missing:
            value = yield from self._one_of_many(key, keys[key], led.get(key), source, plan)
            if value is not MISSING:
                values[key] = value
        return values

    def _sights(self, keys: tuple[str, ...]) -> Flow[dict[str, Sight]]:
        try:
            return (yield from self._look_at_all(keys))
        except RedisAway as away:
            self._alone(away)
            seen = {key: self._glance(self._memory.entries.get(key)) for key in keys}
            return {key: sight for key, sight in seen.items() if sight is not None}

    def _launch(
        self,
        keys: Mapping[str, Any],
        sights: Mapping[str, Sight | None],
        source: ManySource,
        plan: Plan,
    ) -> Flow[dict[str, LoadFlight]]:
        """Begin the flights of those keys that nobody on this node loads yet, as one."""
        loads, flights = [], {}
        for key, sight in sights.items():
            flight, leads = self._traffic.loads.board(key, self._memory.ticket(key))
            if leads:
                flights[key] = flight
                loads.append(Load(flight, key, plan, sight, Signal()))
        if loads:
            aside = loads[0].sight is not None
            names = [keys[load.key] for load in loads]
            flow = self._lead_many(loads, names, source)
            together = tuple(flights.values())
            yield Launch(flow, together, self._habits.budget, aside, awaited=not aside)
        return flights

    def _one_of_many(
        self, key: str, name: Any, flight: LoadFlight | None, source: ManySource, plan: Plan
    ) -> Flow[Any]:
        """Return what the flight of a key brought, this caller's or another's."""
        if flight is not None:
            yield Wait(flight, float("inf"))
            if not flight.abandoned:
                return self._landed(key, flight, leads=True)
            if self._brought_nothing(flight):
                return MISSING
        # Somebody else loads it: here, or on another node.
        only = _aonly if is_async(source) else _only
        return (yield from self.load(key, partial(only, source, name), plan))

    def _lead_many(self, loads: list[Load], names: list[Any], source: ManySource) -> Flow[None]:
        """Bring the flights to their ends, whatever happens."""
        try:
            with ExitStack() as bells:
                for load in loads:
                    load.changed = bells.enter_context(self._traffic.changes.hung(load.key))
                outcomes = yield from self._obtain_many(loads, names, source)
        except Exception as exc:  # noqa: BLE001 - it is everybody's who waits
            for load in loads:
                load.flight.traceback = exc.__traceback__
                self._traffic.loads.land(load.flight, error=exc)
        except BaseException as exc:
            for load in loads:
                self._abandon(load)
                load.flight.cause = exc
                self._traffic.loads.abandon(load.flight)
            raise
        else:
            for load in loads:
                self._end(load.flight, outcomes.get(load.key))

    def _obtain_many(
        self, loads: list[Load], names: list[Any], source: ManySource
    ) -> Flow[dict[str, Outcome | Missing | None]]:
        """Take the leases that nobody has; compute and store what they are for."""
        outcomes: dict[str, Outcome | Missing | None] = {}
        mine: dict[Any, Load] = {}
        try:
            found = yield from self._take_many(loads)
        except RedisAway as away:
            for load in loads:
                self._go_alone(load, away)
            found = {}
        for load, name in zip(loads, names, strict=True):
            if load.key in found:
                outcomes[load.key] = found[load.key]
            else:
                mine[name] = load
        if mine:
            outcomes |= yield from self._compute_many(mine, source)
        return outcomes

    def _take_many(self, loads: list[Load]) -> Flow[dict[str, Outcome | None]]:
        """Take the leases in one round trip.

        Returns:
            For the keys that are not to be computed here: what somebody has stored, or None if
            somebody else loads them.
        """
        asked = self._clock()
        tags = loads[0].plan.full_tags
        tickets = [[self._memory.ticket(name) for name in (load.key, *tags)] for load in loads]
        answers = yield Several(tuple(self._request(load) for load in loads))
        found: dict[str, Outcome | None] = {}
        for load, taken, (ticket, *others) in zip(loads, answers, tickets, strict=True):
            outcome = yield from self._stored_since(load, taken, ticket, asked)
            if outcome is None and not taken.mine and load.sight is not None:
                self._leave_alone(load, taken)
            if outcome is not None or not taken.mine:
                found[load.key] = outcome
            else:
                load.before = self._before(load, taken, others, asked)
        return found

    def _compute_many(
        self, mine: dict[Any, Load], source: ManySource
    ) -> Flow[dict[str, Outcome | Missing]]:
        loads = list(mine.values())
        context, began = LoadContext(loads[0].key), self._clock()
        try:
            found = yield Compute(partial(source, list(mine)), context, self._habits.cache)
            seconds = self._clock() - began
            for load in loads:
                load.settle(context, seconds)
            self._calls.loaded_in(seconds)
            return (yield from self._store_many(mine, mapping_of(found)))
        except Exception as exc:
            self._calls.load_failed(exc, self._clock())
            for load in loads:
                yield from self._give_up(load)
            raise

    def _store_many(
        self, mine: dict[Any, Load], found: Mapping[Any, Any]
    ) -> Flow[dict[str, Outcome | Missing]]:
        """Store what was found in one round trip; give the other leases back."""
        outcomes: dict[str, Outcome | Missing] = {}
        loaded = []
        for name, load in mine.items():
            if name not in found:
                outcomes[load.key] = MISSING
                yield from self._release(load)
                continue
            packed = self._codec.pack(found[name])
            outcomes[load.key] = Outcome(found[name], packed.copy)
            numbers = (yield from self._numbers_before(load)) if load.kept else None
            if numbers is None:
                yield from self._release(load)
            else:
                loaded.append(self._loaded(load, packed, numbers))
        if loaded:
            yield from self._write_loaded(loaded)
        return outcomes


def mapping_of(found: Any) -> Mapping[Any, Any]:
    """Return what a source of many values has found.

    Raises:
        TypeError: it is no mapping.
    """
    if not isinstance(found, Mapping):
        raise TypeError(
            f"the loader returned {type(found).__name__}; allowed: a mapping of values by key"
        )
    return found


def _only(source: ManySource, name: Any, context: LoadContext) -> Any:
    return _one(source([name]), name, context)


async def _aonly(source: ManySource, name: Any, context: LoadContext) -> Any:
    return _one(await source([name]), name, context)


def _one(found: Any, name: Any, context: LoadContext) -> Any:
    """Return the value of one key, `MISSING` if the source has none."""
    if name in found:
        return found[name]
    context.decline()
    return MISSING
