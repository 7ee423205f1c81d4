"""What operators ask is bounded, and takes nothing from the site's own calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import eventually
from tiercache.operations import listing, overview
from tiercache.operations.asking import ask
from tiercache.operations.auditing import Actor
from tiercache.operations.evicting import BadSelection, Selection, carry_out
from tiercache.reports.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

EMOJI = "\N{GRINNING FACE}"


def test_waiting_for_a_silent_node_leaves_the_only_connection_to_the_site(
    make_cache: Callable[..., Any], valkey: Valkey
) -> None:
    cache = make_cache(OPTIONS={"CONNECTION_POOL_KWARGS": {"max_connections": 1}})
    with valkey.client.pubsub() as silent, ThreadPoolExecutor(1) as pool:
        channel = cache._node.asked_on()
        silent.subscribe(channel)
        eventually(lambda: valkey.client.pubsub_numsub(channel)[0][1] == 2)
        asking = pool.submit(ask, cache, "ping", wait=1.5)
        eventually(lambda: valkey.client.info("commandstats").get("cmdstat_publish"))
        for number in range(20):
            cache.set(f"key{number}", number)
        assert not asking.done()
        assert cache.stats().state == "up"
        assert len(asking.result().answers) == 1


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore::django.core.cache.CacheKeyWarning")
@pytest.mark.parametrize("letter", ["x", EMOJI, "\x01", '"'])
def test_a_thousand_long_keys_are_dropped_in_every_memory(
    make_cache: Callable[..., Any], neighbours: Callable[..., Any], letter: str
) -> None:
    cache = make_cache(KEY_PREFIX="p" * 100)
    (other,) = neighbours(1)
    keys = [f"{letter * 230}{number}" for number in range(1000)]
    cache.set(keys[-1], 1)
    eventually(lambda: other.do("get", keys[-1]) and other.do("held", keys[-1]))
    selection = Selection.of_names(cache, keys)
    outcome = carry_out(cache, selection, "memory", actor=Actor("me"), origin="API")
    assert sorted(outcome.confirmed) == sorted([cache._node.id, other.id])
    assert outcome.dropped == 2


def test_a_page_of_long_keys_says_who_holds_them(make_cache: Callable[..., Any]) -> None:
    cache = make_cache()
    cache.set_many({f"{EMOJI * 230}{number}": number for number in range(100)})
    assert {row.held for row in listing.page(cache, size=100).rows} == {1}


def test_a_pattern_that_every_key_would_be_tried_on_for_long_is_refused() -> None:
    with pytest.raises(BadSelection, match="allowed: at most 1,000"):
        Selection(pattern="a*" * 501)


def test_what_is_no_histogram_in_redis_breaks_no_page(
    reporting: Callable[..., Any], valkey: Valkey
) -> None:
    cache = reporting()
    cache.get("key")
    totals = Places(cache._node.scope).totals
    eventually(lambda: valkey.client.exists(totals))
    valkey.client.hset(totals, mapping={"default|load.sum": 3, "default|load.²": 3, "|read.": 3})
    shown = overview.view(cache).totals
    assert shown.calls["load.sum"] == 3
    assert shown.quantile("load", 0.5) is None


def test_an_operators_look_forgives_redis_nothing(make_cache: Callable[..., Any]) -> None:
    cache = make_cache()
    reads = cache._node.health.reads
    reads.failed("closed", 0.0, certain=False)
    ask(cache, "ping")
    reads.failed("closed", 0.0, certain=False)
    assert reads.open
