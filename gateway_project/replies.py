"""Responses that say who answered: X-Cache, Cache-Status (RFC 9211), Server-Timing."""

import os
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from django.http import HttpRequest, HttpResponse

UPSTREAM = "upstream"
RECENT = 12


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer of this worker, as the front page lists it."""

    at: datetime
    path: str
    status: int
    tier: str
    milliseconds: float


recent: deque[Answered] = deque(maxlen=RECENT)
"""This worker's last answers, the newest first."""


@dataclass(frozen=True, slots=True)
class Clock:
    """When the gateway began to work on an answer."""

    started: float

    @classmethod
    def start(cls) -> "Clock":
        """Return a clock that starts now."""
        return cls(perf_counter())

    def milliseconds(self) -> float:
        """Return the time since the start."""
        return (perf_counter() - self.started) * 1000


def from_cache(
    request: HttpRequest, response: HttpResponse, tier: str, clock: Clock
) -> HttpResponse:
    """Mark an answer that the cache had, in its memory or its Redis tier."""
    response["Cache-Status"] = f"tiercache; hit; detail={tier}"
    return _marked(request, response, tier, clock)


def from_upstream(
    request: HttpRequest, response: HttpResponse, upstream: str, clock: Clock, *, stored: bool
) -> HttpResponse:
    """Mark an answer that an upstream server gave."""
    response["Cache-Status"] = "tiercache; fwd=miss" + ("; stored" if stored else "")
    response["X-Upstream"] = upstream
    return _marked(request, response, UPSTREAM, clock)


def _marked(request: HttpRequest, response: HttpResponse, tier: str, clock: Clock) -> HttpResponse:
    taken = clock.milliseconds()
    response["X-Cache"] = tier
    response["Server-Timing"] = f'cache;desc="{tier}";dur={taken:.3f}, worker;desc="{os.getpid()}"'
    path = request.get_full_path()
    recent.appendleft(Answered(datetime.now(UTC), path, response.status_code, tier, taken))
    return response
