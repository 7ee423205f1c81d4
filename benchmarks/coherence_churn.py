"""Random calls on a few keys, each noted with its begin and end, in either way of calling."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.coherence_terms import COUNTERS, KEYS, LIFE, MOST_WORKERS, Config, Seen, now

WEIGHTS = [0.65**rank for rank in range(len(KEYS))]
"""How often each is changed: some all the time, so that changes race with each other and with
fills; some once in a second or more, so that a change that was missed shows for long."""

LONGEST_REST = 0.002
"""Seconds between two calls at the most: eight processes keep two cores busy, not swamped, or
what is measured is how long they queue for a core."""

TASKS = 4
"""Tasks that work at once on the event loop of an asynchronous worker."""


class Blocking:
    """The synchronous way; nothing that is awaited ever waits on an event loop."""

    async def call(self, cache: Any, name: str, *arguments: Any, **options: Any) -> Any:
        """Call the method of that name."""
        return getattr(cache, name)(*arguments, **options)

    async def rest(self, seconds: float) -> None:
        """Let others run."""
        time.sleep(seconds)  # noqa: ASYNC251 - no event loop is held up: there is none


class Awaiting:
    """The asynchronous way."""

    async def call(self, cache: Any, name: str, *arguments: Any, **options: Any) -> Any:
        """Await the asynchronous method of that name."""
        return await getattr(cache, f"a{name}")(*arguments, **options)

    async def rest(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(seconds)


class Churn:
    """Random calls on few keys.

    Values are tokens that no call of any worker uses again, so each read tells which write it
    saw. Counters grow by one, so each sum is a token as well. Calls that change no value
    (`touch`) are made and not noted.

    Args:
        caches: by alias.
        config: what to do.
        seen: where it is noted.
        way: how calls are made.
        task: which of how many tasks of this process it is.
    """

    def __init__(
        self,
        caches: Any,
        config: Config,
        seen: Seen,
        way: Blocking | Awaiting,
        task: tuple[int, int] = (0, 1),
    ) -> None:
        self._cache = caches["default"]
        self._counters = caches["counters"]
        self._config = config
        self._seen = seen
        self._way = way
        number, tasks = task
        self._random = random.Random(f"{config.seed}-{config.number}-{number}")
        self._token = config.number + number * MOST_WORKERS
        self._step = tasks * MOST_WORKERS
        self._calls: list[Callable[[], Awaitable[None]]] = []
        for call, weight in (
            (self._get, 60),
            (self._look, 10),
            (self._get_many, 10),
            (self._set, 10),
            (self._delete, 5),
            (self._set_many, 4),
            (self._touch, 4),
            (self._increment, 4),
            (self._add, 3),
            (self._delete_many, 3),
            (self._clear, 1),
        ):
            self._calls += [call] * weight

    async def run(self) -> None:
        """Make calls for as long as the configuration says."""
        end = time.monotonic() + self._config.seconds
        while time.monotonic() < end:
            await self._random.choice(self._calls)()
            await self._way.rest(self._random.uniform(0, LONGEST_REST))

    def _call(self, name: str, *arguments: Any) -> Awaitable[Any]:
        return self._way.call(self._cache, name, *arguments)

    def _to_change(self, count: int) -> list[str]:
        """Return keys, as many or fewer: some are drawn more often."""
        return list(dict.fromkeys(self._random.choices(KEYS, WEIGHTS, k=count)))

    def _next(self) -> int:
        self._token += self._step
        return self._token

    async def _get(self) -> None:
        key, begin = self._random.choice(KEYS), now()
        value = await self._call("get", key)
        self._seen.reads.append((key, value, begin, now()))

    async def _get_many(self) -> None:
        keys, begin = self._random.sample(KEYS, 3), now()
        values = await self._call("get_many", keys)
        end = now()
        self._seen.reads += [(key, values.get(key), begin, end) for key in keys]

    async def _set(self) -> None:
        (key,), token, begin = self._to_change(1), self._next(), now()
        await self._call("set", key, token, LIFE)
        self._seen.writes.append((key, token, begin, now()))

    async def _add(self) -> None:
        (key,), token, begin = self._to_change(1), self._next(), now()
        if await self._call("add", key, token, LIFE):
            self._seen.writes.append((key, token, begin, now()))

    async def _set_many(self) -> None:
        values, begin = {key: self._next() for key in self._to_change(3)}, now()
        await self._call("set_many", values, LIFE)
        end = now()
        self._seen.writes += [(key, token, begin, end) for key, token in values.items()]

    async def _delete(self) -> None:
        (key,), begin = self._to_change(1), now()
        await self._call("delete", key)
        self._seen.writes.append((key, None, begin, now()))

    async def _delete_many(self) -> None:
        keys, begin = self._to_change(3), now()
        await self._call("delete_many", keys)
        end = now()
        self._seen.writes += [(key, None, begin, end) for key in keys]

    async def _clear(self) -> None:
        # One in many: it empties everything, and there would be little left to read.
        if self._random.random() < 0.01:
            begin = now()
            await self._call("clear")
            end = now()
            self._seen.writes += [(key, None, begin, end) for key in KEYS]

    async def _touch(self) -> None:
        await self._call("touch", *self._to_change(1), LIFE)

    async def _increment(self) -> None:
        key, begin = self._random.choice(COUNTERS), now()
        total = await self._way.call(self._counters, "incr", key, ignore_key_check=True)
        self._seen.sums.append((key, total, begin, now()))

    async def _look(self) -> None:
        key, begin = self._random.choice(COUNTERS), now()
        value = await self._way.call(self._counters, "get", key)
        self._seen.looks.append((key, value, begin, now()))


def churn(caches: Any, config: Config, seen: Seen) -> None:
    """Make random calls, one after the other."""
    try:
        Churn(caches, config, seen, Blocking()).run().send(None)
    except StopIteration:
        return
    raise AssertionError("a blocking worker waited for an event loop")


def churn_in_tasks(caches: Any, config: Config, seen: Seen) -> None:
    """Make random calls in several tasks at once."""

    async def tasks() -> None:
        works = [Churn(caches, config, seen, Awaiting(), (task, TASKS)) for task in range(TASKS)]
        await asyncio.gather(*(work.run() for work in works))

    asyncio.run(tasks())
