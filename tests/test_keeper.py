"""The background thread: what it does unasked, and that it goes when it should."""

from __future__ import annotations

import gc
import logging
import math
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import keeper as module
from tiercache.keeper import LONGEST_NAP, Keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tended:
    """Counts how often it was looked after."""

    def __init__(self, due: float | None = None, error: Exception | None = None) -> None:
        self.times = 0
        self.threads: set[str] = set()
        self.due = due
        self.error = error

    def tend(self) -> float | None:
        self.times += 1
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        return self.due


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.end()
    assert made._thread is None or not made._thread.is_alive()


def test_no_thread_before_there_is_anything_to_do(keeper: Keeper) -> None:
    """An import, or a process that uses no cache, starts none."""
    before = threading.active_count()
    assert keeper._thread is None
    assert threading.active_count() == before


def test_everything_is_looked_after_by_one_thread(keeper: Keeper) -> None:
    """However many there are, and however often they are handed over."""
    everything = [Tended(due=0.01) for _ in range(5)]
    before = threading.active_count()
    for tended in everything * 3:
        keeper.look_after(tended)
    assert threading.active_count() == before + 1
    eventually(lambda: all(tended.times > 2 for tended in everything))
    assert {name for tended in everything for name in tended.threads} == {"tiercache"}


def test_the_thread_keeps_no_process_alive(keeper: Keeper) -> None:
    """It is a daemon."""
    keeper.look_after(Tended())
    assert keeper._thread is not None
    assert keeper._thread.daemon


