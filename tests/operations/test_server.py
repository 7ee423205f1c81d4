"""What a server tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operations.support import restricted
from tests.support.caches import settings_for
from tests.support.stopwatch import timed
from tiercache.operations.overview import view
from tiercache.operations.server import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey


def test_the_server_tells_its_version_memory_and_keys(
    make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
) -> None:
    server = own_valkey(maxmemory="200mb", maxmemory_policy="allkeys-lfu")
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    cache.set("a", 1)
    told = view(cache).server
    assert told is not None
    assert (told.product, told.role) == ("Valkey", "master")
    assert told.version == server.client.info("server")["valkey_version"]
    assert (told.limit, told.policy) == (200 * 2**20, "allkeys-lfu")
    assert told.used > 0
    assert told.keys >= 1
    assert told.clients >= 1
    assert told.missing == ()


def test_it_is_asked_once_for_a_view(make_cache: Callable[..., Any], valkey: Valkey) -> None:
    cache = make_cache()
    view(cache)
    before = valkey.calls()
    view(cache)
    assert (valkey.calls() - before)["dbsize"] == 1


@pytest.mark.parametrize(("denied", "missing"), [("-info", "INFO"), ("-dbsize", "DBSIZE")])
def test_a_right_that_is_not_there_is_named(
    make_caches: Callable[..., dict[str, Any]], valkey: Valkey, denied: str, missing: str
) -> None:
    told = view(restricted(make_caches, valkey, denied)).server
    assert told is not None
    assert told.missing == (missing,)


@pytest.mark.parametrize("tiers", ["memory", "away"])
def test_without_redis_there_is_no_server(make_cache: Callable[..., Any], tiers: str) -> None:
    assert view(make_cache(tiers)).server is None


def test_a_frozen_server_is_waited_for_shortly(
    make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
) -> None:
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    server.freeze()
    shown, seconds = timed(view, cache)
    server.thaw()
    assert shown.server is None
    assert seconds < 1.2


def test_facts_of_a_section_are_read_by_name() -> None:
    assert facts(b"# Memory\r\nused_memory:12\r\n\r\nos:Linux: x\r\n", None) == {
        "used_memory": "12",
        "os": "Linux: x",
    }
