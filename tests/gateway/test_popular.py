"""What is asked for most: counted by the workers, told to Redis, merged."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler

from gateway_project.fast import FastPath
from gateway_project.routing.table import Matched
from gateway_project.serving import popular
from gateway_project.serving.asked import Asked
from gateway_project.serving.exchange import Exchange, exchange
from gateway_project.serving.popular import LONGEST, Sketch
from tests.gateway.routing.support import route
from tests.gateway.support import Upstream
from tests.support.waiting import aeventually

SYMBOLS = "/api/v1/symbols"
SERIES = "/api/v1/symbols/AAPL/series"


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    popular.sketch.forget()
    yield
    popular.sketch.forget()


def counted() -> dict[str, int]:
    return dict(popular.sketch.top(100))


async def test_requests_are_counted_on_both_paths(gateway: httpx.AsyncClient):
    for _ in range(3):  # the first one is Django's
        await gateway.get(SYMBOLS)
    assert counted() == {SYMBOLS: 3}


async def test_only_what_counts_of_a_query_is_counted(gateway: httpx.AsyncClient):
    for query in ("from=2012-09-17&to=2012-09-21", "to=2012-09-21&utm_source=x&from=2012-09-17"):
        for _ in range(2):
            await gateway.get(f"{SERIES}?{query}")
    assert counted() == {f"{SERIES}?from=2012-09-17&to=2012-09-21": 4}


async def test_what_is_refused_or_fails_or_is_no_get_is_not_counted(
    gateway: httpx.AsyncClient, upstream: Upstream
):
    for _ in range(2):
        await gateway.get(f"{SYMBOLS}?secret=1")
        await gateway.get("/api/v1/nothing")
        await gateway.get("/healthz")
        await gateway.head(SYMBOLS)
        await gateway.get(SYMBOLS, headers={"authorization": "Basic x"})
        await gateway.get("/api/v1/symbols/NONE/series")
    upstream.misbehave(failure_rate=1.0)
    await gateway.get("/api/v1/symbols/IBM/series")
    assert counted() == {}


def request(path: str, **options: Any) -> Exchange:
    found = Matched(route(path="/{rest*}", **options), {"rest": path[1:]})
    return exchange(Asked("GET", path.encode()), found, ())


def test_what_is_too_long_is_not_counted():
    """A worker holds and tells a bounded number of bytes."""
    assert popular.target_of(request("/" + "x" * LONGEST), 200) is None
    assert popular.target_of(request("/x"), 200) == "/x"


def test_what_is_one_keys_own_is_not_counted():
    assert popular.target_of(request("/x", tenant="key", requires_key=True), 200) is None


async def test_workers_are_merged(site: Any):
    for worker, target in (("one", "/a"), ("two", "/b"), ("three", "/b")):
        popular.sketch.forget()
        popular.note(target)
        popular.note("/all")
        await popular.write(f"gateway:popular:{worker}")
    assert popular.most_asked(2) == (("/all", 3), ("/b", 2))
    assert 3590 < site.ttl("gateway:popular:one") <= 3600


async def test_a_worker_tells_from_time_to_time(site: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(popular, "EVERY", 0.01)
    app = FastPath(ASGIHandler())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://testserver"
    ) as client:
        await client.get(SYMBOLS)
        await aeventually(lambda: asyncio.to_thread(popular.most_asked, 5))
        assert popular.most_asked(5) == ((SYMBOLS, 1),)
        await client.get(SYMBOLS)
        await aeventually(lambda: _is(((SYMBOLS, 2),)))
    assert len(list(site.iter_keys("gateway:popular:*"))) == 1


async def _is(expected: tuple[tuple[str, int], ...]) -> bool:
    return await asyncio.to_thread(popular.most_asked, 5) == expected


def test_the_end_of_the_event_loop_ends_the_telling_at_once(site: Any):
    async def begin() -> asyncio.Task[None]:
        popular.start()
        popular.start()
        told = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        assert len(told) == 1
        return told[0]

    first = asyncio.run(begin())
    assert first.cancelled()
    assert asyncio.run(begin()) is not first


async def test_a_telling_that_has_ended_begins_anew(site: Any):
    popular.start()
    (first,) = asyncio.all_tasks() - {asyncio.current_task()}
    first.cancel()
    await asyncio.wait([first])
    popular.start()
    (second,) = asyncio.all_tasks() - {asyncio.current_task()}
    assert second is not first


async def test_without_redis_nothing_is_told(make_cache: Any):
    make_cache("memory")
    popular.start()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("fallback", ["memory", "raise"])
async def test_while_redis_is_away_nothing_is_raised(make_cache: Any, fallback: str):
    make_cache("away", OPTIONS={"FALLBACK": fallback})
    popular.note("/a")
    await popular.write("gateway:popular:one")


def test_counters_are_bounded_and_their_error_too():
    """Zipf's law, as requests have it: with 100 counters, over 20 000 requests of 5000 targets."""
    chance = random.Random(1)
    targets = [f"/{rank}" for rank in range(1, 5001)]
    weights = [1 / rank for rank in range(1, 5001)]
    sketch, exact = Sketch(100), Counter[str]()
    for target in chance.choices(targets, weights, k=20_000):
        sketch.note(target)
        exact[target] += 1
        assert len(sketch) <= 200
    told = dict(sketch.top(200))
    for target, count in exact.items():
        assert count - 20_000 / 100 <= told.get(target, 0) <= count
    assert [target for target, _ in sketch.top(5)] == [f"/{rank}" for rank in range(1, 6)]


def test_many_different_targets_leave_the_popular_one():
    sketch = Sketch(10)
    for number in range(10_000):
        sketch.note(f"/{number}")
        if not number % 5:
            sketch.note("/popular")
    assert sketch.top(1)[0][0] == "/popular"


def test_halving_forgets_what_was_asked_for_once():
    sketch = Sketch()
    for target in ("/a", "/b", "/b", "/b"):
        sketch.note(target)
    sketch.halve()
    assert sketch.top(5) == (("/b", 1),)
