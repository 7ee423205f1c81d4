"""Every order in which a plan's events can happen, each state that they lead to looked at once.

A plan makes a run; a run says which events may come next, lets one happen, and judges where it
stands. Orders that lead to the same state have the same future, so it is explored once and the
orders are counted. That is sound if a state holds all that the future and the verdict depend on.
`frozen` sees to it: it takes what a flow is suspended on out of its frame (where it stands, and
its variables), and follows everything that it is not told to leave out. What it is told to leave
out never changes while a plan runs, is only counted, or (who stands where in the policy's queues)
decides nothing, since no plan fills a memory tier.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any, Protocol, TypeAlias

from tiercache.codec import Codec
from tiercache.entry import Entry, Missing
from tiercache.flights import Bells, Flight, Flights, Signal, Traffic
from tiercache.flows import Flows
from tiercache.health import Health
from tiercache.loading import LoadContext
from tiercache.local import Local
from tiercache.memory import MemoryTier
from tiercache.shelf import Shelf
from tiercache.stats import Calls

Event: TypeAlias = tuple[Any, ...]


class Run(Protocol):
    """One world, on its way through one order of events."""

    def events(self) -> list[Event]:
        """Return what may happen next; always the same in the same state."""

    def do(self, event: Event) -> None:
        """Let it happen."""

    def state(self) -> Hashable:
        """Return all that the future and the verdict depend on."""

    def wrong(self) -> list[str]:
        """Return which promises are broken here."""

    def finish(self) -> list[str]:
        """Bring the world to rest; return which promises are broken then."""


@dataclass
class Explored:
    """What was looked at.

    Attributes:
        schedules: how many orders of all events there are.
        states: how many states they lead to.
        violation: the first order that broke a promise, and what is wrong then.
        complete: whether all was looked at.
    """

    schedules: int = 0
    states: int = 0
    violation: tuple[list[Event], list[str]] | None = None
    complete: bool = True


def explore(make: Callable[[], Run], until: float = float("inf")) -> Explored:
    """Try every order of a plan's events, until one breaks a promise.

    Args:
        make: begins the plan.
        until: when to stop in any case, as `time.monotonic()` tells it.
    """
    found = Explored()
    following: dict[Hashable, int] = {}

    def visit(run: Run, path: list[Event]) -> int:
        """Return how many schedules go on from here."""
        state = run.state()
        if state in following:
            return following[state]
        events = run.events()
        wrong = run.wrong() if events else run.wrong() + run.finish()
        if wrong:
            found.violation = list(path), wrong
        following[state] = 0  # whoever comes back here, as one who polls may, adds no order
        schedules = 0 if events else 1
        for number, event in enumerate(events):
            found.complete = found.complete and time.monotonic() < until
            if found.violation or not found.complete:
                break
            # A flow cannot be copied: the first event takes the run, the others need another.
            following_run = run if number == 0 else replay(make, path)
            path.append(event)
            if broken := attempt(following_run, event):
                found.violation = list(path), broken
            else:
                schedules += visit(following_run, path)
            path.pop()
        following[state] = schedules
        return schedules

    found.schedules = visit(make(), [])
    found.states = len(following)
    return found


def attempt(run: Run, event: Event) -> list[str]:
    """Let an event happen; whatever is raised is a broken promise as well."""
    try:
        run.do(event)
    except Exception as exc:  # noqa: BLE001 - nothing may be raised
        return [f"raised {type(exc).__name__}: {exc}"]
    return []


def replay(make: Callable[[], Run], path: Iterable[Event]) -> Run:
    """Return a run in which these events have happened."""
    run = make()
    for event in path:
        run.do(event)
    return run


# States

_ATOMS = frozenset({int, str, bytes, float, bool, type(None), Missing})
_LEFT_OUT = (
    *(Codec, Local, Calls, Shelf, FunctionType, BuiltinFunctionType, MethodType),
    *(type(threading.Lock()), type),
)
_WITH_THEIR_NODE = (MemoryTier, Health, Flows, Traffic)


def frozen(value: Any) -> Hashable:
    """Return what a value is as something that can be compared."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    freeze = _FREEZERS.get(kind)
    if freeze is None:
        freeze = _FREEZERS[kind] = _freezer(kind)
    return freeze(value)


def _freezer(kind: type) -> Callable[[Any], Hashable]:
    for kinds, freeze in _BY_KIND:
        if issubclass(kind, kinds):
            return freeze
    if is_dataclass(kind):
        names = [each.name for each in fields(kind)]
        return lambda value: (kind.__name__, *[frozen(getattr(value, name)) for name in names])
    return lambda value: (kind.__name__, frozen(vars(value)))


def _generator(flow: Any) -> Hashable:
    """Return where a flow is suspended, with its variables and those of the flows in it."""
    frame = flow.gi_frame
    if frame is None:
        return flow.__name__
    return flow.__name__, frame.f_lasti, _variables(frame.f_locals), frozen(flow.gi_yieldfrom)


def _variables(variables: Mapping[str, Any]) -> Hashable:
    """Return all but what is looked at with the node that has it."""
    return tuple(
        [
            (name, frozen(held))
            for name, held in variables.items()
            if name != "self" and not isinstance(held, _WITH_THEIR_NODE)
        ]
    )


def _entry(entry: Entry) -> tuple[Any, ...]:
    return entry.key, entry.held, entry.form, entry.deadline


def _memory(memory: MemoryTier) -> Hashable:
    copies = list(map(_entry, memory.entries.values()))
    # 1,024 numbers are too many to keep for each state
    epochs = hash(tuple(memory._epochs))
    return tuple(sorted(copies)), epochs, memory._epoch_of_all, memory._era, memory._paused


def _flight(flight: Flight) -> Hashable:
    fate = flight.happened, flight.abandoned, frozen(flight.outcome), frozen(flight.error)
    return flight.key, flight.ticket, getattr(flight, "forced", False), fate


def _traffic(traffic: Traffic) -> Hashable:
    under_way = [frozen(each._flights) for each in (traffic.reads, traffic.loads)]
    waits = frozen(traffic.bells), frozen(traffic.changes), frozen(traffic.resting)
    return *under_way, *waits, tuple(traffic.abandoned)


# The first that fits counts. What a flight's token is called makes no difference.
_BY_KIND: tuple[tuple[Any, Callable[[Any], Hashable]], ...] = (
    (_LEFT_OUT, lambda value: type(value).__name__),
    (MemoryTier, _memory),
    (Flows, lambda flows: _variables(vars(flows))),
    (Entry, _entry),
    (Traffic, _traffic),
    (LoadContext, lambda load: (frozen(load._stale), load.stored, frozenset(load.tags))),
    (Flights, lambda flights: frozen(flights._flights)),
    (Bells, lambda bells: tuple([(key, len(rung)) for key, rung in bells._bells.items()])),
    (Flight, _flight),
    (Signal, lambda signal: signal.happened),
    ((tuple, list, deque), lambda value: tuple(map(frozen, value))),
    (dict, lambda value: tuple([(frozen(key), frozen(held)) for key, held in value.items()])),
    ((set, frozenset), frozenset),
    (BaseException, lambda error: (type(error).__name__, str(error))),
    (GeneratorType, _generator),
)
_FREEZERS: dict[type, Callable[[Any], Hashable]] = {}
