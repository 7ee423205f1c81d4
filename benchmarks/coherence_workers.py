"""The processes that `benchmarks.coherence` and the tests set upon one server: each is one node.

    python -m benchmarks.coherence_workers CONFIG

A worker says "ready" when it hears what the others change, works when it is told "go", says
"done" when that is over and Redis is trusted again, and on "agree" writes what it saw to the
file named in its configuration. `CONFIG` is the fields of `Config` as JSON.

Times are those of CLOCK_MONOTONIC, which all processes of a machine share, in nanoseconds.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import django
from django.conf import settings

now = time.monotonic_ns

KEYS = [f"key{number}" for number in range(20)]

WEIGHTS = [0.65**rank for rank in range(len(KEYS))]
"""How often each is changed: some all the time, so that changes race with each other and with
fills; some once in a second or more, so that a change that was missed shows for long."""

LIFE = 600
"""Seconds that entries live: longer than any run, so that only changes end them."""

PATIENCE = 20.0
"""Seconds within which a worker must trust Redis again at the end of its work."""

LONGEST_REST = 0.0004
"""Seconds between two calls at the most."""

POLL = 0.0001
"""Seconds between two looks of a reader that waits for news."""

MOST_WORKERS = 1000


@dataclass(frozen=True, slots=True)
class Config:
    """What one worker is to do.

    Attributes:
        url: the server.
        number: which worker it is, from 0; tokens are this modulo `MOST_WORKERS`.
        role: a name from `ROLES`.
        seconds: how long it works.
        count: how many values a "writer" writes and a "reader" waits for.
        seed: of its choices.
        budget: TIME_BUDGET of its cache.
        file: where it leaves what it saw.
    """

    url: str
    number: int
    role: str
    file: str
    seconds: float = 5.0
    count: int = 500
    seed: int = 0
    budget: float = 1.0


@dataclass(slots=True)
class Seen:
    """What one worker saw.

    Attributes:
        reads: key, value, begin, end.
        writes: key, token (None: removed), begin, end.
        events: what the cache logged: name, time.
        held: what the node says of each key at the end, on first and on second asking.
        errors: Redis operations that failed, by kind.
    """

    reads: list[tuple[str, int | None, int, int]] = field(default_factory=list)
    writes: list[tuple[str, int | None, int, int]] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    held: dict[str, list[int | None]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


class Log(logging.Handler):
    """Notes when the cache says what became of its server and its subscription."""

    def __init__(self, events: list[tuple[str, int]]) -> None:
        super().__init__()
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Note the event's name, which its message begins with."""
        self._events.append((record.getMessage().partition(":")[0], now()))


class Churn:
    """Random calls on a few keys, each noted with its begin and end.

    Values are tokens that no call of any worker uses again, so each read tells which write it
    saw. Calls that change no value (`touch`) are made and not noted.
    """

    def __init__(self, cache: Any, config: Config, seen: Seen) -> None:
        self._cache = cache
        self._config = config
        self._seen = seen
        self._random = random.Random(config.seed * MOST_WORKERS + config.number)
        self._token = config.number
        self._calls: list[Callable[[], None]] = []
        for call, weight in (
            (self._get, 60),
            (self._get_many, 10),
            (self._set, 10),
            (self._delete, 5),
            (self._set_many, 4),
            (self._touch, 4),
            (self._add, 3),
            (self._delete_many, 3),
            (self._clear, 1),
        ):
            self._calls += [call] * weight

    def run(self) -> None:
        """Make calls for as long as the configuration says."""
        end = time.monotonic() + self._config.seconds
        while time.monotonic() < end:
            self._random.choice(self._calls)()
            time.sleep(self._random.uniform(0, LONGEST_REST))

    def _key(self) -> str:
        return self._random.choice(KEYS)

    def _some(self) -> list[str]:
        return self._random.sample(KEYS, 3)

    def _to_change(self, count: int) -> list[str]:
        """Return keys, as many or fewer: some are drawn more often."""
        return list(dict.fromkeys(self._random.choices(KEYS, WEIGHTS, k=count)))

    def _next(self) -> int:
        self._token += MOST_WORKERS
        return self._token

    def _get(self) -> None:
        key, begin = self._key(), now()
        value = self._cache.get(key)
        self._seen.reads.append((key, value, begin, now()))

    def _get_many(self) -> None:
        keys, begin = self._some(), now()
        values = self._cache.get_many(keys)
        end = now()
        self._seen.reads += [(key, values.get(key), begin, end) for key in keys]

    def _set(self) -> None:
        (key,), token, begin = self._to_change(1), self._next(), now()
        self._cache.set(key, token, LIFE)
        self._seen.writes.append((key, token, begin, now()))

    def _add(self) -> None:
        (key,), token, begin = self._to_change(1), self._next(), now()
        if self._cache.add(key, token, LIFE):
            self._seen.writes.append((key, token, begin, now()))

    def _set_many(self) -> None:
        values, begin = {key: self._next() for key in self._to_change(3)}, now()
        self._cache.set_many(values, LIFE)
        end = now()
        self._seen.writes += [(key, token, begin, end) for key, token in values.items()]

    def _delete(self) -> None:
        (key,), begin = self._to_change(1), now()
        self._cache.delete(key)
        self._seen.writes.append((key, None, begin, now()))

    def _delete_many(self) -> None:
        keys, begin = self._to_change(3), now()
        self._cache.delete_many(keys)
        end = now()
        self._seen.writes += [(key, None, begin, end) for key in keys]

    def _clear(self) -> None:
        # One in many: it empties everything, and there would be little left to read.
        if self._random.random() < 0.01:
            begin = now()
            self._cache.clear()
            end = now()
            self._seen.writes += [(key, None, begin, end) for key in KEYS]

    def _touch(self) -> None:
        self._cache.touch(*self._to_change(1), LIFE)


def churn(cache: Any, config: Config, seen: Seen) -> None:
    """Make random calls."""
    Churn(cache, config, seen).run()


def write(cache: Any, config: Config, seen: Seen) -> None:
    """Write one number after the other to one key, with pauses for the reader to see each."""
    choice = random.Random(config.seed)
    for number in range(1, config.count + 1):
        begin = now()
        cache.set("news", number, LIFE)
        seen.writes.append(("news", number, begin, now()))
        time.sleep(choice.uniform(0.002, 0.006))


def read(cache: Any, config: Config, seen: Seen) -> None:
    """Look at the key again and again; note when each number was first asked for."""
    _watch(cache, config, seen, rest=lambda: time.sleep(POLL))


def read_busily(cache: Any, config: Config, seen: Seen) -> None:
    """Do so without ever giving the processor away."""
    _watch(cache, config, seen, rest=lambda: None)


def _watch(cache: Any, config: Config, seen: Seen, rest: Callable[[], None]) -> None:
    last, give_up = None, time.monotonic() + config.seconds
    while last != config.count and time.monotonic() < give_up:
        begin = now()
        value = cache.get("news")
        if value != last:
            seen.reads.append(("news", value, begin, now()))
            last = value
        rest()


ROLES = {"churn": churn, "writer": write, "reader": read, "busy reader": read_busily}


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
    conf = {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": config.url,
        "KEY_PREFIX": "coherence",
        "OPTIONS": {"TIME_BUDGET": config.budget},
    }
    settings.configure(CACHES={"default": conf})
    django.setup()
    from django.core.cache import cache

    settle(cache)
    answer("ready")
    expect("go")
    ROLES[config.role](cache, config, seen)
    settle(cache)
    answer("done")
    expect("agree")
    seen.held = {key: [cache.get(key), cache.get(key)] for key in KEYS}
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
