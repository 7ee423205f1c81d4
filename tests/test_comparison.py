"""What docs/comparison.md says of settings and values, held to the code."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import INFO
from django.test import override_settings

from tests.compat.test_format import BY_PICKLE
from tests.support.caches import DJANGO_REDIS, TIERED, settings_for, unique_prefix
from tests.support.waiting import eventually
from tiercache.backend import TieredCache
from tiercache.checks import check_caches
from tiercache.exceptions import LoadTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

PAGE = Path(__file__).parent.parent / "docs" / "comparison.md"
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"
CODE = re.compile(r"```python\n(before = .*?)```", re.DOTALL)


def moves() -> list[Any]:
    """The page's pairs of settings, each named by the backend that is left."""
    pairs: list[Any] = []
    for code in CODE.findall(PAGE.read_text()):
        names: dict[str, Any] = {}
        exec(code, names)
        before = names["before"]
        pairs.append(pytest.param(before, names["after"], id=before["BACKEND"]))
    return pairs


def test_every_peer_with_settings_has_a_pair() -> None:
    assert len(moves()) == 5


@pytest.mark.parametrize(("before", "after"), moves())
def test_the_settings_to_move_to_are_without_fault(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """They make a cache, and the system checks have nothing to warn of."""
    assert after["BACKEND"] == TIERED != before["BACKEND"]
    with override_settings(CACHES={"default": after}):
        assert [found for found in check_caches() if found.level > INFO] == []
        TieredCache(after["LOCATION"], after)


def test_djangos_backend_and_ours_read_each_other(
    valkey: Valkey, make_caches: Callable[..., dict[str, Any]]
) -> None:
    """Equal values of the same types, under the same keys, both ways."""
    ours = settings_for("tiered", valkey.url)
    theirs = {**ours, "BACKEND": REDIS_CACHE, "OPTIONS": {}}
    made = make_caches(ours=ours, theirs=theirs)
    for name, value in BY_PICKLE.items():
        key = name.replace(" ", "-")
        made["theirs"].set(f"their-{key}", value)
        made["ours"].set(f"our-{key}", value)
        for answer in (made["ours"].get(f"their-{key}"), made["theirs"].get(f"our-{key}")):
            assert (answer, type(answer)) == (value, type(value)), name


def test_memory_timeout_bounds_what_an_old_process_leaves_stale(
    valkey: Valkey, make_caches: Callable[..., dict[str, Any]]
) -> None:
    """django-redis announces nothing, so the copy is served; then its time is over."""
    ours = settings_for("tiered", valkey.url, OPTIONS={"MEMORY_TIMEOUT": 0.5})
    made = make_caches(ours=ours, theirs={**ours, "BACKEND": DJANGO_REDIS, "OPTIONS": {}})
    made["ours"].set("key", "old")
    made["theirs"].set("key", "new")
    assert made["ours"].get("key") == "old"
    eventually(lambda: made["ours"].get("key") == "new", within=2)


def test_tracking_hears_an_old_process(
    valkey: Valkey, make_caches: Callable[..., dict[str, Any]]
) -> None:
    ours = settings_for("tiered", valkey.url, OPTIONS={"BACKPLANE": "tracking"})
    made = make_caches(ours=ours, theirs={**ours, "BACKEND": DJANGO_REDIS, "OPTIONS": {}})
    made["ours"].set("key", "old")
    assert made["ours"].get("key") == "old"
    made["theirs"].set("key", "new")
    eventually(lambda: made["ours"].get("key") == "new", within=2)


@pytest.mark.parametrize(("backend", "kept"), [(LOCMEM, "older"), (TIERED, None)])
def test_a_key_deleted_while_its_value_is_computed(
    make_caches: Callable[..., dict[str, Any]], backend: str, kept: Any
) -> None:
    """Django's `get_or_set` keeps what was computed, ours does not."""
    conf = {"BACKEND": backend, "KEY_PREFIX": unique_prefix()}
    cache = make_caches(default=conf)["default"]

    def load() -> str:
        cache.delete("key")
        return "older"

    assert cache.get_or_set("key", load) == "older"
    assert cache.get("key") == kept


def test_soft_and_hard_timeouts_of_a_load(make_caches: Callable[..., dict[str, Any]]) -> None:
    """With `background=0` and a `budget`: the stale value, or `LoadTimeout` where there is none."""
    cache = make_caches(default=settings_for("memory", ""))["default"]
    done = threading.Event()

    def slow() -> str:
        assert done.wait(10)
        return "new"

    wait: dict[str, Any] = {"grace": 60, "background": 0, "budget": 0.05}
    cache.get_or_set("stale", lambda: "old", 0, grace=60)
    assert cache.get_or_set("stale", slow, 60, **wait) == "old"
    with pytest.raises(LoadTimeout):
        cache.get_or_set("absent", slow, 60, **wait)
    done.set()
    eventually(lambda: cache.get_many(["stale", "absent"]) == {"stale": "new", "absent": "new"})
