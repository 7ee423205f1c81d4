"""No call raises because of Redis, and none takes longer than the time budget."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis.exceptions

from tests.faults.conftest import BUDGET, GRACE
from tests.support import faults
from tests.support.stopwatch import Stopwatch, timed
from tests.support.waiting import aeventually, eventually
from tiercache.exceptions import RedisAway

if TYPE_CHECKING:
    from tests.support.caches import Face
    from tests.support.faults import Site

OPERATIONS: dict[str, tuple[Any, ...]] = {
    "get": ("elsewhere",),
    "set": ("key", "new"),
    "add": ("new", 1),
    "touch": ("key", 60),
    "delete": ("key",),
    "incr": ("counter",),
    "decr": ("counter",),
    "has_key": ("elsewhere",),
    "get_many": (["elsewhere", "nowhere"],),
    "set_many": ({"key": 1, "new": [2]},),
    "delete_many": (["key", "new"],),
    "get_or_set": ("elsewhere", 5),
    "incr_version": ("key",),
    "decr_version": ("key",),
    "clear": (),
}
"""What each operation of BaseCache is called with; "key" and "counter" are in both tiers."""

BEYOND: dict[str, tuple[Any, ...]] = {
    "ttl": ("elsewhere",),
    "pttl": ("elsewhere",),
    "expire": ("key", 60),
    "pexpire": ("key", 60_000),
    "expire_at": ("key", 4_000_000_000),
    "pexpire_at": ("key", 4_000_000_000_000),
    "persist": ("key",),
    "keys": ("*",),
    "delete_pattern": ("k*",),
    "sadd": ("set", 1),
    "smembers": ("set",),
    "hset": ("hash", "field", 1),
    "hkeys": ("hash",),
    "zadd": ("sorted", {"a": 1}),
    "zrange": ("sorted", 0, -1),
}
"""django-redis's own calls, which are synchronous only."""


def fill(cache: Face | Any) -> None:
    cache.set_many({"key": "old", "counter": 41})
    assert cache.get_many(["key", "counter"]) == {"key": "old", "counter": 41}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_raises_or_lasts(
    make_exposed: Any, make_face: Any, site: Site, fault: Any, operation: str
) -> None:
    """On a connection that worked until now, each operation answers within the budget."""
    face = make_face(make_exposed())
    fill(face)
    with fault(site):
        _, seconds = timed(getattr(face, operation), *OPERATIONS[operation])
        assert seconds < BUDGET + GRACE


@pytest.mark.parametrize("operation", ["get", "set", "get_many", "set_many", "add", "delete"])
def test_no_first_call_raises_or_lasts(
    make_exposed: Any, make_face: Any, site: Site, fault: Any, operation: str
) -> None:
    """A process that starts during the fault connects in vain, within the budget."""
    face = make_face(make_exposed())
    with fault(site):
        _, seconds = timed(getattr(face, operation), *OPERATIONS[operation])
        assert seconds < BUDGET + GRACE


@pytest.mark.parametrize("operation", BEYOND)
def test_no_call_of_django_redis_raises_or_lasts(
    make_exposed: Any, site: Site, fault: Any, operation: str
) -> None:
    """The calls beyond Django's keep to the budget as well."""
    cache = make_exposed()
    fill(cache)
    with fault(site):
        _, seconds = timed(getattr(cache, operation), *BEYOND[operation])
        assert seconds < BUDGET + GRACE


def test_a_thousand_gets_cost_next_to_nothing(
    make_exposed: Any, make_face: Any, site: Site, outage: Any
) -> None:
    """Once the breaker is open, what is in memory is answered and the rest is a miss, at once."""
    face = make_face(make_exposed())
    fill(face)
    with outage(site):
        eventually(lambda: face.get("missing") or face.cache.stats().state == "away")
        if face.way == "sync":
            _, seconds = timed(lambda: [face.cache.get(f"missing{n}") for n in range(1000)])
        else:

            async def gets() -> float:
                before = time.perf_counter()
                for number in range(1000):
                    await face.cache.aget(f"missing{number}")
                return time.perf_counter() - before

            seconds = face._runner.run(gets())
        assert seconds < 0.1
        assert face.get("key") == "old"


