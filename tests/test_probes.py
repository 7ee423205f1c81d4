"""Whether a process lives has nothing to do with Redis; whether it is ready, the site says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings

from tests.support.caches import settings_for
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tiercache.probes import live, ready

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = override_settings(TIERCACHE_READY_NEEDS=("redis", "backplane"))
REDIS = override_settings(TIERCACHE_READY_NEEDS=("redis",))


def ask(view: Callable[..., Any]) -> tuple[int, dict[str, Any]]:
    answer = view(RequestFactory().get("/"))
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, json.loads(answer.content)


def test_a_process_lives_while_redis_is_away(make_cache: Any) -> None:
    make_cache("away")
    with BOTH:
        assert ask(live) == (200, {"status": "live"})


def test_liveness_asks_redis_for_nothing(make_cache: Any, valkey: Any) -> None:
    make_cache(OPTIONS={"REPORT": None})
    before = valkey.calls()["ping"]
    ask(live)
    assert valkey.calls()["ping"] == before


def test_a_process_is_ready_without_redis_unless_the_site_says_otherwise(make_cache: Any) -> None:
    make_cache("away")
    assert ask(ready) == (200, {"status": "ready", "needs": [], "caches": {}})


def test_a_site_that_needs_redis_is_not_ready_without(make_cache: Any) -> None:
    make_cache("away")
    with REDIS:
        status, told = ask(ready)
    assert (status, told["status"]) == (503, "not ready")
    assert told["caches"] == {"default": {"redis": False}}


def test_a_site_is_ready_when_redis_answers_and_changes_are_heard(make_cache: Any) -> None:
    make_cache()
    with BOTH:
        status, told = ask(ready)
    assert (status, told["caches"]) == (200, {"default": {"redis": True, "backplane": True}})


def test_a_cache_without_redis_needs_none(make_cache: Any) -> None:
    make_cache("memory")
    with BOTH:
        assert ask(ready)[0] == 200


def test_one_cache_that_is_away_is_enough(make_caches: Any, valkey: Any) -> None:
    make_caches(default=settings_for("tiered", valkey.url), other=settings_for("away", valkey.url))
    with REDIS:
        status, told = ask(ready)
    assert status == 503
    assert told["caches"] == {"default": {"redis": True}, "other": {"redis": False}}


def test_a_site_is_ready_again_when_redis_is_back(make_caches: Any, own_valkey: Any) -> None:
    server = own_valkey()
    make_caches(default=settings_for("tiered", server.url))
    with BOTH:
        assert ask(ready)[0] == 200
        server.kill()
        assert ask(ready)[0] == 503
        server.start()
        eventually(lambda: ask(ready)[0] == 200, within=10)


def test_it_answers_within_a_second_however_many_servers_hang(
    make_caches: Any, own_valkey: Any
) -> None:
    """Each has a time budget, and all of them together one as well."""
    server = own_valkey()
    settings = {
        f"c{number}": settings_for("tiered", server.url, KEY_PREFIX=f"c{number}")
        | {"LOCATION": f"{server.url}/{number}", "OPTIONS": {"TIME_BUDGET": 5.0, "REPORT": None}}
        for number in range(4)
    }
    made = make_caches(**settings)
    server.freeze()
    with REDIS:
        with Stopwatch() as watch:
            status, _ = ask(ready)
        assert watch.seconds < 1.0
    states = {alias: cache.stats() for alias, cache in made.items()}
    server.thaw()
    assert status == 503
    # A probe's impatience is no failure of the site's own calls.
    assert [stats.state for stats in states.values()] == ["up"] * 4


@pytest.mark.parametrize("needs", ["redis", ("redis", "memory"), None, {"redis": True}])
def test_needs_that_cannot_be_are_refused(needs: Any) -> None:
    with (
        override_settings(TIERCACHE_READY_NEEDS=needs),
        pytest.raises(
            ImproperlyConfigured, match="allowed: a tuple of any of 'redis', 'backplane'"
        ),
    ):
        ask(ready)


@pytest.mark.parametrize("view", [live, ready])
def test_probes_are_only_read(view: Any) -> None:
    assert view(RequestFactory().post("/")).status_code == 405
    assert view(RequestFactory().head("/")).status_code == 200
