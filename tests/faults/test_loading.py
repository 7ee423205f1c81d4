"""Outages before, during and after a load: all are answered, and nothing stale comes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import BUDGET
from tests.faults.test_healing import up_again
from tests.support import faults
from tests.support.crowd import Caller, Source
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tiercache.exceptions import RedisAway
from tiercache.wire import AFTERLIFE

if TYPE_CHECKING:
    from tests.support.faults import Site
    from tiercache.loading import LoadContext

STEPS = 3
"""Steps of a load that an outage can hit one after the other: look up, take the lease, store."""


def make_stale(face: Any, **how: Any) -> None:
    face.set("key", "old", 0.001, grace=600, **how)
    eventually(lambda: face.get("key") is None)


def test_what_is_loaded_in_an_outage_is_loaded_once(
    make_exposed: Any, make_face: Any, site: Site, fault: Any
) -> None:
    """By the node alone, and kept in its memory; each step costs the time budget at the most."""
    face = make_face(make_exposed())
    source = Source()
    with fault(site):
        begun = time.monotonic()
        assert face.get_or_set("key", source, grace=600, tags=("a",)) == "value"
        assert time.monotonic() - begun < STEPS * BUDGET + 1
        # Once more if the subscription was lost in mid-load: a change may have been missed.
        again = face.get_or_set("key", source, grace=600, tags=("a",))
        assert again == face.get("key") == "value"
        loads = source.loads
        assert face.get_or_set("key", source) == "value"
        assert source.loads == loads <= 2
        face.evict_tags("a")
        assert face.get("key") is None
    up_again(face.cache)
    assert face.get_or_set("key", source) == "value"
    assert source.loads == loads + 1


def test_an_outage_that_begins_while_a_value_is_computed(
    make_exposed: Any, site: Site, fault: Any
) -> None:
    """Whether it was stored or not: its callers get it, and it is made good afterwards."""
    cache = make_exposed(LEASE=0.5)
    source, after = Source(held=True), Source("after")
    callers = [Caller(lambda: cache.get_or_set("key", source, tags=("a",))) for _ in range(3)]
    assert source.begun.wait(10)
    with fault(site):
        source.let_go()
        assert [caller.outcome for caller in callers] == ["value"] * 3
        assert cache.get_or_set("key", source) == "value"
    assert source.loads <= 2
    up_again(cache)
    assert site.server.client.get(cache.make_key("key")) is None
    assert cache.get_or_set("key", after, tags=("a",)) == "after"
    eventually(lambda: cache.get("key") == "after")
    assert len(cache._node.traffic) == 0


def test_an_outage_while_waiting_for_another_nodes_load(
    make_exposed: Any, site: Site, outage: Any
) -> None:
    """When the lease is over, or the subscription is lost, the node finds out, and loads."""
    cache = make_exposed(LEASE=0.5)
    lease = f"{cache.make_key('key')}:tiercache.lease"
    site.server.client.set(lease, "another node's", px=AFTERLIFE + 300)
    source = Source()
    caller = Caller(lambda: cache.get_or_set("key", source))
    eventually(lambda: len(cache._node.traffic.bells) == 1)
    with outage(site):
        assert caller.outcome == "value"
    assert source.loads == 1
    up_again(cache)


def test_a_lost_subscription_wakes_who_waits_for_a_message(make_exposed: Any, site: Site) -> None:
    """It may have missed what it waits for."""
    cache = make_exposed()
    lease = f"{cache.make_key('key')}:tiercache.lease"
    site.server.client.set(lease, "another node's", px=AFTERLIFE + 60_000)
    caller = Caller(lambda: cache.get_or_set("key", Source()))
    eventually(lambda: len(cache._node.traffic.bells) == 1)
    site.server.client.delete(lease)
    site.server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert caller.outcome == "value"
    assert cache.stats().errors == {}


def test_with_the_source_away_as_well_the_stale_value_is_used(
    make_exposed: Any, site: Site, fault: Any
) -> None:
    """Not one caller sees an error."""
    cache = make_exposed(LOAD_RETRY=0.05)
    make_stale(cache)
    source = Source(LookupError("away"))
    with fault(site):
        for _ in range(20):
            assert cache.get_or_set("key", source) == "old"
    up_again(cache)


def still_right(context: LoadContext) -> Any:
    return context.not_modified()


def test_a_source_that_is_back_before_redis_is_used(
    make_exposed: Any, site: Site, outage: Any
) -> None:
    """What is stale is replaced in memory, or found to be right still."""
    cache = make_exposed()
    make_stale(cache)
    with outage(site):
        eventually(lambda: cache.get_or_set("key", still_right, 60) and cache.get("key") == "old")
        assert cache.refresh("key", lambda: "new") == "new"
        assert cache.get("key") == "new"
    up_again(cache)


def test_an_eviction_in_an_outage_is_not_undone_by_its_end(
    make_exposed: Any, site: Site, fault: Any
) -> None:
    """What bore the tag is gone, in memory at once and in Redis afterwards."""
    cache = make_exposed()
    cache.set("key", "old", tags=("a",))
    assert cache.get("key") == "old"
    with fault(site):
        cache.evict_tags("a")
        assert cache.get("key") is None
        cache.set("key", "new", tags=("a",))
        assert cache.get("key") == "new"
    up_again(cache)
    assert cache.get("key") is None


def test_those_who_would_rather_know_are_told(make_exposed: Any, site: Site, outage: Any) -> None:
    """`"FALLBACK": "raise"`: nothing is computed, nothing is under way."""
    cache = make_exposed(FALLBACK="raise")
    source = Source()
    with outage(site):
        for _ in range(2):
            with pytest.raises(RedisAway):
                cache.get_or_set("key", source)
            with pytest.raises(RedisAway):
                cache.evict_tags("a")
    assert source.loads == 0
    assert len(cache._node.traffic) == 0
    up_again(cache)
    assert cache.get_or_set("key", source) == "value"


def test_a_lease_that_was_taken_unheard_costs_its_time(make_exposed: Any, site: Site) -> None:
    """The server gave it, and the node did not hear: others wait for its end, and no longer."""
    cache = make_exposed(LEASE=0.5)
    cache.get_or_set("first", 1)  # the scripts are known, the connection is made
    with faults.deaf(site):
        site.server.client.delete(cache.make_key("first"))
        assert cache.get_or_set("key", Source()) == "value"
    up_again(cache)
    with Stopwatch() as watch:
        assert cache.get_or_set("key", Source("again")) == "again"
    assert watch.seconds < 2
