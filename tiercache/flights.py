"""What is under way inside one node, so that later callers join it instead of doing it again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

MOST_RESTS = 10_000
"""Keys of which it is remembered that they are not to be loaded yet; past it all are forgotten."""

MOST_ABANDONED = 10_000
"""Leases that wait to be given back; past it the oldest ends by its own time."""


class Signal:
    """Something that happens once. Thread-safe, without a lock.

    Attributes:
        happened: whether it has.
    """

    __slots__ = ("_listeners", "happened")

    def __init__(self) -> None:
        self.happened = False
        self._listeners: list[Callable[[], object]] = []

    def listen(self, listener: Callable[[], object]) -> None:
        """Call the listener, once, when it happens; at once if it has."""
        self._listeners.append(listener)
        if self.happened:
            # Whoever takes it out of the list calls it: this thread, or the one that fires.
            try:
                self._listeners.remove(listener)
            except ValueError:
                return
            listener()

    def ignore(self, listener: Callable[[], object]) -> None:
        """Call the listener no more."""
        try:
            self._listeners.remove(listener)
        except ValueError:
            return

    def fire(self) -> None:
        """Let it happen."""
        self.happened = True
        while self._listeners:
            try:
                listener = self._listeners.pop()
            except IndexError:
                return
            listener()


class Flight(Signal):
    """Something under way for one key; it happens when it has landed.

    Attributes:
        key: the full key.
        ticket: the key's ticket when it began; who holds another one must not join.
        thread: the thread that carries it on, which must not wait for it, at first the one that
            began it; None while none does.
        outcome: what it brought, once it has landed.
        error: why it brought nothing; the same for all who waited.
        abandoned: whether it ended without either, so that whoever waited tries again.
        lost: tells whether nobody carries it on any more, as after its event loop has ended;
            None where that cannot be.
    """

    __slots__ = ("abandoned", "error", "key", "lost", "outcome", "thread", "ticket")

    def __init__(self, key: str, ticket: int) -> None:
        self.happened = False
        self._listeners = []
        self.key = key
        self.ticket = ticket
        self.thread: int | None = threading.get_ident()
        self.outcome: Any = None
        self.error: Exception | None = None
        self.abandoned = False
        self.lost: Callable[[], bool] | None = None


class LoadFlight(Flight):
    """A load under way.

    Attributes:
        traceback: where `error` was raised.
        cause: why it was abandoned, where what carried it on was interrupted.
        forced: whether it is under way whatever there is already.
        blocked_by: the loads that what carries it on is waiting for.
    """

    __slots__ = ("blocked_by", "cause", "forced", "traceback")

    def __init__(self, key: str, ticket: int) -> None:
        super().__init__(key, ticket)
        self.cause: BaseException | None = None
        self.traceback: TracebackType | None = None
        self.forced = False
        self.blocked_by: list[LoadFlight] = []


_Flight = TypeVar("_Flight", bound=Flight)


class Flights(Generic[_Flight]):
    """The flights of one kind, one for each key. Thread-safe."""

    def __init__(self, kind: type[_Flight]) -> None:
        self._kind = kind
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._flights)

    def board(self, key: str, ticket: int, *, alone: bool = False) -> tuple[_Flight, bool]:
        """Join the key's flight, or begin one: return it, and whether the caller leads it.

        A flight whose ticket differs began before a change that the caller may know of, so it
        is not joined; the new one takes its place. Nor is one that is lost, which is abandoned.
        With `alone` none is joined.
        """
        with self._lock:
            there = self._flights.get(key)
            lost = there is not None and there.lost is not None and there.lost()
            if there is not None and there.ticket == ticket and not alone and not lost:
                return there, False
            self._flights[key] = flight = self._kind(key, ticket)
        if lost and there is not None:
            self.abandon(there)
        return flight, True

    def seal(self) -> None:
        """Let nobody join what is under way: it began before a change that callers may know of."""
        with self._lock:
            self._flights.clear()

    def land(self, flight: _Flight, outcome: Any = None, *, error: Exception | None = None) -> None:
        """Tell all who wait what the flight brought; nobody joins it any more."""
        flight.outcome, flight.error = outcome, error
        self._end(flight)

    def abandon(self, flight: _Flight) -> None:
        """Tell all who wait that the flight brings nothing, so that they try for themselves."""
        if not flight.happened:
            flight.abandoned = True
            self._end(flight)

    def _end(self, flight: _Flight) -> None:
        with self._lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        flight.fire()


class Bells:
    """Who waits for a change to a key. Thread-safe."""

    def __init__(self) -> None:
        self._bells: dict[str, list[Signal]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._bells)

    @contextmanager
    def hung(self, key: str) -> Iterator[Signal]:
        """Return a signal of the first change to the key from now on."""
        bell = Signal()
        with self._lock:
            self._bells.setdefault(key, []).append(bell)
        try:
            yield bell
        finally:
            with self._lock:
                bells = self._bells.get(key, [])
                if bell in bells:
                    bells.remove(bell)
                if not bells:
                    self._bells.pop(key, None)

    def ring(self, keys: Iterable[str] | None) -> None:
        """Tell those who wait for these keys, or all of them."""
        if not self._bells:
            # Nearly always; so it costs a change nothing.
            return
        with self._lock:
            names = list(self._bells) if keys is None else list(keys)
            bells = [bell for key in names for bell in self._bells.pop(key, ())]
        for bell in bells:
            bell.fire()


class Traffic:
    """Everything under way in one node.

    Args:
        hurry: called when a lease has been abandoned, which somebody should give back soon.

    Attributes:
        reads, loads: the flights.
        bells: who waits for another node's load.
        changes: loads that have to know of a change to their key.
        abandoned: leases to give back, as key and token.
        resting: until when keys are not to be loaded.
    """

    def __init__(self, hurry: Callable[[], object]) -> None:
        self._hurry = hurry
        self.begin("")

    def begin(self, name: str) -> None:
        """Begin with nothing under way, as in the child of a fork.

        Args:
            name: what this node's leases begin with; no other node's do.
        """
        self.reads = Flights(Flight)
        self.loads = Flights(LoadFlight)
        self.bells = Bells()
        self.changes = Bells()
        self.abandoned: deque[tuple[str, str]] = deque(maxlen=MOST_ABANDONED)
        self.resting: dict[str, float] = {}
        self._name = name
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        under_way = len(self.reads) + len(self.loads) + len(self.changes)
        return under_way + len(self.bells) + len(self.abandoned)

    def changed(self, keys: Iterable[str] | None) -> None:
        """Tell all whom it concerns that these keys were changed, or all of them."""
        if self.resting:
            for key in tuple(self.resting) if keys is None else tuple(keys):
                self.resting.pop(key, None)
        self.changes.ring(keys)
        self.bells.ring(keys)

    def sweep(self, now: float) -> None:
        """Forget the rests that are over."""
        for key, until in list(self.resting.items()):
            if until <= now:
                self.resting.pop(key, None)

    def token(self) -> str:
        """Return a name for a lease that no other lease of any node has."""
        with self._lock:
            self._count += 1
            return f"{self._name}:{self._count}"

    def abandon(self, key: str, token: str) -> None:
        """Leave a lease behind that its holder cannot give back itself."""
        self.abandoned.append((key, token))
        self._hurry()

    def rest(self, key: str, until: float) -> None:
        """Do not try to load a key again before a time of the clock, or a change to the key."""
        if len(self.resting) >= MOST_RESTS:
            self.resting.clear()
        self.resting[key] = until

    def rests(self, key: str, now: float) -> bool:
        """Tell whether a key is not to be loaded yet."""
        until = self.resting.get(key)
        if until is None:
            return False
        if until <= now:
            self.resting.pop(key, None)
            return False
        return True
