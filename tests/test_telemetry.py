"""Telemetry is data told to hooks: the same on both ways, without keys, and never in the way."""

from __future__ import annotations

import asyncio
import logging
import timeit
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import telemetry
from tiercache.backend import TieredCache
from tiercache.operations.overview import view
from tiercache.primary import Primary
from tiercache.telemetry import AfterLoad, Load, Loaded, RedisOperation


class Sink:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.operations: list[RedisOperation] = []
        self.begun: list[Load] = []
        self.loads: list[Loaded] = []

    def on_redis(self, operation: RedisOperation) -> None:
        self.operations.append(operation)

    def on_load(self, load: Load) -> AfterLoad:
        self.begun.append(load)
        return self.loads.append


class Broken(Sink):
    """A hook that raises wherever it is called."""

    def on_redis(self, operation: RedisOperation) -> None:
        raise RuntimeError("no sink")

    def on_load(self, load: Load) -> AfterLoad:
        raise RuntimeError("no sink")


class BrokenAfterwards(Sink):
    def on_load(self, load: Load) -> AfterLoad:
        def after(loaded: Loaded) -> None:
            raise RuntimeError("no end")

        return after


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    telemetry.add(made)
    yield made
    telemetry.remove(made)


@pytest.fixture
def tiered(make_cache: Any, make_face: Any) -> Any:
    return make_face(make_cache())


def test_each_step_is_told_with_its_commands_and_its_server(
    tiered: Any, valkey: Any, sink: Sink
) -> None:
    tiered.set("key", "value")
    tiered.get_many(["a", "b"])
    stored, read = sink.operations
    assert (stored.step, stored.commands) == ("Store", ("EVALSHA",))
    assert (read.step, read.commands) == ("Read", ("MGET", "PTTL", "PTTL"))
    place = read.place
    assert (place.address, place.port, place.database) == ("127.0.0.1", valkey.port, 0)
    assert place.store == f"{valkey.url}/0"
    assert 0 < read.nanoseconds < 5e9
    assert (read.error, read.code) == ("", "")


def test_a_hit_in_memory_tells_nothing(tiered: Any, sink: Sink) -> None:
    tiered.set("key", "value")
    del sink.operations[:]
    assert tiered.get("key") == "value"
    assert not sink.operations


def test_no_key_and_no_value_is_told(tiered: Any, sink: Sink) -> None:
    tiered.set("the-key", "the-value", tags=["the-tag"])
    tiered.get("the-other-key")
    tiered.get_or_set("the-third-key", lambda: "the-value")
    assert sink.loads
    assert "the-" not in repr((sink.operations, sink.begun, sink.loads))


def test_a_redis_that_does_not_answer_is_told_with_the_kind_of_failure(
    make_cache: Any, make_face: Any, sink: Sink
) -> None:
    make_face(make_cache("away")).get("key")
    (told,) = sink.operations
    assert (told.step, told.error, told.code) == ("Read", "refused", "")


def test_what_is_not_sent_while_the_breaker_is_open_is_not_told(
    make_cache: Any, sink: Sink
) -> None:
    cache = make_cache("away")
    cache.get("key")
    del sink.operations[:]
    cache.get("key")
    assert not sink.operations


def test_a_command_that_does_not_fit_is_told_with_the_servers_code(
    make_cache: Any, sink: Sink
) -> None:
    cache = make_cache()
    cache.set("text", "a")
    del sink.operations[:]
    with pytest.raises(Exception, match="WRONGTYPE"):
        cache.sadd("text", 1)
    (told,) = sink.operations
    assert (told.step, told.commands) == ("Call", ("SADD",))
    assert (told.error, told.code) == ("WRONGTYPE", "WRONGTYPE")


def test_a_refusal_that_keeps_requests_away_has_its_kind_and_its_code(
    make_caches: Any, own_valkey: Any, sink: Sink
) -> None:
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    server.refuse_writes()
    cache.set("key", 1)
    told = sink.operations[-1]
    assert (told.error, told.code) == ("readonly", "READONLY")


def test_the_server_is_where_a_sentinel_has_told_that_it_is(make_cache: Any, sink: Sink) -> None:
    cache = make_cache()
    primary = Primary.of(cache._node.passage._remote._pool)
    assert primary.address is None
    primary._address = ("10.0.0.9", 6380)
    cache.get("key")
    assert (sink.operations[0].place.address, sink.operations[0].place.port) == ("10.0.0.9", 6380)


