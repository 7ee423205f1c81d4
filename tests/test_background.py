"""Loads beside their callers: threads of their own, tasks, and whoever waits for whom."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db import connections
from django.utils import timezone, translation

from tests.support.crowd import SECONDS, Caller, Source
from tests.support.waiting import aeventually, eventually
from tiercache import background as module
from tiercache import runner
from tiercache.background import Background
from tiercache.exceptions import LoadTimeout

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def cache(make_cache: Callable[..., Any]) -> Any:
    """Memory alone: what is tested here is the same with both tiers."""
    return make_cache("memory")


def started() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tiercache-load"]


# Threads


def test_work_is_done_on_a_thread_of_its_own(background: Background) -> None:
    done: list[int] = []
    assert background.do(lambda: done.append(threading.get_ident()))
    eventually(lambda: done)
    assert done != [threading.get_ident()]


def test_an_idle_thread_is_used_again(background: Background) -> None:
    for number in range(10):
        done = threading.Event()
        assert background.do(done.set)
        assert done.wait(SECONDS), number
        eventually(lambda: background._idle == 1)
    assert background._threads == 1


def test_no_work_waits_behind_a_busy_thread_while_another_may_begin(
    background: Background,
) -> None:
    """Each of many pieces begins although none of the others ends."""
    go = threading.Event()
    begun = [threading.Event() for _ in range(module.MOST_THREADS)]
    for event in begun:
        background.do(lambda event=event: (event.set(), go.wait(SECONDS)))
    assert all(event.wait(SECONDS) for event in begun)
    last = threading.Event()
    background.do(last.set)
    assert background._threads == module.MOST_THREADS
    assert not last.is_set()
    awaited = threading.Event()
    background.do(awaited.set, awaited=True)
    assert awaited.wait(SECONDS)
    go.set()
    assert last.wait(SECONDS)


def test_too_much_is_refused(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    monkeypatch.setattr(module, "MOST_THREADS", 1)
    go, begun = threading.Event(), threading.Event()
    background.do(lambda: (begun.set(), go.wait(SECONDS)))
    assert begun.wait(SECONDS)
    assert [background.do(lambda: None) for _ in range(3)] == [True, True, False]
    go.set()
    eventually(lambda: background.do(lambda: None))


def test_without_a_thread_to_be_had_nothing_is_taken_on(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while the interpreter ends; later it would be done behind the caller's back."""
    done: list[int] = []

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert not background.do(lambda: done.append(1))
    after = threading.Event()
    assert background.do(after.set)
    assert after.wait(SECONDS)
    assert done == []


