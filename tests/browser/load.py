"""Callers of the site: threads that go on asking until they are told to stop."""

from __future__ import annotations

import itertools
import random
import threading
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

CALLERS = 4
ON_ONE_CONNECTION = 10
SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG")


class Load:
    """Asks for paths in several threads, from entering it to leaving it.

    Connections are renewed often, so that all workers get their share.
    """

    def __init__(self, url: str, path: Callable[[random.Random], str], pause: float = 0.0) -> None:
        self._url = url
        self._path = path
        self._pause = pause
        self._stop = threading.Event()
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._go_on, args=(at,)) for at in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in self._threads)
        assert not self.failures, self.failures[:3]

    def _go_on(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._stop.is_set():
            with httpx.Client(trust_env=False, base_url=self._url, timeout=20) as client:
                for _ in range(ON_ONE_CONNECTION):
                    self._ask(client, self._path(chance))
                    if self._stop.wait(self._pause):
                        return

    def _ask(self, client: httpx.Client, path: str) -> None:
        status = client.get(path).status_code
        if status != 200:
            self.failures.append(f"{status} for {path}")


def popular(_: random.Random) -> str:
    """Ask for the one thing that everybody asks for."""
    return "/api/v1/symbols/AAPL/series?from=2012-09-17&to=2012-09-21"


_days = itertools.count()


def unknown(_: random.Random) -> str:
    """Ask for something that nobody has asked for before."""
    number = next(_days)
    year, month, day = 1995 + number // 336 % 15, number // 28 % 12 + 1, number % 28 + 1
    return f"/api/v1/symbols/IBM/series?from={year}-{month:02}-{day:02}&to=2010-01-{day:02}"


def busy(chance: random.Random) -> str:
    """Ask as the visitors of two sites do: some things often, many rarely."""
    number = min(int(chance.paretovariate(0.9)), 4000)
    symbol = SYMBOLS[number % len(SYMBOLS)]
    day = number % 28 + 1
    return chance.choices(
        (
            f"/api/v1/symbols/{symbol}/series?from=2009-03-{day:02}&to=2009-12-{day:02}",
            f"/api/v1/symbols/{symbol}/summary?from=2008-01-{day:02}&to=2008-12-31",
            "/api/v1/symbols",
            f"/shop/product/{number}/",
            f"/shop/basket/{chance.randrange(400)}/",
            f"/shop/menu/{number % 12}/",
        ),
        (30, 10, 10, 30, 8, 12),
    )[0]
