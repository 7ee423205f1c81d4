"""`get_or_set_many`: one look, one computation of all that is missing, one write."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from tests.coherence.nodes import pair_settings
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.caches import Face
    from tests.support.servers import Valkey


class Source:
    """Finds a list for every key but "absent"; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[Any]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, keys: list[Any]) -> dict[Any, Any]:
        self.asked.append(keys)
        assert self.may_go_on.wait(10)
        return {key: [key] for key in keys if key != "absent"}


def test_only_what_is_missing_is_computed_and_in_one_call(face: Face, valkey: Valkey) -> None:
    """What the source leaves out is neither in the answer nor stored."""
    source = Source()
    face.set("a", "there", 60)
    expected = {"a": "there", 2: [2], "c": ["c"]}
    assert face.get_or_set_many(["a", 2, "absent", "c"], source, 60) == expected
    assert source.asked == [[2, "absent", "c"]]
    assert face.get_or_set_many(["a", 2, "c"], source, 60) == expected
    assert len(source.asked) == 1
    assert face.get_many(["a", 2, "absent", "c"]) == expected
    assert len(face.cache._node.traffic) == 0
    # Or whoever asks for what is absent next would wait for the end of a lease.
    assert valkey.client.keys("*:tiercache.lease") == []


def test_a_source_that_fails_leaves_nothing_behind(face: Face) -> None:
    """Its error is the caller's, nothing is stored, and the next call tries again."""
    with pytest.raises(ZeroDivisionError):
        face.get_or_set_many(["a", "b"], lambda keys: 1 / 0)
    with pytest.raises(TypeError, match="allowed: a mapping"):
        face.get_or_set_many(["a", "b"], lambda keys: [1, 2])
    assert face.get_many(["a", "b"]) == {}
    assert len(face.cache._node.traffic) == 0
    assert face.get_or_set_many(["a", "b"], Source()) == {"a": ["a"], "b": ["b"]}


def test_all_bear_the_tags(face: Face) -> None:
    """An eviction takes them all, and what was there before stays as it was."""
    face.set("untagged", 1)
    face.get_or_set_many(["a", "b", "untagged"], Source(), tags=("tag",))
    assert face.evict_tags("tag") == 1
    assert face.get_many(["a", "b", "untagged"]) == {"untagged": 1}


def test_stale_ones_are_answered_at_once(make_cache: Callable[..., Any], tiers: str) -> None:
    """And computed anew beside the caller, in one call."""
    cache, source = make_cache(tiers), Source()
    cache.set_many({"a": "old", "b": "old"}, 0.01, grace=60)
    eventually(lambda: cache.get_many(["a", "b"]) == {})
    answer = cache.get_or_set_many(["a", "b", "new"], source, 60, grace=60)
    assert answer == {"a": "old", "b": "old", "new": ["new"]}
    eventually(lambda: cache.get_many(["a", "b"]) == {"a": ["a"], "b": ["b"]})
    assert sorted(map(sorted, source.asked)) == [["a", "b"], ["new"]]


def test_what_another_loads_is_waited_for(
    make_caches: Callable[..., dict[str, Any]], valkey: Valkey
) -> None:
    """In this node and on another: each key is computed once."""
    make_caches(**pair_settings(valkey.url))
    source = Source()
    source.may_go_on.clear()
    answers: list[dict[Any, Any]] = []

    def ask(alias: str, *keys: str) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: answers.append(caches[alias].get_or_set_many(keys, source, 60))
        )
        thread.start()
        return thread

    threads = [ask("default", "a", "b")]
    eventually(lambda: source.asked)
    threads += [ask("default", "b", "c"), ask("other", "b", "d")]
    eventually(lambda: len(source.asked) == 3)
    source.may_go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(key for keys in source.asked for key in keys) == ["a", "b", "c", "d"]
    assert [sorted(answer) for answer in answers].count(["b", "c"]) == 1
    assert all(answer["b"] == ["b"] for answer in answers)
    assert len({id(answer["b"]) for answer in answers}) == 3


def test_a_change_during_the_load_wins(make_cache: Callable[..., Any], tiers: str) -> None:
    """What was computed of that key is returned, and not stored; the others are."""
    cache = make_cache(tiers)

    def source(keys: list[str]) -> dict[str, str]:
        cache.delete("a")
        return dict.fromkeys(keys, "computed")

    both = {"a": "computed", "b": "computed"}
    assert cache.get_or_set_many(["a", "b"], source) == both
    assert cache.get_many(["a", "b"]) == {"b": "computed"}


def test_one_round_trip_to_look_one_for_the_leases_and_one_to_store(
    make_cache: Callable[..., Any], valkey: Valkey
) -> None:
    """However many keys there are."""
    cache = make_cache()
    before = valkey.calls()
    cache.get_or_set_many([f"key{number}" for number in range(20)], Source())
    after = valkey.calls()
    assert after["mget"] - before["mget"] == 1
    # A script for each key to take its lease, and one to store it.
    assert after["evalsha"] - before["evalsha"] == 40


def test_an_async_source_needs_the_async_call(cache: Any) -> None:
    """A clear error, before anything is asked for."""

    async def source(keys: list[str]) -> dict[str, int]:
        return dict.fromkeys(keys, 1)

    with pytest.raises(TypeError, match="aget_or_set_many"):
        cache.get_or_set_many(["a"], source)
