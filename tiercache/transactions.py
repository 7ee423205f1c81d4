"""In step with the database: changes that wait for the commit of the transaction they are made in.

What waits stands in Django's own list of what to call after the commit (`run_on_commit`), so
rollbacks, savepoints and commits are Django's. All that is kept beside it is an index of what the
list says, made anew whenever the list is no longer the one that it was made of.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from . import sources
from .flows import Flows
from .flows.overlay import Overlay
from .pending import Effect, View
from .steps import Flow

Run: TypeAlias = Callable[[Flow[Any]], Any]

_Function = TypeVar("_Function", bound=Callable[..., Any])

blocks = 0
"""How many `on_commit` blocks are open in this process."""

_open: ContextVar[tuple[str, ...]] = ContextVar("tiercache_on_commit", default=())
"""The databases of the blocks that are open in this context, the innermost last."""

_serials = itertools.count()


class OnCommit(ContextDecorator):
    """A block, or a function, whose changes wait for the commit; see `on_commit`.

    It holds nothing of any block, so one may be entered again, and by several threads.
    """

    def __init__(self, using: str) -> None:
        self._using = using

    def __enter__(self) -> None:
        global blocks  # noqa: PLW0603 - read by every call, so it must be no more than a number
        if self._using not in connections.settings:
            raise ConnectionDoesNotExist(
                f"on_commit(using={self._using!r}): there is no such database; allowed: "
                f"{', '.join(map(repr, connections.settings))}"
            )
        _open.set((*_open.get(), self._using))
        blocks += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global blocks  # noqa: PLW0603 - as above
        blocks -= 1
        _open.set(_open.get()[:-1])

    def __call__(self, function: _Function) -> _Function:
        """Return the function, each of its calls in a block of its own."""
        if not iscoroutinefunction(function):
            return super().__call__(function)

        @wraps(function)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return inside  # type: ignore[return-value]


def on_commit(using: str | None = None) -> OnCommit:
    """Let changes of caches wait for the commit of the transaction that they are made in.

    As `with on_commit():` or `@on_commit()`. Inside a `transaction.atomic()` block sets, deletes
    and tag evictions are applied when the transaction commits, in their order, and dropped with
    the savepoint or transaction that is rolled back; reads see the transaction's own changes.
    Where no such block is open everything is applied at once. What is deferred, and what is not,
    stands in `docs/transactions.md`.

    Args:
        using: the alias of the database whose transaction it is; None: the default one.

    Raises:
        ConnectionDoesNotExist: there is no such database; when the block is entered.
    """
    return OnCommit(DEFAULT_DB_ALIAS if using is None else using)


class Change:
    """A change that waits for the commit.

    While any is alive `sources.watching` is raised, so hits are looked at twice: since Django
    forgets the changes of what is rolled back, there is no other moment to lower it.

    Attributes:
        store: whose keys it is about.
        effect: what its transaction sees of it.
        serial: its place among all changes of this process.
        done: whether it has been applied, or at least tried.
    """

    __slots__ = ("__weakref__", "_flow", "_run", "done", "effect", "serial", "store")

    def __init__(
        self, store: object, effect: Effect, flow: Callable[[], Flow[Any]] | None, run: Run
    ) -> None:
        self.store = store
        self.effect = effect
        self.serial = next(_serials)
        self.done = False
        self._flow = flow
        self._run = run
        sources.watching += 1

    def __del__(self) -> None:
        sources.watching -= 1

    def apply(self) -> None:
        """Carry it out, after the commit."""
        # In a `TestCase` that runs what waits, it goes on standing in the list.
        self.done = True
        _pending.outdated = True
        if self._flow is not None:
            self._run(self._flow())


class _Pending(threading.local):
    """What this thread's transactions have changed: an index of its connections' lists.

    Attributes:
        outdated: whether it has to be made anew in any case.
    """

    def __init__(self) -> None:
        self.outdated = False
        self._views: dict[object, View] = {}
        # Where in each list the newest indexed change stands. A rollback drops all that was
        # added since something, so as long as that one is there, those before it are.
        self._marks: dict[BaseDatabaseWrapper, tuple[int, weakref.ref[Change]]] = {}

    def view(self, store: object) -> View | None:
        """Return what the transactions of this thread have changed in a store, None: nothing."""
        if not self._marks or _on_event_loop():
            return None
        if not self._in_step():
            self._index()
        return self._views.get(store)

    def latest(self) -> BaseDatabaseWrapper:
        """Return a connection on which changes wait; there has to be one."""
        return next(reversed(self._marks))

    def add(self, connection: BaseDatabaseWrapper, change: Change) -> None:
        """Let a change wait for the commit of the transaction that is open on this connection."""
        in_step = self._in_step()
        # Robust: it has been committed, and other callbacks have to run, whatever comes of this.
        connection.on_commit(change.apply, robust=True)
        self._mark(connection, len(connection.run_on_commit) - 1, change)
        if in_step:
            self._note(change)
        else:
            self._index()

    def _in_step(self) -> bool:
        return not self.outdated and all(
            _stands_at(connection, place, newest())
            for connection, (place, newest) in self._marks.items()
        )

    def _index(self) -> None:
        self.outdated = False
        self._views = {}
        changes: list[Change] = []
        for connection in tuple(self._marks):
            del self._marks[connection]
            for place, change in _waiting(connection):
                changes.append(change)
                self._mark(connection, place, change)
        for change in sorted(changes, key=lambda change: change.serial):
            self._note(change)

    def _mark(self, connection: BaseDatabaseWrapper, place: int, change: Change) -> None:
        self._marks[connection] = place, weakref.ref(change)

    def _note(self, change: Change) -> None:
        self._views.setdefault(change.store, View()).note(change.effect)


_pending = _Pending()
view_of = _pending.view


class _Open:
    """An open transaction, as one alias uses it."""

    def __init__(self, connection: BaseDatabaseWrapper, store: object, run: Run) -> None:
        self._connection = connection
        self._store = store
        self._run = run

    def view(self) -> View:
        return _pending.view(self._store) or View()

    def defer(self, effect: Effect, flow: Callable[[], Flow[Any]] | None) -> None:
        _pending.add(self._connection, Change(self._store, effect, flow, self._run))


def flows_for(flows: Flows, store: object, database: str | None, run: Run) -> Flows | Overlay:
    """Return what an alias's operations are for who calls now.

    Args:
        flows: its own.
        store: whose keys they are about.
        database: that whose transactions its changes always wait for, if any.
        run: drives a flow to its end.
    """
    connection = _deferring(database)
    if connection is not None:
        return Overlay(flows, _Open(connection, store, run), defers=True)
    if _pending.view(store) is not None:
        return Overlay(flows, _Open(_pending.latest(), store, run), defers=False)
    return flows


def _deferring(database: str | None) -> BaseDatabaseWrapper | None:
    """Return the connection for whose commit changes wait, None if they do not."""
    if _on_event_loop():
        return None
    for name in (*reversed(_open.get()), *((database,) if database else ())):
        connection = connections[name]
        if connection.in_atomic_block:
            return connection
    return None


def _on_event_loop() -> bool:
    """Tell whether this is asynchronous code, for which Django has no transactions."""
    return asyncio._get_running_loop() is not None


def _waiting(connection: BaseDatabaseWrapper) -> Iterator[tuple[int, Change]]:
    """Yield the changes that wait on a connection, and where they stand in its list."""
    if connection.in_atomic_block:
        for place, item in enumerate(connection.run_on_commit):
            change = _change_of(item)
            if change is not None and not change.done:
                yield place, change


def _stands_at(connection: BaseDatabaseWrapper, place: int, change: Change | None) -> bool:
    waiting = connection.run_on_commit if connection.in_atomic_block else []
    return change is not None and len(waiting) > place and _change_of(waiting[place]) is change


def _change_of(item: tuple[Any, ...]) -> Change | None:
    change = getattr(item[1], "__self__", None)
    return change if isinstance(change, Change) else None
