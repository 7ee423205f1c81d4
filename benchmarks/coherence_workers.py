"""The processes that `benchmarks.coherence` and the tests set upon one server: each is one node.

    python -m benchmarks.coherence_workers CONFIG

A worker says "ready" when it hears what the others change, works when it is told "go", says
"done" when that is over and Redis is trusted again, and on "agree" writes what it saw to the
file named in its configuration. `CONFIG` is the fields of `Config` as JSON.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

from benchmarks.coherence_churn import churn, churn_in_tasks
from benchmarks.coherence_terms import COUNTERS, KEYS, LIFE, PREFIXES, Config, Pulse, Seen, now

PATIENCE = 30.0
"""Seconds within which a worker must trust Redis again at the end of its work."""

POLL = 0.0001
"""Seconds between two looks of a reader that waits for news."""


class Log(logging.Handler):
    """Notes when the cache says what became of its server and its subscription."""

    def __init__(self, events: list[tuple[str, int]]) -> None:
        super().__init__()
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Note the event's name, which its message begins with."""
        self._events.append((record.getMessage().partition(":")[0], now()))


def write(caches: Any, config: Config, seen: Seen) -> None:
    """Write one number after the other to one key, with pauses for the reader to see each."""
    choice = random.Random(config.seed)
    for number in range(1, config.count + 1):
        begin = now()
        caches["default"].set("news", number, LIFE)
        seen.writes.append(("news", number, begin, now()))
        time.sleep(choice.uniform(0.002, 0.006))


def read(caches: Any, config: Config, seen: Seen) -> None:
    """Look at the key again and again; note when each number was first asked for."""
    _watch(caches["default"], config, seen, rest=lambda: time.sleep(POLL))


def read_busily(caches: Any, config: Config, seen: Seen) -> None:
    """Do so without ever giving the processor away."""
    _watch(caches["default"], config, seen, rest=lambda: None)


def _watch(cache: Any, config: Config, seen: Seen, rest: Callable[[], None]) -> None:
    last, give_up = None, time.monotonic() + config.seconds
    while last != config.count and time.monotonic() < give_up:
        begin = now()
        value = cache.get("news")
        if value != last:
            seen.reads.append(("news", value, begin, now()))
            last = value
        rest()


ROLES = {
    "churn": churn,
    "churn in tasks": churn_in_tasks,
    "writer": write,
    "reader": read,
    "busy reader": read_busily,
}


def settle(cache: Any) -> None:
    """Wait until the cache trusts Redis and hears every change.

    Raises:
        TimeoutError: it does not in time.
    """
    give_up = time.monotonic() + PATIENCE
    while (cache.stats().state, cache.stats().backplane) != ("up", "joined"):
        if time.monotonic() > give_up:
            raise TimeoutError(f"not healed in {PATIENCE} s: {cache.stats()}")
        cache.get("settle")
        time.sleep(0.005)


def main() -> None:
    """Be one worker."""
    config, seen = Config(**json.loads(sys.argv[1])), Seen()
    logger = logging.getLogger("tiercache")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(Log(seen.events))
    options = {"TIME_BUDGET": config.budget}
    conf = {"BACKEND": "tiercache.backend.TieredCache", "LOCATION": config.url, "OPTIONS": options}
    aliases = {alias: conf | {"KEY_PREFIX": prefix} for alias, prefix in PREFIXES.items()}
    settings.configure(CACHES=aliases)
    django.setup()
    from django.core.cache import caches

    cache: Any = caches["default"]
    settle(cache)
    caches["counters"].get("settle")
    answer("ready")
    expect("go")
    pulse = Pulse(seen.stalls)
    ROLES[config.role](caches, config, seen)
    settle(cache)
    pulse.end()
    answer("done")
    expect("agree")
    for alias, keys in (("default", KEYS), ("counters", COUNTERS)):
        seen.held |= {key: [caches[alias].get(key), caches[alias].get(key)] for key in keys}
    seen.errors = dict(cache.stats().errors)
    with open(config.file, "w") as file:  # noqa: PTH123 - a name from the parent
        json.dump({name: getattr(seen, name) for name in Seen.__slots__}, file)
    answer("bye")


def answer(word: str) -> None:
    """Say a word to the parent."""
    print(word, flush=True)


def expect(word: str) -> None:
    """Wait for the parent's word; without a parent there is nothing left to do."""
    if sys.stdin.readline().strip() != word:
        sys.exit(f"no {word!r} from the parent")


if __name__ == "__main__":
    main()
