"""Hits in memory looked at more closely, for a hundredth of the time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.waiting import eventually
from tiercache import sampling
from tiercache.entry import PLAIN, SERIALIZED, Copy, Entry
from tiercache.reports.histogram import Histogram
from tiercache.sampling import Sampler

FOREVER = float("inf")


@pytest.fixture
def entries() -> dict[str, Entry]:
    return {
        "plain": Entry("plain", Copy(5, PLAIN, 32), FOREVER),
        "serialized": Entry("serialized", Copy(b"bytes", SERIALIZED, 32), FOREVER),
        "over": Entry("over", Copy(5, PLAIN, 32), time.monotonic() - 1),
    }


@pytest.fixture
def times() -> Histogram:
    return Histogram()


@pytest.fixture
def sampler(entries: dict[str, Entry], times: Histogram, monkeypatch: Any) -> Sampler:
    monkeypatch.setattr(sampling, "OPEN", 0.2)
    return Sampler(entries, lambda data: data, times, lambda: None)


def test_hits_are_looked_up_in_the_dictionary_itself(sampler: Sampler, entries: Any) -> None:
    assert sampler.lookup is entries


def test_an_open_window_finds_what_the_dictionary_has(sampler: Sampler, entries: Any) -> None:
    sampler.turn(0.0)
    assert sampler.lookup is not entries
    for key in (*entries, "nothing"):
        assert sampler.lookup.get(key) is entries.get(key)


def test_hits_are_seen_and_timed_and_nothing_else(sampler: Sampler, times: Histogram) -> None:
    """An expired entry is no hit, and neither is what is not there."""
    sampler.turn(0.0)
    for key in ("plain", "over", "serialized", "nothing", "plain"):
        sampler.lookup.get(key)
    assert sampler.turn(sampling.EVERY) == ["plain", "serialized", "plain"]
    assert sum(times.counts) == 3


def test_what_cannot_be_read_is_left_to_the_caller(entries: Any, times: Histogram) -> None:
    def loads(_: bytes) -> None:
        raise ValueError("no")

    sampler = Sampler(entries, loads, times, lambda: None)
    sampler.turn(0.0)
    assert sampler.lookup.get("serialized") is entries["serialized"]
    assert sum(times.counts) == 0


def test_it_takes_as_long_as_the_values_take_to_be_made(entries: Any, times: Histogram) -> None:
    sampler = Sampler(entries, lambda _: time.sleep(0.003), times, lambda: None)
    sampler.turn(0.0)
    sampler.lookup.get("serialized")
    assert min(int(name.partition(".")[2]) for name in times.figures("t")) > 80


def test_whoever_comes_after_the_end_closes_the_window(sampler: Sampler, entries: Any) -> None:
    sampler.turn(0.0)
    eventually(lambda: sampler.lookup.get("plain") and sampler.lookup is entries)


def test_a_window_that_has_seen_enough_closes(
    sampler: Sampler, entries: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sampling, "OPEN", 60)
    sampler.turn(0.0)
    window = sampler.lookup
    for _ in range(sampling.MOST + 1):
        window.get("plain")
    assert sampler.lookup is entries
    assert len(sampler.turn(sampling.EVERY)) == sampling.MOST


def test_there_is_one_window_in_its_time(sampler: Sampler, entries: Any) -> None:
    sampler.turn(0.0)
    sampler.close()
    assert sampler.turn(sampling.EVERY / 2) == []
    assert sampler.lookup is entries


def test_a_cache_answers_the_same_while_a_window_is_open(make_cache: Any, monkeypatch: Any) -> None:
    """Hits, misses, expiry, many keys, and what another node changes."""
    monkeypatch.setattr(sampling, "OPEN", 60)
    cache = make_cache()
    cache.set_many({"text": "a", "list": [1]})
    cache._node._sampler.turn(0.0)
    assert cache._shelf.entries is not cache._node.memory.entries
    assert cache.get("text") == "a"
    assert cache.get("list") == [1]
    assert cache.get("list") is not cache.get("list")
    assert cache.get_many(["text", "list", "none"]) == {"text": "a", "list": [1]}
    assert cache.has_key("text")
    cache.delete("text")
    assert cache.get("text") is None
    before = cache.stats().memory_hits
    cache.get("list")
    assert cache.stats().memory_hits == before + 1


def test_memory_that_is_not_trusted_is_not_looked_into_by_a_window(make_cache: Any) -> None:
    cache = make_cache()
    cache.set("key", 1)
    cache._node._backplane.connected = False
    cache._node._sampler.turn(0.0)
    assert cache._shelf.entries.get(cache.make_key("key")) is None
    cache._node._backplane.connected = True
    cache._node._set_shelves()