def test_what_fails_is_logged_and_ends_no_thread(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise SystemExit

    background.do(fail)
    eventually(lambda: "tiercache.background.failed" in caplog.text)
    done = threading.Event()
    background.do(done.set)
    assert done.wait(SECONDS)
    assert background._threads == 1


def test_threads_without_work_end(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    for _ in range(5):
        done = threading.Event()
        background.do(done.set)
        assert done.wait(SECONDS)
    eventually(lambda: background._threads == 0)
    assert background._idle == 0


def test_database_connections_are_closed(
    background: Background, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After each piece of work, on its thread; a database that objects stops nothing."""
    closed: list[int] = []

    def close_all() -> None:
        closed.append(threading.get_ident())
        raise OSError("the database is away")

    monkeypatch.setattr(connections, "close_all", close_all)
    idents: list[int] = []
    for _ in range(module.MOST_THREADS + 1):
        background.do(lambda: idents.append(threading.get_ident()))
    # Threads that other tests have left may close theirs meanwhile.
    eventually(lambda: len(idents) == module.MOST_THREADS + 1)
    eventually(lambda: all(closed.count(each) >= idents.count(each) for each in idents))
    assert "the database is away" in caplog.text


# Loads beside their callers


def make_stale(cache: Any, key: str = "key", value: Any = "old") -> None:
    cache.set(key, value, 0.001, grace=600)
    eventually(lambda: cache.get(key) is None)


def test_a_refresh_speaks_the_language_of_who_asked(cache: Any) -> None:
    """Context variables go with it: language, time zone, the site's own."""
    own: contextvars.ContextVar[str] = contextvars.ContextVar("own", default="")
    seen: list[Any] = []

    def load() -> str:
        seen.extend([translation.get_language(), timezone.get_current_timezone_name(), own.get()])
        return "new"

    make_stale(cache)
    own.set("mine")
    with translation.override("fr"), timezone.override("Asia/Tokyo"):
        assert cache.get_or_set("key", load) == "old"
    eventually(lambda: cache.get("key") == "new")
    assert seen == ["fr", "Asia/Tokyo", "mine"]


async def test_so_does_a_synchronous_loader_of_a_task(cache: Any) -> None:
    with translation.override("fr"):
        assert await cache.aget_or_set("key", translation.get_language) == "fr"


def test_a_refresh_that_fails_is_logged(cache: Any, caplog: pytest.LogCaptureFixture) -> None:
    make_stale(cache)
    assert cache.get_or_set("key", Source(LookupError("away"))) == "old"
    eventually(lambda: "tiercache.load.failed" in caplog.text)
    assert caplog.records[-1].levelno == logging.ERROR


def test_a_load_that_nobody_can_take_on_says_so(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a budget it is `LoadTimeout`, and no endless loop; with something stale, that."""
    monkeypatch.setattr(module.background, "do", lambda work, awaited: False)
    source = Source()
    with pytest.raises(LoadTimeout):
        cache.get_or_set("key", source, budget=5)
    make_stale(cache)
    assert cache.get_or_set("key", source) == "old"
    assert source.loads == 0
    assert len(cache._node.traffic) == 0


# Who waits for whom


def test_a_loader_may_ask_for_its_own_key(cache: Any) -> None:
    inner = Source("inner")
    assert cache.get_or_set("key", lambda: "outer of " + cache.get_or_set("key", inner)) == (
        "outer of inner"
    )
    assert cache.get("key") == "outer of inner"
    assert len(cache._node.traffic) == 0


async def test_an_asynchronous_loader_may_ask_for_its_own_key(cache: Any) -> None:
    async def load() -> str:
        return "outer of " + await cache.aget_or_set("key", Source("inner"))

    async with asyncio.timeout(SECONDS):
        assert await cache.aget_or_set("key", load) == "outer of inner"


def test_with_a_budget_as_well(cache: Any) -> None:
    """There the loader runs in another thread than who waits for it."""

    def load() -> str:
        return "outer of " + cache.get_or_set("key", Source("inner"), budget=SECONDS)

    assert cache.get_or_set("key", load, budget=SECONDS) == "outer of inner"


@pytest.mark.parametrize("budget", [None, SECONDS])
def test_two_loaders_may_wait_for_each_other(cache: Any, budget: Any) -> None:
    """One of the two computes what the other one would have brought."""
    gate = threading.Barrier(2)

    def load(name: str, other: str) -> str:
        gate.wait(SECONDS)
        inner = cache.get_or_set(other, lambda: f"{other} itself", budget=budget)
        return f"{name} of {inner}"

    callers = [
        Caller(lambda: cache.get_or_set("a", lambda: load("a", "b"), budget=budget)),
        Caller(lambda: cache.get_or_set("b", lambda: load("b", "a"), budget=budget)),
    ]
    got = {caller.outcome for caller in callers}
    assert got in (
        {"a of b itself", "b of a of b itself"},
        {"b of a itself", "a of b of a itself"},
        {"a of b itself", "b of a itself"},
    )
    assert len(cache._node.traffic) == 0


async def test_two_asynchronous_loaders_may_wait_for_each_other(cache: Any) -> None:
    begun = {name: asyncio.Event() for name in "ab"}

    async def load(name: str, other: str) -> str:
        begun[name].set()
        await begun[other].wait()
        return f"{name} of " + await cache.aget_or_set(other, lambda: f"{other} itself")

    async with asyncio.timeout(SECONDS):
        got = await asyncio.gather(
            cache.aget_or_set("a", lambda: load("a", "b")),
            cache.aget_or_set("b", lambda: load("b", "a")),
        )
    assert len(got) == 2
    assert len(cache._node.traffic) == 0


def test_what_is_loaded_beside_its_caller_does_not_hold_it_up(cache: Any) -> None:
    """A refresh begun by a loader may wait for that loader's own key, and gets what it brings."""
    make_stale(cache, "other")
    outer, waits = Source(held=True), threading.Event()
    inner: list[Any] = []

    def refresh() -> str:
        waits.set()
        inner.append(cache.get_or_set("key", Source("computed again")))
        return "new"

    def load() -> Any:
        assert cache.get_or_set("other", refresh) == "old"
        return outer()

    caller = Caller(lambda: cache.get_or_set("key", load))
    assert waits.wait(SECONDS)
    assert outer.begun.wait(SECONDS)
    (flight,) = [f for f in cache._node.traffic.loads._flights.values() if "other" not in f.key]
    eventually(lambda: len(flight._listeners) == 1)
    outer.let_go()
    assert caller.outcome == "value"
    eventually(lambda: inner == ["value"])


async def test_a_synchronous_call_on_the_loops_own_thread(cache: Any) -> None:
    """It cannot wait for a task of that loop, and computes for itself."""
    go = asyncio.Event()

    async def load() -> str:
        await go.wait()
        return "by the task"

    task = asyncio.create_task(cache.aget_or_set("key", load))
    await aeventually(lambda: len(cache._node.traffic.loads) == 1)
    assert cache.get_or_set("key", lambda: "by the call") == "by the call"
    go.set()
    assert await task == "by the task"


async def test_nor_does_it_wait_for_ever_for_a_thread_that_waits_for_the_loop(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ON_LOOP", 0.05)
    loop, begun = asyncio.get_running_loop(), threading.Event()

    async def on_the_loop() -> str:
        return "from the loop"

    def load() -> str:
        begun.set()
        return asyncio.run_coroutine_threadsafe(on_the_loop(), loop).result(SECONDS)

    caller = Caller(lambda: cache.get_or_set("key", load))
    assert await asyncio.to_thread(begun.wait, SECONDS)
    assert cache.get_or_set("key", lambda: "by the call") == "by the call"
    assert await asyncio.to_thread(lambda: caller.outcome) == "from the loop"


async def test_a_loader_is_not_bound_to_the_thread_of_the_request(cache: Any) -> None:
    """asgiref keeps one thread for a request's synchronous code: some of it may wait for us."""
    source, begun, flights = Source(held=True), threading.Event(), cache._node.traffic.loads

    def view() -> str:
        begun.set()
        eventually(lambda: len(flights) == 1)
        return str(cache.get_or_set("key", lambda: "by the view"))

    async with asyncio.timeout(SECONDS), ThreadSensitiveContext():
        other = asyncio.create_task(sync_to_async(view)())
        await asyncio.to_thread(begun.wait, SECONDS)
        task = asyncio.create_task(cache.aget_or_set("key", source))
        await aeventually(lambda: len(flights) == 1)
        (flight,) = flights._flights.values()
        await aeventually(lambda: len(flight._listeners) == 3)
        source.let_go()
        assert await task == await other == "value"
    assert source.loads == 1


def test_loads_under_async_to_sync(cache: Any) -> None:
    """Each call has a loop of its own, which ends with it."""
    source = Source()
    assert async_to_sync(cache.aget_or_set)("key", source) == "value"
    assert async_to_sync(cache.aget_or_set)("key", source.asynchronously) == "value"
    assert source.loads == 1


# Callers that go away


async def test_a_cancelled_caller_takes_nobodys_value_away(cache: Any) -> None:
    """Neither the one who began the load nor one who joined it."""
    source = Source(held=True)
    tasks = [asyncio.create_task(cache.aget_or_set("key", source)) for _ in range(4)]
    await aeventually(source.begun.is_set)
    for task in tasks[:2]:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    source.let_go()
    assert await asyncio.gather(*tasks[2:]) == ["value", "value"]
    assert source.loads == 1
    assert cache.get("key") == "value"


def test_the_end_of_a_loop_frees_who_waits_in_threads(cache: Any) -> None:
    """They load for themselves."""
    source = Source()

    async def main() -> Caller:
        async def for_ever() -> None:
            await asyncio.Event().wait()

        asyncio.get_running_loop().create_task(cache.aget_or_set("key", for_ever))
        await aeventually(lambda: len(cache._node.traffic.loads) == 1)
        (flight,) = cache._node.traffic.loads._flights.values()
        waiting = Caller(lambda: cache.get_or_set("key", source))
        await aeventually(lambda: len(flight._listeners) == 3)
        return waiting

    assert asyncio.run(main()).outcome == "value"
    assert source.loads == 1
    assert len(cache._node.traffic) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("closed", [True, False])
def test_a_loop_that_ends_without_a_word_frees_them_as_well(
    cache: Any, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """Closed, or just never run again, with its tasks left as they were."""
    monkeypatch.setattr(runner, "LOOK_AGAIN", 0.05)
    loop = asyncio.new_event_loop()
    logging.getLogger("asyncio").disabled = True
    source = Source()

    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> Caller:
        abandoned.append(loop.create_task(cache.aget_or_set("key", for_ever)))
        await aeventually(lambda: len(cache._node.traffic.loads) == 1)
        (flight,) = cache._node.traffic.loads._flights.values()
        waiting = Caller(lambda: cache.get_or_set("key", source))
        await aeventually(lambda: len(flight._listeners) >= 3)
        return waiting

    before = set(runner._tasks)
    abandoned: list[Any] = []
    try:
        waiting = loop.run_until_complete(main())
        if closed:
            loop.close()
        assert waiting.outcome == "value"
        assert cache.get_or_set("key", source) == "value"
        assert source.loads == 1
        assert runner._tasks == before
        assert len(cache._node.traffic) == 0
    finally:
        for task in asyncio.all_tasks(loop) if not closed else ():
            task.cancel()
        if not closed:
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        gc.collect()
        logging.getLogger("asyncio").disabled = False


async def test_a_refresh_outlives_the_request_that_began_it(cache: Any) -> None:
    """And holds up neither its end nor its thread."""
    make_stale(cache)
    source = Source("new", held=True)
    async with asyncio.timeout(SECONDS):
        async with ThreadSensitiveContext():
            assert await cache.aget_or_set("key", source) == "old"
            await aeventually(source.begun.is_set)
        source.let_go()
        await aeventually(lambda: cache.get("key") == "new")


# Nothing is left


def test_flights_are_garbage_when_they_have_landed(cache: Any) -> None:
    """With the value, the error and the traceback that they held."""

    class Error(Exception):
        pass

    seen: list[weakref.ref[Error]] = []

    def fail() -> None:
        error = Error()
        seen.append(weakref.ref(error))
        raise error

    for _ in range(3):
        with pytest.raises(Error):
            cache.get_or_set("key", fail)
    gc.collect()
    assert [ref() for ref in seen] == [None] * 3
    assert len(cache._node.traffic) == 0
    assert all(not task.done() for task in runner._tasks)
