"""The work: calls of every kind from threads and tasks, and the faults that befall the server."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import faults

THREADS = 4
"""Threads that call synchronously."""

LOOPS = 2
TASKS = 4
"""Event loops at once, and tasks on each."""

CALLS_OF_A_LOOP = 100
"""Calls that each task makes before its loop ends and another takes its place."""

KEYS = 5_000
"""Keys that come again: more than memory holds."""

NEW = 0.2
"""Share of keys that are never used again, as those of sessions are."""

OUTAGE = 0.3
LONGEST_CALM = 0.5
"""Seconds that a fault goes on, and that the site is well before the next at the most."""

TAGS = 50
"""Tags that come again."""

FAILING = 0.2
"""Share of loads that raise."""

LOOK = 0.01
"""Seconds between two looks at what has a bound."""


class SourceFailed(Exception):
    """What a source raises that is asked to."""


def source(choice: random.Random, value: Any) -> Callable[[], Any]:
    """Return what loads a value, or fails to."""
    fails = choice.random() < FAILING

    def load() -> Any:
        if fails:
            raise SourceFailed
        return value

    return load


class Load:
    """Random calls, and faults meanwhile.

    Args:
        site: the server and its proxy.
        cache: a face of the cache; Django's faces may be shared, being thin.
        seed: of all choices.
        look: called again and again while work goes on.

    Attributes:
        done: how many calls were made.
        faults: how many faults there were.
        errors: what calls raised, which they must not.
    """

    def __init__(self, site: Any, cache: Any, seed: int, look: Callable[[], None]) -> None:
        self._site = site
        self._cache = cache
        self._look = look
        self._random = random.Random(seed)
        self._fresh = itertools.count()
        self._faults = self._in_turn()
        self.done = 0
        self.faults = 0
        self.errors: list[str] = []

    def work(self, operations: int, what: str) -> None:
        """Make so many calls, and let no fault outlast them."""
        self._left: Iterator[int] = itertools.count(operations, -1)
        works = [self._in_a_thread] * THREADS + [self._in_tasks] * LOOPS
        threads = [
            threading.Thread(target=work, args=(random.Random(self._random.random()),))
            for work in works
        ]
        begun = self.done
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                next(self._faults)(threads, f"{what}: {begun:,} and more of {operations:,}")
        finally:
            self._left = itertools.repeat(0)
            for thread in threads:
                thread.join()
        self.done += operations

    # Calls

    def _in_a_thread(self, choice: random.Random) -> None:
        while next(self._left) > 0:
            name, arguments, options = self._a_call(choice)
            try:
                getattr(self._cache, name)(*arguments, **options)
            except SourceFailed:
                pass
            except Exception as exc:  # noqa: BLE001 - no other is allowed
                self.errors.append(f"{name} raised {exc!r}")

    def _in_tasks(self, choice: random.Random) -> None:
        while next(self._left) > 0:
            asyncio.run(self._tasks(choice))

    async def _tasks(self, choice: random.Random) -> None:
        await asyncio.gather(*(self._in_a_task(choice) for _ in range(TASKS)))

    async def _in_a_task(self, choice: random.Random) -> None:
        for _ in range(CALLS_OF_A_LOOP):
            if next(self._left) <= 0:
                return
            name, arguments, options = self._a_call(choice)
            try:
                await getattr(self._cache, f"a{name}")(*arguments, **options)
            except SourceFailed:
                pass
            except Exception as exc:  # noqa: BLE001 - no other is allowed
                self.errors.append(f"a{name} raised {exc!r}")
            await asyncio.sleep(0)

    def _a_call(self, choice: random.Random) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return a method, and what to call it with."""
        key, life = self._key(choice), choice.choice((0.05, 1, 30, None))
        value = choice.choice((1, "text", b"x" * choice.randrange(5_000), ["list", key]))
        tags = (f"tag{choice.randrange(TAGS)}",)

        def found(keys: list[str]) -> dict[str, Any]:
            return dict.fromkeys(keys[1:], value)

        if choice.random() < 0.0005:
            return "clear", (), {}
        calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = (
            [("get", (key,), {})] * 8
            + [("get_many", ([key, *self._some(choice)],), {})] * 2
            + [("set", (key, value, life), {})] * 4
            + [
                ("set_many", (dict.fromkeys(self._some(choice), value), life), {}),
                ("add", (key, value, life), {}),
                ("get_or_set", (key, value, life), {}),
                ("get_or_set", (key, source(choice, value), life), {"grace": 1, "tags": tags}),
                ("get_or_set_many", (self._some(choice), found, life), {"tags": tags}),
                ("set", (key, value, life), {"tags": tags}),
                ("evict_tags", tags, {}),
                ("delete", (key,), {}),
                ("delete_many", (self._some(choice),), {}),
                ("touch", (key, 30), {}),
                ("has_key", (key,), {}),
                ("incr", (f"counter{choice.randrange(20)}",), {"ignore_key_check": True}),
            ]
        )
        return choice.choice(calls)

    def _key(self, choice: random.Random) -> str:
        if choice.random() < NEW:
            return f"new{next(self._fresh)}"
        return f"key{int(KEYS * choice.random() ** 3)}"

    def _some(self, choice: random.Random) -> list[str]:
        return [self._key(choice) for _ in range(3)]

    # Faults

    def _in_turn(self) -> Iterator[Callable[[list[threading.Thread], str], None]]:
        """Yield one after the other, for ever; each lasts its time and is lifted."""
        lasting = (faults.refused, faults.frozen, faults.full, faults.half_open, _gone)
        for fault in itertools.cycle((_kill_subscribers, _cut, *lasting)):

            def happen(
                threads: list[threading.Thread], what: str, fault: Callable[..., Any] = fault
            ) -> None:
                self.faults += 1
                if fault in lasting:
                    with fault(self._site):
                        self._pass_time(OUTAGE, threads, what)
                else:
                    fault(self._site)
                self._pass_time(self._random.uniform(0, LONGEST_CALM), threads, what)

            yield happen

    def _pass_time(self, seconds: float, threads: list[threading.Thread], what: str) -> None:
        """Let time pass, as long as there is work; look at what has a bound."""
        print(f"\r{what}, {self.faults} faults ", end="", file=sys.stderr, flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(thread.is_alive() for thread in threads):
            self._look()
            time.sleep(LOOK)


def _kill_subscribers(site: Any) -> None:
    site.server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


def _cut(site: Any) -> None:
    site.proxy.cut()


@contextmanager
def _gone(site: Any) -> Iterator[None]:
    """The server is killed, and comes back empty."""
    site.server.kill()
    try:
        yield
    finally:
        site.server.start()
