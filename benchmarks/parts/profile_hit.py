"""Where a hit in memory goes: the same look-up with one thing more each time."""

from __future__ import annotations

import asyncio
import pickle
from time import monotonic
from typing import Any, Final

from benchmarks import rivals
from benchmarks.measuring import Call, Runs
from benchmarks.part import Run, Table

from .calls import TEXT, page, small
from .rungs import Rung, ladder

KEY: Final = "key:1"
CASTS: Final = 10_000
"""Hits after which what can have a mold has one, but for one chance in e^600."""

PROTOCOL: Final = pickle.DEFAULT_PROTOCOL
"""The one by which django-redis pickles, if the settings say nothing."""

NOTE: Final = (
    "Where a value is unpickled, or made from a mold, the last column is what it takes more than "
    "the unpickling alone, which is the line before."
)


class Nothing:
    """A `get` that does nothing: what a call takes."""

    __slots__ = ("_calls", "_shelf")

    def __init__(self, cache: Any) -> None:
        self._calls, self._shelf = cache._calls, cache._shelf

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """Return nothing."""


class Found(Nothing):
    """With the look-up of the entry."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:  # noqa: ARG002
        """Return what the entry holds."""
        entry = self._shelf.names.get(key)
        if entry is not None:
            return entry.held
        return default


class Fresh(Nothing):
    """With the clock."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:  # noqa: ARG002
        """Return what the entry holds if it is fresh."""
        entry = self._shelf.names.get(key)
        if entry is not None and monotonic() < entry.deadline:
            return entry.held
        return default


class Counted(Nothing):
    """With the mark for the eviction policy, and the count of hits."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:  # noqa: ARG002
        """Return what the entry holds if it is fresh, and note the hit."""
        entry = self._shelf.names.get(key)
        if entry is not None and monotonic() < entry.deadline:
            entry.used = True
            self._calls.memory_hits += 1
            return entry.held
        return default


METHOD: Final = "a method that does nothing"
ENTRY: Final = "… and finds the entry by the caller's key"
CLOCK: Final = "… and compares its deadline with the clock"
COUNT: Final = "… and marks it for the eviction policy, and counts the hit"
GET: Final = "`get` of a text: … and sees that the key is a `str` and that nobody watches"
UNPICKLED: Final = "unpickling a small dict"
RESPONSE: Final = "unpickling a response of 5 KB"


def _rungs(cache: Any, runs: Runs) -> list[Rung]:
    values = {KEY: TEXT, "small": small(), "response": page()}
    cache.set_many(values)
    for _ in range(CASTS):
        cache.get_many(values)
    pickles = {name: pickle.dumps(value, PROTOCOL) for name, value in values.items()}
    versioned = Call("get(key, version=1)", {"get": cache.get, "key": KEY})
    awaited = Call("await get(key)", {"get": cache.aget, "key": KEY}, runs=runs)
    return [
        Rung("`dict.get`", _get({KEY: TEXT})),
        Rung(METHOD, _get(Nothing(cache))),
        Rung(ENTRY, _get(Found(cache)), METHOD),
        Rung(CLOCK, _get(Fresh(cache)), ENTRY),
        Rung(COUNT, _get(Counted(cache)), CLOCK),
        Rung(GET, _get(cache), COUNT),
        Rung("`get` with a version: its full key is made", versioned, GET),
        Rung("`await aget` of a text: it makes a coroutine", awaited, GET),
        Rung(UNPICKLED, _loads(pickles["small"])),
        Rung("`get` of the dict", _get(cache, "small"), UNPICKLED),
        Rung(RESPONSE, _loads(pickles["response"])),
        Rung("`get` of the response: it is made from a mold", _get(cache, "response"), RESPONSE),
    ]


def _get(holder: Any, key: str = KEY) -> Call:
    return Call("holder.get(key)", {"holder": holder, "key": key})


def _loads(data: bytes) -> Call:
    return Call("loads(data)", {"loads": pickle.loads, "data": data})


def table(run: Run) -> Table:
    """Measure all rungs, in turns."""
    with rivals.opened(run.url, rivals.OURS) as caches, asyncio.Runner() as runner:
        rungs = _rungs(caches[rivals.OURS], runner.run)
        return ladder("A hit in memory", rungs, run, NOTE)