def test_reports_and_operators_questions_are_not_told(make_cache: Any, sink: Sink) -> None:
    """They are none of the site's work, and go on all day."""
    cache = make_cache(OPTIONS={"REPORT": 0.05})
    assert view(cache).reached
    eventually(lambda: view(cache).windows["15m"].seconds)
    assert not sink.operations


# Loads


def test_a_load_is_told_before_and_after_with_its_cache_and_outcome(
    tiered: Any, sink: Sink
) -> None:
    assert tiered.get_or_set("key", lambda: "value") == "value"
    assert sink.begun == [Load("default")]
    (loaded,) = sink.loads
    assert (loaded.load, loaded.outcome, loaded.error) == (Load("default"), "loaded", None)
    assert loaded.nanoseconds > 0


def test_a_load_that_raises_is_told_with_what_it_raised(tiered: Any, sink: Sink) -> None:
    error = ValueError("no value")

    def source() -> Any:
        raise error

    with pytest.raises(ValueError, match="no value"):
        tiered.get_or_set("key", source)
    assert [(loaded.outcome, loaded.error) for loaded in sink.loads] == [("failed", error)]


def test_a_load_that_is_kept_nowhere_is_declined(tiered: Any, sink: Sink) -> None:
    def source(context: Any) -> str:
        context.decline()
        return "value"

    tiered.get_or_set("key", source)
    assert [loaded.outcome for loaded in sink.loads] == ["declined"]


def test_a_load_of_many_is_one(tiered: Any, sink: Sink) -> None:
    tiered.get_or_set_many(["a", "b"], lambda missing: dict.fromkeys(missing, 1))
    assert len(sink.loads) == 1


def test_an_asynchronous_load_is_told_in_the_context_in_which_it_runs(
    make_cache: Any, sink: Sink
) -> None:
    async def main() -> Any:
        async def source() -> Any:
            assert sink.begun
            assert not sink.loads
            return 1

        return await make_cache().aget_or_set("key", source)

    assert asyncio.run(main()) == 1
    assert len(sink.loads) == 1


# Hooks


@pytest.mark.parametrize("hook", [Broken(), BrokenAfterwards()], ids=["broken", "afterwards"])
def test_a_hook_that_raises_hurts_no_call_and_is_logged_once(
    tiered: Any, hook: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.add(hook)
    try:
        with caplog.at_level(logging.ERROR, "tiercache"):
            for number in range(3):
                assert tiered.get_or_set(f"key-{number}", lambda: "value") == "value"
    finally:
        telemetry.remove(hook)
    events = [getattr(record, "event", None) for record in caplog.records]
    assert events == ["tiercache.telemetry.failed"]


def test_a_broken_hook_takes_nothing_from_the_others(tiered: Any, sink: Sink) -> None:
    broken = Broken()
    telemetry.add(broken)
    try:
        tiered.get_or_set("key", lambda: "value")
    finally:
        telemetry.remove(broken)
    assert sink.operations
    assert sink.loads


def test_a_hook_that_is_added_twice_is_told_once(tiered: Any, sink: Sink) -> None:
    telemetry.add(sink)
    tiered.get("key")
    assert len(sink.operations) == 1


def test_hooks_that_were_removed_are_told_nothing(tiered: Any) -> None:
    sink = Sink()
    telemetry.add(sink)
    telemetry.remove(sink)
    tiered.get_or_set("key", lambda: 1)
    assert (sink.operations, sink.loads) == ([], [])
    assert telemetry.hooks == ()


def test_a_hit_in_memory_does_not_even_look_for_hooks(make_cache: Any, sink: Sink) -> None:
    """The hit path knows nothing of telemetry, so it costs nothing: the same code runs."""
    names = set(TieredCache.get.__code__.co_names)
    assert not names & {"telemetry", "hooks", "tell"}
    cache = make_cache()
    cache.set("key", 1)
    eventually(lambda: cache.get("key") == 1)
    del sink.operations[:]
    timeit.timeit(lambda: cache.get("key"), number=1000)
    assert not sink.operations
