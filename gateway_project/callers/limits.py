"""How often a caller may ask: a sliding window, counted in the cache.

Requests are counted in windows that follow each other. What has passed in the last `window`
seconds is taken to be this window's count and, as if its requests had come evenly, the part of
the previous window's that still overlaps: the sliding window counter that Cloudflare described in
2017 ("How we built rate limiting capable of scaling to millions of domains").

Windows begin where Unix time divides by their length, so all hosts count in the same ones. Where
a clock is off by some milliseconds, requests near the border are counted in the neighbor.
"""

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

MOST_REQUESTS: Final = 1_000_000_000
LONGEST_WINDOW: Final = 30 * 86_400.0

_RATE: Final = re.compile(r"([0-9]{1,10})/([0-9]{0,7})([smhd])")
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests in how many seconds.

    Raises:
        ValueError: there are none, or too many, or the window is too short or too long.
    """

    requests: int
    window: float

    def __post_init__(self) -> None:
        if not 1 <= self.requests <= MOST_REQUESTS:
            raise ValueError(
                f"a rate of {self.requests} requests; allowed: 1 to {MOST_REQUESTS} requests"
            )
        # RateLimit-Policy can name no fraction of a second.
        if not 1 <= self.window <= LONGEST_WINDOW:
            raise ValueError(
                f"a rate for {self.window:g} seconds; allowed: 1 second to "
                f"{LONGEST_WINDOW / 86_400:g} days"
            )

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Return the rate that a text names: `100/60s`, `5/s`, `10/m`, `1000/1h`, `10000/d`.

        Raises:
            ValueError: it names none.
        """
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not a rate; allowed: requests/time, the time in s, m, h or d, "
                f"such as 100/60s, 5/s or 1000/1h"
            )
        requests, count, unit = match.groups()
        return cls(int(requests), int(count or "1") * _UNITS[unit])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is let through.

    Attributes:
        limit: requests that the rate allows.
        remaining: requests that would be let through now.
        reset_seconds: for how long no more than those would be, at least 1.
        retry_after: seconds until a request would be let through, 0 if this one was.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_after: int


async def take(cache: "TieredCache", name: str, rate: Rate, *, now: float) -> Verdict:
    """Count a request, and say whether it is let through.

    In one window no more than `rate.requests` are, whatever the number of tasks and processes.
    Refused requests do not count, or who never rests would be kept out for ever; one that is about
    to be refused counts for the moment until it is taken back. A request that is let through
    costs one round trip, one that is refused two, and the first of each window some more.

    While Redis is away each process counts alone, so each lets that many through, and when it is
    back the count begins anew. `RedisAway` is raised if the alias says so ("FALLBACK": "raise").

    Args:
        cache: where the counters are.
        name: who is counted, for what: a part of a key, so without white space, and at most 150
            characters.
        rate: how many are let through.
        now: Unix seconds.
    """
    number, elapsed = divmod(now, rate.window)
    life = 2 * rate.window
    # Over, so it changes no more, and is in memory from the second request on; 0 as well.
    previous: int = await cache.aget_or_set(
        _key(name, rate, number - 1), 0, life, grace=0, lease=False
    )
    key = _key(name, rate, number)
    verdict = decide(rate, previous, await _counted(cache, key, life), elapsed)
    if not verdict.allowed:
        with suppress(ValueError):  # evicted since: nothing is left to be taken back
            await cache.adecr(key)
    return verdict


def decide(rate: Rate, previous: int, count: int, elapsed: float) -> Verdict:
    """Return the verdict about the request that made a window's count what it is.

    Args:
        previous: requests that the window before let through.
        count: those of this window, this one included.
        elapsed: seconds since it began.
    """
    overlap = int(previous * (1 - elapsed / rate.window))
    free = rate.requests - overlap - count
    # More than are let through may be counted for a moment, by others about to be refused.
    passed = count if free >= 0 else min(count - 1, rate.requests)
    wait = 0.0 if free > 0 else _wait(rate, previous, passed, elapsed)
    return Verdict(
        allowed=free >= 0,
        limit=rate.requests,
        remaining=max(free, 0),
        reset_seconds=math.ceil(wait or rate.window - elapsed),
        retry_after=0 if free >= 0 else math.ceil(wait),
    )


def _wait(rate: Rate, previous: int, passed: int, elapsed: float) -> float:
    """Return the seconds until one more request is let through, if no other comes."""
    room = rate.requests - passed - 1
    if room >= 0:
        # It waits for the previous window's share to shrink to the room that this one leaves.
        return rate.window * (1 - room / previous) - elapsed
    # This window is full, so it is this one's share that has to shrink, in the next.
    return rate.window * (2 - (rate.requests - 1) / passed) - elapsed


async def _counted(cache: "TieredCache", key: str, life: float) -> int:
    """Add one to a counter and return the sum.

    What makes a counter also gives it its end. To make it by adding, and to set its end
    afterwards, would leave one without an end where a process dies in between.
    """
    while True:
        with suppress(ValueError):  # there is none yet
            total: int = await cache.aincr(key)
            return total
        if await cache.aadd(key, 1, life):
            return 1


def _key(name: str, rate: Rate, number: float) -> str:
    return f"gateway:limit:{name}:{rate.window:g}:{number:.0f}"
