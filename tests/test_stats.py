"""Snapshots: immutable, plain data on request; and counters that lose nothing under threads."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from tiercache import sources
from tiercache.exceptions import RedisAway
from tiercache.memory import REASONS
from tiercache.stats import COUNTED, Calls, Stats

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS, ROUNDS = 8, 400


@pytest.fixture
def snapshot() -> Stats:
    numbers = {name: number for number, name in enumerate(COUNTED)}
    return Stats(
        **numbers,
        evictions=MappingProxyType({"entries": 3}),
        errors=MappingProxyType({"timeout": 2}),
        timeouts=2,
        entries=5,
        bytes=500,
        state="up",
        backplane="joined",
        opened=1,
        journaled=0,
    )


@pytest.fixture
def _switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_no_field_can_be_set(snapshot: Stats) -> None:
    """Nor added, nor changed inside."""
    for field in fields(Stats):
        with pytest.raises(FrozenInstanceError):
            setattr(snapshot, field.name, 0)
    with pytest.raises((AttributeError, TypeError)):
        snapshot.other = 1
    for mapping in (snapshot.evictions, snapshot.errors):
        with pytest.raises(TypeError):
            mapping["x"] = 1


def test_as_dict_is_plain_data(snapshot: Stats) -> None:
    """All fields, as JSON and pickle carry them; changing it changes no snapshot."""
    plain = snapshot.as_dict()
    assert list(plain) == [field.name for field in fields(Stats)]
    assert json.loads(json.dumps(plain)) == plain
    assert pickle.loads(pickle.dumps(plain)) == plain
    plain["evictions"]["entries"] = 99
    assert snapshot.evictions["entries"] == 3


def test_every_counter_is_in_the_snapshot() -> None:
    """One that is added to the calls has to be shown."""
    assert set(COUNTED) <= {field.name for field in fields(Stats)}
    assert {getattr(Calls(), name) for name in COUNTED} == {0}


def test_a_cache_gives_plain_data(cache: Any) -> None:
    """What a real cache counts is JSON, too, in every combination of tiers."""
    cache.set("key", [1])
    cache.get("nothing")
    plain = json.loads(json.dumps(cache.stats().as_dict()))
    assert plain["sets"] == plain["misses"] == 1
    assert set(plain["evictions"]) == set(REASONS)
    assert set(plain["errors"]) <= set(RedisAway.KINDS)


def test_a_snapshot_does_not_move(cache: Any) -> None:
    """What is counted later is in later snapshots alone."""
    before = cache.stats()
    was = before.as_dict()
    for number in range(50):
        cache.set(f"key{number}", number, 0.001)
        cache.get("nothing")
    assert before.as_dict() == was
    assert cache.stats().sets == before.sets + 50


def test_errors_are_counted_by_kind(make_cache: Any) -> None:
    """Once for each step that Redis was asked and did not serve, not for those it was spared."""
    cache = make_cache("away")
    for _ in range(20):
        cache.set("key", 1)
    stats = cache.stats()
    assert stats.errors["refused"] >= 1
    assert sum(stats.errors.values()) < 20
    assert (stats.state, stats.timeouts) == ("away", 0)
    assert stats.opened == 2
    assert stats.journaled == 1


@pytest.mark.usefixtures("_switching")
def test_bare_counters_lose_nothing() -> None:
    """Eight threads raise them without a lock, switching as often as the interpreter can."""
    calls = Calls()
    barrier = threading.Barrier(THREADS)

    def work(_: int) -> None:
        barrier.wait(10)
        for _ in range(20_000):
            calls.memory_hits += 1
            calls.misses += 1

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    assert calls.memory_hits == calls.misses == THREADS * 20_000


def test_what_nobody_answered_is_never_seen_as_a_miss(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the misses that are shown would shrink, which Prometheus takes for a new beginning."""
    cache = make_cache("away")
    seen: list[dict[str, int]] = []
    # Called in the midst of counting, where another thread might take a snapshot as well.
    monkeypatch.setattr(sources, "watching", True)
    monkeypatch.setattr(sources, "note", lambda *_: seen.append(cache._binding.calls.figures()))
    cache.get("nothing")
    cache.get_many(["nothing", "neither"])
    assert [figures["misses"] for figures in seen] == [1, 3]
    assert [figures.get("unanswered") for figures in seen] == [1, 3]


@pytest.mark.usefixtures("_switching")
def test_every_call_of_a_cache_is_counted_under_threads(make_cache: Any) -> None:
    """Single keys and many keys: hits, misses, writes and deletes come out exactly."""
    cache = make_cache("memory")
    cache.set_many({"a": 1, "b": [2]})
    barrier = threading.Barrier(THREADS)

    def work(name: int) -> None:
        mine = caches["default"]
        barrier.wait(10)
        for number in range(ROUNDS):
            own = f"{name}-{number}"
            mine.get("a")
            mine.get_many(["a", "b", "nothing", own])
            mine.set_many({own: 1, f"{own}x": 2})
            mine.has_key("a")
            mine.delete_many([own, f"{own}x", "nothing"])
            mine.delete("nothing")
            mine.get(own)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    stats, times = cache.stats(), THREADS * ROUNDS
    assert stats.memory_hits == 3 * times
    assert stats.misses == 3 * times
    assert stats.sets == 2 * times + 2
    assert stats.deletes == 4 * times
    assert stats.entries == 2


def test_a_new_process_wide_count_needs_no_call() -> None:
    """The comment in `Calls` holds: adding a number to an attribute calls no function.

    Whoever adds `len(...)` in the same statement gives another thread the moment to come between
    the reading and the writing; the interpreter may switch at calls.
    """
    import ast
    from pathlib import Path

    package = Path(sys.modules["tiercache.stats"].__file__).parent
    calling = [
        f"{path.name}:{node.lineno}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Attribute)
        and node.target.attr in (*COUNTED, "messages", "invalidated")
        and any(isinstance(part, ast.Call) for part in ast.walk(node.value))
    ]
    assert calling == []
