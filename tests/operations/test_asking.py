"""Questions to all nodes: who answers, what that acknowledges, and what becomes of silence."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tiercache.node import visiting
from tiercache.operations.asking import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.proxy import Proxy
    from tests.support.servers import Valkey


def ids(answers: Any) -> set[str]:
    return {answer["node"] for answer in answers.answers}


@pytest.mark.parametrize("kind", ["pubsub", "tracking"])
def test_every_process_answers(make_cache: Any, neighbours: Any, kind: str):
    cache = make_cache(OPTIONS={"BACKPLANE": kind})
    others = neighbours(3)
    answers = ask(cache, "ping")
    assert answers.asked == 4
    assert ids(answers) == {cache._node.id, *(each.id for each in others)}
    assert {answer["pid"] for answer in answers.answers} == {os.getpid(), *(o.pid for o in others)}
    assert answers.reached
    assert answers.seconds < 1


@pytest.mark.parametrize("kind", ["pubsub", "tracking"])
def test_an_answer_acknowledges_every_change_before_it(make_cache: Any, neighbours: Any, kind: str):
    cache = make_cache(OPTIONS={"BACKPLANE": kind})
    others = neighbours(2)
    for turn in range(20):
        cache.set_many({f"k{number}": turn for number in range(50)})
        ask(cache, "ping")
        for each in others:
            each.do("get", "k7")
            assert each.do("held", "k7")
        cache.delete_many([f"k{number}" for number in range(50)])
        assert len(ids(ask(cache, "ping"))) == 3
        assert not any(each.do("held", "k7") for each in others)


def test_each_answers_for_its_own_memory(make_cache: Any, neighbours: Any):
    cache = make_cache()
    one, other = neighbours(2)
    cache.set("key", 7)
    # The message of the change may come after the first look-up.
    eventually(lambda: one.do("get", "key") and one.do("held", "key"))
    full = cache.make_key("key")
    answers = ask(cache, "holds", keys=[full])
    held = {answer["node"]: full in answer["held"] for answer in answers.answers}
    assert held == {cache._node.id: True, one.id: True, other.id: False}


def test_other_sites_on_the_server_are_not_asked(make_cache: Any, neighbours: Any):
    cache = make_cache()
    neighbours(1, KEY_PREFIX="another")
    assert ask(cache, "ping").asked == 1


def test_other_databases_are_not_asked(make_cache: Any, neighbours: Any, valkey: Valkey):
    cache = make_cache()
    neighbours(1, LOCATION=f"{valkey.url}/5")
    assert ask(cache, "ping").asked == 1


def test_silence_is_waited_for_and_no_longer(
    make_cache: Any, neighbours: Any, proxied: Callable[[Valkey], Proxy], valkey: Valkey
):
    cache, proxy = make_cache(), proxied(valkey)
    (mute,) = neighbours(1, LOCATION=f"{proxy.url}/0")
    assert mute.id in ids(ask(cache, "ping"))
    proxy.blackhole()
    began = time.monotonic()
    with Stopwatch() as watch:
        answers = ask(cache, "ping", wait=0.3)
    assert time.monotonic() - began > 0.25
    assert watch.seconds < 1
    assert answers.asked == 2
    assert ids(answers) == {cache._node.id}


def test_a_process_that_has_lost_its_ear_answers_for_itself(make_cache: Any, neighbours: Any):
    cache = make_cache()
    (other,) = neighbours(1)
    cache.set("key", 7)
    cache._node._backplane.close()
    eventually(lambda: ask(cache, "ping", wait=0.1).answers[0]["node"] == other.id)
    answers = ask(cache, "drop", glob="*")
    assert [answer["node"] for answer in answers.answers] == [other.id, cache._node.id]
    assert (answers.asked, answers.answers[1]["dropped"]) == (2, 1)


def test_nothing_is_left_in_redis(make_cache: Any, valkey: Valkey):
    cache = make_cache()
    ask(cache, "ping")
    assert valkey.client.keys("tiercache:reply/*") == []


# Nobody to ask


@pytest.mark.parametrize("tiers", ["memory", "away"])
def test_without_redis_this_process_answers(make_cache: Any, tiers: str):
    cache = make_cache(tiers)
    cache.set("key", 7)
    answers = ask(cache, "bearing", glob=cache.make_key("*"))
    assert (answers.asked, answers.answers[0]["copies"], answers.reached) == (1, 1, False)
    assert answers.reason


def test_where_nodes_do_not_listen_this_process_answers(make_cache: Any):
    cache = make_cache(OPTIONS={"BACKPLANE": "none"})
    answers = ask(cache, "ping")
    assert (ids(answers), answers.reached) == ({cache._node.id}, False)


def test_a_server_that_falls_silent_costs_the_wait_and_a_budget(
    own_valkey: Callable[..., Valkey], make_caches: Any
):
    server = own_valkey()
    conf = settings_for("tiered", server.url, OPTIONS={"TIME_BUDGET": 0.2})
    cache = make_caches(default=conf)["default"]
    server.freeze()
    with Stopwatch() as watch:
        answers = ask(cache, "ping", wait=0.3)
    assert watch.seconds < 1
    assert not answers.reached


def test_a_passer_by_is_no_node(valkey: Valkey, make_cache: Any, neighbours: Any):
    from tiercache.backend import TieredCache

    cache = make_cache()
    neighbours(1)
    conf = settings_for("tiered", valkey.url, KEY_PREFIX=cache.key_prefix)
    with visiting():
        # Another value format is another node in this process; the scope has to be theirs.
        params = {"KEY_PREFIX": conf["KEY_PREFIX"], "OPTIONS": {"PICKLE_VERSION": 4}}
        visitor = TieredCache(conf["LOCATION"], params)
        visitor._node.scope = cache._node.scope
        answers = ask(visitor, "ping")
        assert answers.asked == 2
        assert visitor._node.id not in ids(answers)
        assert visitor._node.visits