def test_one_that_fails_does_not_stop_the_others(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback, and tried again."""
    caplog.set_level(logging.ERROR, "tiercache")
    broken, well = Tended(due=0.01, error=ZeroDivisionError("broken")), Tended(due=0.01)
    keeper.look_after(broken)
    keeper.look_after(well)
    eventually(lambda: broken.times > 2 and well.times > 2)
    assert any("tiercache.keeper.failed" in record.getMessage() for record in caplog.records)
    assert any("broken" in str(record.exc_info) for record in caplog.records)


def test_it_comes_back_when_it_is_told_to(keeper: Keeper) -> None:
    """Sooner than it would by itself."""
    soon = Tended(due=0.02)
    keeper.look_after(soon)
    started = time.monotonic()
    eventually(lambda: soon.times >= 4)
    assert time.monotonic() - started < 3 * LONGEST_NAP


def test_waking_it_makes_it_go_round_at_once(keeper: Keeper) -> None:
    """Whoever opens a breaker does not wait for the end of a nap."""
    tended = Tended()
    keeper.look_after(tended)
    eventually(lambda: tended.times)
    rounds = []
    for _ in range(3):
        times, started = tended.times, time.monotonic()
        keeper.wake()
        eventually(lambda times=times: tended.times > times)
        rounds.append(time.monotonic() - started)
    assert min(rounds) < LONGEST_NAP / 2


@pytest.mark.parametrize("due", [None, 60.0, math.inf])
def test_it_naps_no_longer_than_its_longest_nap(keeper: Keeper, due: float | None) -> None:
    """Sweeping goes on whatever is said."""
    tended = Tended(due=due)
    keeper.look_after(tended)
    eventually(lambda: tended.times >= 2, within=5 * LONGEST_NAP)


def test_what_nobody_else_holds_is_let_go(keeper: Keeper) -> None:
    """A dropped store is not tended for ever, the last one among them as little as the others."""
    everything = [Tended(due=0.01) for _ in range(3)]
    gone = [weakref.ref(tended) for tended in everything]
    for tended in everything:
        keeper.look_after(tended)
    eventually(lambda: all(tended.times for tended in everything))
    everything.clear()
    del tended

    def nobody() -> bool:
        gc.collect()
        return all(reference() is None for reference in gone)

    eventually(nobody, within=3 * LONGEST_NAP)


def test_the_thread_ends(keeper: Keeper) -> None:
    """At once, in the midst of a nap; and no other is started."""
    keeper.look_after(Tended())
    thread = keeper._thread
    assert thread is not None
    started = time.monotonic()
    keeper.end()
    assert not thread.is_alive()
    assert time.monotonic() - started < LONGEST_NAP
    keeper.look_after(Tended())
    assert keeper._thread is thread
    assert not thread.is_alive()


def test_the_end_waits_for_few_whose_server_hangs(keeper: Keeper) -> None:
    """However many stores a process uses."""

    class Slow(Tended):
        def farewell(self) -> None:
            time.sleep(module.FAREWELLS * 0.6)

    slow = [Slow() for _ in range(8)]
    for each in slow:
        keeper.look_after(each)
    began = time.monotonic()
    keeper.end()
    assert time.monotonic() - began < 2 * module.FAREWELLS


def test_an_end_before_a_beginning_is_quiet() -> None:
    """A process that used no cache ends like any other."""
    Keeper().end()


def test_where_no_thread_can_be_started_the_cache_works_without(
    make_cache: Any, tiers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a process's limit of threads, or at the interpreter's end: no call raises for that."""
    cache = make_cache(tiers)
    refusing = Keeper()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(module, "keeper", refusing)
        patched.setattr(threading.Thread, "start", refuse)
        cache.set("key", 1)
        assert cache.get("key") == 1
    refusing.end()


def test_expired_entries_are_given_back_without_a_read(make_cache: Any, tiers: str) -> None:
    """Memory of what nobody asks for any more is free again by itself."""
    cache = make_cache(tiers)
    for number in range(100):
        cache.set(f"short{number}", "x" * 1000, 0.3)
    cache.set("long", "stays", 60)
    assert cache.stats().entries == 101
    eventually(lambda: cache.stats().entries == 1, within=10)
    assert cache.stats().evictions["expired"] == 100
    assert cache.stats().bytes < 2000
    assert cache.get("long") == "stays"


def test_redis_is_back_without_a_request(make_caches: Any, own_valkey: Callable[..., Any]) -> None:
    """Nobody has to ask for anything: probing is done off the request path."""
    server = own_valkey()
    cache = make_caches(one=settings_for("tiered", server.url))["one"]
    cache.set("key", "old")
    server.kill()
    cache.set("key", "new")
    assert cache.stats().state == "away"
    server.start()
    eventually(lambda: cache.stats().state == "up", within=15)
    assert cache.stats().journaled == 0
    assert cache.get("key") is None


def test_a_store_that_is_away_does_not_hold_up_the_sweep_of_others(
    make_caches: Any, own_valkey: Callable[..., Any]
) -> None:
    """Probes that time out delay the others by no more than they take."""
    server = own_valkey()
    made = make_caches(
        ill=settings_for("tiered", server.url, OPTIONS={"TIME_BUDGET": 0.2}),
        well={"BACKEND": "tiercache.backend.TieredCache", "LOCATION": "memory://well"},
    )
    made["ill"].set("key", 1)
    server.freeze()
    made["ill"].set("key", 2)
    assert made["ill"].stats().state != "up"
    made["well"].set("short", 1, 0.2)
    eventually(lambda: made["well"].stats().entries == 0, within=10)
    server.thaw()


def test_a_dropped_store_is_probed_no_more(
    make_caches: Any, own_valkey: Callable[..., Any]
) -> None:
    """Settings that changed leave nothing behind that goes on asking, whoever still holds it."""
    server = own_valkey()
    cache = make_caches(one=settings_for("tiered", server.url))["one"]
    server.kill()
    cache.set("key", 1)
    assert cache.stats().state == "away"
    node = cache._node
    eventually(lambda: node in module.keeper._everyone())
    make_caches(one={"BACKEND": "tiercache.backend.TieredCache"})
    eventually(lambda: node not in module.keeper._everyone())