def test_writes_during_an_outage_are_readable_here(
    make_exposed: Any, make_face: Any, site: Site, fault: Any
) -> None:
    """The memory tier goes on alone: what this node writes, this node reads."""
    face = make_face(make_exposed())
    fill(face)
    with fault(site):
        face.set("key", ["during"])
        assert face.get("key") == ["during"]
        assert face.incr("counter") == 42
        assert face.get("counter") == 42
        assert face.add("added", 1) is True
        assert face.add("added", 2) is False
        assert face.get("added") == 1
        face.set_many({"a": 1, "b": 2})
        assert face.get_many(["a", "b"]) == {"a": 1, "b": 2}
        assert face.delete("a") is True
        assert face.get("a") is None
        assert face.touch("key", 60) is True
        assert face.incr_version("b") == 2
        assert face.get("b", version=2) == 2
        face.clear()
        assert face.get("key") is None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("outage", [faults.refused, faults.deaf])
def test_raise_means_raise(
    make_exposed: Any, make_face: Any, site: Site, outage: Any, operation: str
) -> None:
    """With FALLBACK "raise" each operation that needs Redis says that it is away, and why."""
    face = make_face(make_exposed(FALLBACK="raise"))
    with outage(site):
        with Stopwatch() as watch, pytest.raises(RedisAway) as caught:
            getattr(face, operation)(*OPERATIONS[operation])
        assert watch.seconds < BUDGET + GRACE
        assert isinstance(caught.value.__cause__, redis.exceptions.RedisError | OSError)


@pytest.mark.parametrize("denied", ["hset", "multi", "exec", "unlink", "publish"])
def test_rights_that_a_transaction_needs_are_refused_like_others(
    make_exposed: Any, site: Site, denied: str
) -> None:
    cache = make_exposed(FALLBACK="raise")
    with faults.without(site, denied), pytest.raises(RedisAway) as caught:
        cache.hset("hash", "field", 1)
    assert caught.value.kind == "auth"


def test_raise_means_raise_for_refused_writes_alone(
    make_exposed: Any, make_face: Any, site: Site
) -> None:
    """With FALLBACK "raise" a full server's reads are served, and its writes are errors."""
    for fault in faults.UNWRITABLE:
        site.begin()
        face = make_face(make_exposed(FALLBACK="raise"))
        fill(face)
        site.server.client.set(face.cache.make_key("elsewhere"), 7)
        with fault(site):
            with pytest.raises(RedisAway):
                face.set("key", "new")
            assert face.get("elsewhere") == 7
            with pytest.raises(RedisAway):
                face.incr("counter")


def test_reads_are_served_while_writes_are_refused(
    make_exposed: Any, make_face: Any, site: Site
) -> None:
    """A full server or a replica is asked for what memory has not, however many writes failed."""
    for fault in faults.UNWRITABLE:
        site.begin()
        face = make_face(make_exposed())
        site.server.client.set(face.cache.make_key("elsewhere"), 7)
        with fault(site):
            for number in range(5):
                face.set(f"refused{number}", number)
            assert face.cache.stats().state == "read-only"
            assert face.get("elsewhere") == 7


async def test_many_tasks_wait_no_longer_than_one(
    make_exposed: Any, site: Site, outage: Any
) -> None:
    """Fifty tasks at once all keep to the budget."""
    cache = make_exposed()
    await cache.aset("key", 1)

    async def get(number: int) -> float:
        with Stopwatch() as watch:
            await cache.aget(f"missing{number}")
        return watch.seconds

    with outage(site):
        seconds = await asyncio.gather(*(get(number) for number in range(50)))
    assert max(seconds) < BUDGET + GRACE
    await aeventually(lambda: cache.stats().state == "up")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("refused", {"refused"}),
        ("frozen", {"timeout"}),
        ("half_open", {"timeout"}),
        ("deaf", {"timeout"}),
        ("trickling", {"timeout"}),
        ("dropping", {"refused", "closed", "connections"}),
        ("locked_out", {"auth"}),
        ("disenfranchised", {"auth"}),
        ("loading", {"loading"}),
        ("read_only", {"readonly"}),
        ("full", {"full"}),
        ("unsafe_to_write", {"unwritable"}),
    ],
)
def test_each_fault_is_counted_by_its_kind(
    make_exposed: Any, make_face: Any, site: Site, name: str, kind: set[str]
) -> None:
    """stats() tells what it was, and time-outs apart."""
    face = make_face(make_exposed())
    fill(face)
    with getattr(faults, name)(site):
        for number in range(3):
            face.set(f"new{number}", 1)
            face.get(f"missing{number}")
        stats = face.cache.stats()
    # A connection that was cut is "closed" before it is refused.
    assert set(stats.errors) - {"closed"} <= kind
    assert set(stats.errors) & kind
    assert stats.timeouts == stats.errors.get("timeout", 0)
    assert stats.state == ("read-only" if kind & {"readonly", "full", "unwritable"} else "away")
