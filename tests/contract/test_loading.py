"""Loading and tags: the same answers over every combination of tiers, sync and async."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for
from tests.support.crowd import Caller, Source, at_once, outcomes
from tests.support.waiting import eventually
from tiercache.exceptions import LoadTimeout
from tiercache.loading import LoadContext, current_load
from tiercache.wire import AFTERLIFE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.caches import Face


def make_stale(face: Any, key: str = "key", value: Any = "old", **how: Any) -> None:
    """Let there be a stale entry."""
    face.set(key, value, 0.001, grace=600, **how)
    eventually(lambda: face.get(key) is None)


def nothing_left(face: Face) -> None:
    """Nothing is under way, and no lease is held."""
    node = face.cache._node
    # A face's event loop, and what is under way on it, goes on only while it is called.
    eventually(
        lambda: face.get("nothing") or len(node.traffic.loads) + len(node.traffic.bells) == 0
    )
    if node._pool is not None and node.health.state == "up":
        client = face.cache.client.get_client()
        eventually(lambda: [*client.scan_iter("*tiercache.lease")] == [])


# What is loaded


@pytest.mark.parametrize("default", ["value", lambda: "value", lambda context: "value"])
def test_what_is_not_there_is_computed_and_kept(face: Face, default: Any) -> None:
    """A value, a function, or one that takes the context."""
    assert face.get_or_set("key", default) == "value"
    assert face.get("key") == "value"
    assert face.get_or_set("key", "another") == "value"


def test_none_is_a_value(face: Face) -> None:
    source = Source(None)
    assert face.get_or_set("key", source) is None
    assert face.get_or_set("key", source) is None
    assert source.loads == 1


@pytest.mark.parametrize("timeout", [0, -1, 0.0, -0.5])
def test_what_has_timed_out_already_is_returned_and_not_kept(face: Face, timeout: float) -> None:
    source = Source()
    assert face.get_or_set("key", source, timeout) == "value"
    assert face.get("key") is None
    assert face.get_or_set("key", source, timeout) == "value"
    assert source.loads == 2
    nothing_left(face)


def test_timeouts_may_be_fractions_and_none(face: Face) -> None:
    face.get_or_set("short", 1, 0.5)
    face.get_or_set("long", 1, None, grace=5)
    assert 0 < face.cache.pttl("short") <= 500
    assert face.cache.ttl("long") is None


def test_versions_are_apart(face: Face) -> None:
    assert face.get_or_set("key", 1, version=1) == 1
    assert face.get_or_set("key", 2, version=2) == 2
    assert face.get("key", version=1) == 1


def test_a_key_function_names_what_is_loaded(make_cache: Any, make_face: Any, tiers: str) -> None:
    """And what tiercache keeps for itself is not among the keys."""
    cache = make_cache(tiers, KEY_FUNCTION=lambda key, prefix, version: f"{prefix}-{key}")
    face = make_face(cache)
    assert face.get_or_set("key", "value", tags=("a",)) == "value"
    assert [key for key in cache.keys("*")] == [cache.make_key("key")]  # noqa: C416


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({"early": -1}, "early"),
        ({"budget": "1"}, "budget"),
        ({"budget": True}, "budget"),
        ({"grace": -1}, "grace"),
        ({"tags": "text"}, "tags"),
        ({"tags": [1]}, "tag"),
        ({"timeout": "x"}, "timeout"),
    ],
)
def test_words_that_cannot_be_are_refused_before_anything_is_computed(
    face: Face, words: dict[str, Any], name: str
) -> None:
    source = Source()
    with pytest.raises(TypeError, match=name):
        face.get_or_set("key", source, **words)
    assert source.loads == 0


def test_an_async_function_needs_the_async_call(make_cache: Any, tiers: str) -> None:
    cache = make_cache(tiers)

    async def load() -> str:
        return "value"

    for call in (cache.get_or_set, cache.refresh):
        with pytest.raises(TypeError, match="async function"):
            call("key", load)
    assert asyncio.run(cache.aget_or_set("key", load)) == "value"


def test_refresh_computes_whatever_there_is(face: Face) -> None:
    face.set("key", "old")
    assert face.refresh("key", lambda: "new") == "new"
    assert face.get("key") == "new"
    nothing_left(face)


# What fails


def test_an_error_is_the_callers_and_the_next_call_tries_again(face: Face) -> None:
    source = Source(LookupError("away"))
    with pytest.raises(LookupError, match="away"):
        face.get_or_set("key", source)
    assert face.get("key") is None
    source.value = "value"
    assert face.get_or_set("key", source) == "value"
    assert source.loads == 2
    nothing_left(face)


class Halt(BaseException):
    pass


@pytest.mark.parametrize("budget", [None, 30])
@pytest.mark.parametrize("error", [Halt, asyncio.CancelledError, GeneratorExit, StopIteration])
def test_exceptions_of_every_kind_reach_the_caller_once(
    face: Face, error: type[BaseException], budget: float | None
) -> None:
    """No endless loop, nothing under way, and the next caller loads."""
    source = Source(error())
    raised = RuntimeError if error is StopIteration else error
    with pytest.raises(raised):
        face.get_or_set("key", source, budget=budget)
    assert source.loads == 1
    nothing_left(face)
    source.value = "value"
    assert face.get_or_set("key", source) == "value"


def test_what_cannot_be_serialized_is_an_error_and_changes_nothing(face: Face) -> None:
    with pytest.raises((TypeError, AttributeError)):
        face.get_or_set("key", threading.Lock)
    assert face.get("key") is None
    nothing_left(face)


# Callers at the same time


def test_many_callers_cause_one_load(make_cache: Any, tiers: str) -> None:
    """Threads and tasks together; what each gets is its own."""
    cache = make_cache(tiers)
    source = Source([1], held=True)
    callers = at_once(
        20,
        20,
        lambda: cache.get_or_set("key", source),
        lambda: cache.aget_or_set("key", source.asynchronously),
    )
    assert source.begun.wait(10)
    source.let_go()
    got = outcomes(callers)
    assert got == [[1]] * 40
    assert len({id(value) for value in got}) == 40
    assert source.loads == 1


def test_every_waiter_gets_the_same_error(make_cache: Any, tiers: str) -> None:
    """With a traceback that does not grow with their number."""
    cache = make_cache(tiers)
    source = Source(LookupError("away"), held=True)
    callers = [Caller(lambda: cache.get_or_set("key", source)) for _ in range(20)]
    assert source.begun.wait(10)
    (flight,) = cache._node.traffic.loads._flights.values()
    # The one who leads carries the load out, and so waits for nothing.
    eventually(lambda: len(flight._listeners) == 19)
    source.let_go()
    assert {id(caller.outcome) for caller in callers} == {id(source.value)}
    depth, traceback = 0, source.value.__traceback__
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    assert depth < 40
    assert source.loads == 1


def test_with_redis_away_a_landed_load_is_not_repeated(make_cache: Any, tiers: str) -> None:
    """Not even by one who had looked before it landed."""
    if tiers == "tiered":
        return
    cache = make_cache(tiers)
    source, late = Source(held=True), Source("late")
    first = Caller(lambda: cache.get_or_set("key", source))
    assert source.begun.wait(10)
    flights = cache._node.traffic.loads
    board, looked, go = flights.board, threading.Event(), threading.Event()

    def slow_board(key: str, ticket: int, *, alone: bool = False) -> Any:
        looked.set()
        assert go.wait(10)
        return board(key, ticket, alone=alone)

    flights.board = slow_board
    second = Caller(lambda: cache.get_or_set("key", late))
    assert looked.wait(10)
    source.let_go()
    assert first.outcome == "value"
    go.set()
    assert second.outcome == "value"
    assert late.loads == 0


def test_a_waiter_who_cannot_have_a_copy_computes_its_own(make_cache: Any, tiers: str) -> None:
    """Never is it handed a sign for "nothing there"."""
    cache = make_cache(tiers)
    source = Source(Unreadable(), held=True)
    callers = [Caller(lambda: cache.get_or_set("key", source)) for _ in range(3)]
    assert source.begun.wait(10)
    (flight,) = cache._node.traffic.loads._flights.values()
    eventually(lambda: len(flight._listeners) == 2)
    source.let_go()
    assert all(isinstance(caller.outcome, Unreadable) for caller in callers)


class Unreadable:
    """Goes in and does not come out."""

    def __reduce__(self) -> Any:
        return (_refuse, ())


def _refuse() -> None:
    raise LookupError("no such thing")


# What happens meanwhile wins


CHANGES: dict[str, Callable[[Any], object]] = {
    "delete": lambda cache: cache.delete("key"),
    "set": lambda cache: cache.set("key", "set"),
    "evict": lambda cache: cache.evict_tags("a"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_computed_before_a_change_is_returned_and_not_kept(
    face: Face, change: str
) -> None:
    expected = "set" if change == "set" else None

    def load() -> str:
        face_of_change(face, change)
        return "computed before"

    assert face.get_or_set("key", load, tags=("a",)) == "computed before"
    assert face.get("key") == expected
    nothing_left(face)


def face_of_change(face: Face, change: str) -> None:
    # In a thread: the loader of an asynchronous call may stand on the loop's own.
    caller = Caller(lambda: CHANGES[change](face.cache))
    assert not isinstance(caller.outcome, BaseException)


@pytest.mark.parametrize("named", ["by the caller", "by the loader"])
@pytest.mark.parametrize("change", ["delete", "evict"])
def test_who_asks_after_a_change_does_not_join_what_began_before(
    make_cache: Any, tiers: str, change: str, named: str
) -> None:
    """It gets what is computed after the change."""
    cache = make_cache(tiers)
    source, after = Source("before", held=True), Source("after")

    def load(context: LoadContext) -> Any:
        context.tag("a")
        return source()

    tags = ("a",) if named == "by the caller" else ()
    first = Caller(lambda: cache.get_or_set("key", load, tags=tags))
    assert source.begun.wait(10)
    CHANGES[change](cache)
    second = Caller(lambda: cache.get_or_set("key", after, tags=("a",)))
    if change == "evict" and tiers == "tiered":
        # It waits for the lease of the first.
        eventually(lambda: len(cache._node.traffic.bells) == 1)
    else:
        assert second.outcome == "after"
    source.let_go()
    assert first.outcome == "before"
    assert second.outcome == "after"
    assert cache.get("key") == "after"


# Grace


def test_what_is_stale_is_returned_at_once_and_loaded_beside(face: Face) -> None:
    make_stale(face)
    source = Source("new", held=True)
    assert face.get_or_set("key", source, 600, grace=600) == "old"
    eventually(lambda: face.get("nothing") or source.begun.is_set())
    assert face.get_or_set("key", source, 600, grace=600) == "old"
    source.let_go()
    eventually(lambda: face.get_or_set("key", source, 600, grace=600) == "new")
    assert source.loads == 1
    assert face.cache.stats().stale_hits >= 2
    nothing_left(face)


def test_while_the_source_fails_the_stale_value_is_used(
    make_cache: Any, make_face: Any, tiers: str
) -> None:
    """The next try comes after LOAD_RETRY, and not before."""
    face = make_face(make_cache(tiers, OPTIONS={"LOAD_RETRY": 0.1}))
    make_stale(face)
    source = Source(LookupError("away"))
    assert face.get_or_set("key", source) == "old"
    calls = face.cache._calls
    eventually(lambda: face.get("nothing") or calls.load_failures == 1)
    eventually(lambda: face.get_or_set("key", source) == "old" and source.loads == 2)
    eventually(lambda: face.get("nothing") or calls.load_failures == 2)
    source.value = "new"
    eventually(lambda: face.get_or_set("key", source) == "new")
    nothing_left(face)


def test_it_is_not_tried_again_before_that(face: Face) -> None:
    make_stale(face)
    source = Source(LookupError("away"))
    for _ in range(20):
        assert face.get_or_set("key", source) == "old"
    eventually(lambda: face.get("nothing") or face.cache._calls.load_failures == 1)
    for _ in range(20):
        assert face.get_or_set("key", source) == "old"
    assert source.loads == 1


def test_a_new_value_ends_the_pause_of_the_old(face: Face) -> None:
    """What was stored by somebody else may be stale sooner than the pause is over."""
    make_stale(face)
    source = Source(LookupError("away"))
    assert face.get_or_set("key", source) == "old"
    eventually(lambda: face.get("nothing") or face.cache._calls.load_failures == 1)
    eventually(lambda: face.get("nothing") or len(face.cache._node.traffic.loads) == 0)
    make_stale(face, value="set")
    source.value = "new"
    assert face.get_or_set("key", source) == "set"
    eventually(lambda: face.get_or_set("key", source) == "new")


def test_memory_keeps_what_is_stale_until_its_grace_is_over(face: Face) -> None:
    """The sweep takes it then, and gives back what it took."""
    make_stale(face)
    face.set("short", "old", 0.001, grace=0.05)
    memory = face.cache._node.memory
    eventually(lambda: memory.sweep(10_000) >= 0 and len(memory) == 1)
    assert face.cache.make_key("key") in memory.entries
    assert memory.bytes == memory.entries[face.cache.make_key("key")].size


def test_after_the_grace_the_caller_sees_the_error(face: Face) -> None:
    face.set("key", "old", 0.001, grace=0.01)
    source = Source(LookupError("away"))
    with pytest.raises(LookupError):
        eventually(lambda: face.get_or_set("key", source) != "old")


def test_only_get_or_set_serves_what_is_stale(face: Face) -> None:
    make_stale(face, tags=("a",))
    cache = face.cache
    assert face.get_many(["key"]) == {}
    assert not face.has_key("key")
    assert cache.ttl("key") == 0
    assert not cache.persist("key")
    assert not cache.expire("key", 60)
    assert not face.touch("key", 60)
    with pytest.raises(ValueError, match="not found"):
        face.incr("key")
    with pytest.raises(ValueError, match="not found"):
        face.incr_version("key")
    assert not face.set("key", 1, xx=True)
    assert face.add("key", "added")
    assert face.get("key") == "added"


def test_a_counter_may_begin_where_one_was_evicted(face: Face) -> None:
    face.set("key", 5, tags=("a",))
    face.evict_tags("a")
    assert face.incr("key", 2, ignore_key_check=True) == 2
    assert face.get("key") == 2
    assert face.cache.ttl("key") is None


def test_operations_keep_grace_and_tags(face: Face) -> None:
    """What changes a value or its timeout leaves the rest as it was."""
    face.set("key", 1, 60, grace=600, tags=("a",))
    assert face.incr("key", 2) == 3
    assert face.touch("key", 30)
    assert 25 < face.cache.ttl("key") <= 30
    assert face.cache.expire("key", 40)
    assert 35 < face.cache.ttl("key") <= 40
    assert face.get("key") == 3
    assert face.has_key("key")
    assert face.cache.keys("*") == ["key"]
    assert face.evict_tags("a") == 1
    assert face.get("key") is None
    assert face.cache.keys("k*") in ([], ["key"])  # Redis keeps it until its time is over


def test_clear_and_delete_pattern_take_entries_and_tags(face: Face) -> None:
    for remove in (face.clear, lambda: face.cache.delete_pattern("*")):
        face.set("key", 1, grace=60, tags=("a",))
        remove()
        assert face.get("key") is None
        assert face.cache.keys("*") == []
        assert face.evict_tags("a") == 0


# Early, budget


@pytest.mark.parametrize("grace", [0, 1])
def test_a_load_is_early_by_a_probability_that_rises(face: Face, grace: float) -> None:
    """By no eagerness never, by one beyond all measure at once: answered from what is there."""
    source = Source("old")
    assert face.get_or_set("key", source, 600, grace=grace) == "old"
    source.value = "new"
    for _ in range(20):
        assert face.get_or_set("key", source, 600, early=1e-9, grace=grace) == "old"
    assert source.loads == 1
    source.hold()
    eventually(
        lambda: (
            face.get_or_set("key", source, 600, early=1e8, grace=grace) == "old"
            and source.begun.is_set()
        )
    )
    source.let_go()
    eventually(lambda: face.get("key") == "new")
    assert face.cache.stats().stale_hits == 0
    nothing_left(face)


def test_what_has_no_end_is_never_early(face: Face) -> None:
    face.get_or_set("key", 1, None)
    assert face.get_or_set("key", 2, None, early=1e8) == 1
    assert len(face.cache._node.traffic.loads) == 0


def test_beyond_its_budget_a_caller_is_told_and_the_load_goes_on(face: Face) -> None:
    source = Source(held=True)
    with pytest.raises(LoadTimeout):
        face.get_or_set("key", source, budget=0.01)
    with pytest.raises(TimeoutError):
        face.get_or_set("key", source, budget=0)
    source.let_go()
    eventually(lambda: face.get("key") == "value")
    assert source.loads == 1
    nothing_left(face)


def test_within_its_budget_it_gets_the_value_or_the_error(face: Face) -> None:
    assert face.get_or_set("key", Source(), budget=30) == "value"
    with pytest.raises(LookupError):
        face.get_or_set("other", Source(LookupError()), budget=30)


def test_with_something_stale_the_budget_is_of_no_concern(face: Face) -> None:
    make_stale(face)
    source = Source("new", held=True)
    assert face.get_or_set("key", source, budget=0) == "old"
    source.let_go()
    eventually(lambda: face.get_or_set("key", source) == "new")


# The context


def test_the_loader_decides_how_its_value_is_kept(face: Face) -> None:
    def load(context: LoadContext) -> str:
        assert context.key == face.cache.make_key("key")
        assert current_load() is context
        assert not context.has_stale
        assert context.stale is None
        context.timeout, context.grace = 30, 600
        context.tag("a", "b")
        return "value"

    assert face.get_or_set("key", load, 600, tags=("c",)) == "value"
    assert 25 < face.cache.ttl("key") <= 30
    assert current_load() is None
    assert face.evict_tags("b") == 1
    assert face.get("key") is None


def test_the_loader_may_decline(face: Face) -> None:
    def load(context: LoadContext) -> str:
        context.decline()
        return "value"

    assert face.get_or_set("key", load) == "value"
    assert face.get("key") is None
    nothing_left(face)


def test_the_loader_sees_what_is_stale_and_may_let_it_live_on(face: Face) -> None:
    """With its tags; over every combination of tiers."""
    make_stale(face, value=["old"], tags=("a",))
    seen: list[Any] = []

    def load(context: LoadContext) -> Any:
        seen.append(context.stale)
        return context.not_modified()

    assert face.get_or_set("key", load, 60, grace=600) == ["old"]
    eventually(lambda: face.get("key") == ["old"])
    assert seen == [["old"]]
    assert 50 < face.cache.ttl("key") <= 60
    face.evict_tags("a")
    assert face.get("key") is None
    nothing_left(face)


def test_nothing_to_let_live_on_is_an_error(face: Face) -> None:
    with pytest.raises(ValueError, match="no older value"):
        face.get_or_set("key", lambda context: context.not_modified())


# Tags


def test_a_tag_evicts_all_that_bear_it_and_nothing_else(face: Face) -> None:
    face.set("set", 1, tags=("a", "b"))
    face.add("added", 2, tags=("a",))
    face.set_many({"many": 3, "more": [4]}, tags=("a",))
    face.get_or_set("loaded", 5, tags=["a"])
    face.set("other", 6, tags=("b",))
    face.set("plain", 7)
    names = ["set", "added", "many", "more", "loaded", "other", "plain"]
    assert face.get_many(names) == dict(zip(names, [1, 2, 3, [4], 5, 6, 7], strict=True))
    assert face.evict_tags("a", "unknown") == 1
    assert face.get_many(names) == {"other": 6, "plain": 7}
    assert face.evict_tags() == 0


def test_what_is_written_after_an_eviction_lives(face: Face) -> None:
    for value in range(3):
        face.set("key", value, tags=("a",))
        assert face.get("key") == value
        face.evict_tags("a")
        assert face.get("key") is None


def test_tags_have_versions_as_keys_have(face: Face) -> None:
    face.set("key", 1, version=1, tags=("a",))
    face.set("key", 2, version=2, tags=("a",))
    face.evict_tags("a", version=2)
    assert face.get("key", version=1) == 1
    assert face.get("key", version=2) is None


def test_an_entry_that_was_evicted_is_not_served_as_stale(face: Face) -> None:
    make_stale(face, tags=("a",))
    face.evict_tags("a")
    assert face.get_or_set("key", "new") == "new"


def test_what_tags_and_grace_take_is_accounted_for(face: Face) -> None:
    memory = face.cache._node.memory
    face.set("plain", "x" * 100)
    plain = memory.bytes
    face.set("rich", "x" * 100, grace=60, tags=tuple(f"tag{number}" for number in range(10)))
    entry = memory.entries[face.cache.make_key("rich")]
    assert entry.size > plain + 10 * 50
    face.delete("rich")
    face.delete("plain")
    face.clear()
    assert memory.bytes == 0


# Aliases


def test_an_option_gives_grace_to_what_is_loaded(
    make_cache: Any, make_face: Any, tiers: str
) -> None:
    """Where the call does not say; and jitter shortens timeouts, and never lengthens them."""
    face = make_face(make_cache(tiers, OPTIONS={"GRACE": 600, "JITTER": 0.5}))
    face.get_or_set("key", "old", 0.002)
    eventually(lambda: face.get("key") is None)
    assert face.get_or_set("key", "new", 60) == "old"
    for number in range(20):
        face.set(f"key{number}", 1, 100)
    left = {face.cache.pttl(f"key{number}") for number in range(20)}
    assert min(left) > 40_000
    assert max(left) <= 100_000
    assert len(left) > 5


def test_without_a_backplane_a_node_sees_soon_what_another_loaded(
    make_caches: Any, valkey: Any
) -> None:
    """What is stale in memory is looked up again after a moment, not after the lease."""
    conf = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "none"})
    cache = make_caches(default=conf)["default"]
    make_stale(cache)
    full, node = cache.make_key("key"), cache._node
    valkey.client.set(f"{full}:tiercache.lease", "another node's", px=AFTERLIFE + 60_000)
    source = Source("computed again")
    assert cache.get_or_set("key", source) == "old"
    eventually(lambda: node.traffic.resting)
    assert node.traffic.resting[full] - node.clock() < 1
    valkey.client.set(full, "5")
    eventually(lambda: cache.get_or_set("key", source) == 5)
    assert source.loads == 0


def test_a_load_may_outlive_its_lease(make_cache: Any, valkey: Any) -> None:
    """It is stored if nobody else has begun one, and nothing has changed."""
    cache = make_cache(OPTIONS={"LEASE": 0.01})
    lease = f"{cache.make_key('key')}:tiercache.lease"

    def load(change: Any = None) -> str:
        eventually(lambda: valkey.client.pttl(lease) < AFTERLIFE)
        if change is not None:
            change()
        return "value"

    assert cache.get_or_set("key", load) == "value"
    assert cache.get("key") == "value"
    cache.delete("key")
    assert cache.get_or_set("key", lambda: load(lambda: cache.delete("key"))) == "value"
    assert cache.get("key") is None


def test_a_lease_that_is_over_is_anybodys(make_cache: Any, valkey: Any) -> None:
    """And then the one who had it stores nothing."""
    cache = make_cache(OPTIONS={"LEASE": 0.01})
    lease = f"{cache.make_key('key')}:tiercache.lease"
    first, second = Source("first", held=True), Source("second")
    caller = Caller(lambda: cache.get_or_set("key", first))
    assert first.begun.wait(10)
    eventually(lambda: valkey.client.pttl(lease) < AFTERLIFE)
    cache._node.traffic.loads.seal()  # as if the next one were on another node
    assert cache.get_or_set("key", second) == "second"
    first.let_go()
    assert caller.outcome == "first"
    assert cache.get("key") == "second"


@pytest.mark.parametrize("value", ["value", LookupError()], ids=["computed", "failed"])
def test_a_load_may_take_longer_than_redis_has(
    make_cache: Any, make_face: Any, tiers: str, value: Any
) -> None:
    """What it took is none of Redis's time: nobody is to think that Redis is away."""
    cache = make_cache(tiers, OPTIONS={"TIME_BUDGET": 0.2})
    face = make_face(cache)
    face.set("other", 1)
    before = cache.stats()
    source = Source(value, held=True)
    threading.Timer(0.5, source.let_go).start()
    with suppress(LookupError):
        face.get_or_set("key", source, 60)
    after = cache.stats()
    assert (after.state, after.timeouts) == (before.state, before.timeouts)
    assert face.get("other") == 1
    assert face.get("key") == ("value" if value == "value" else None)
