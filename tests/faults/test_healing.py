"""Redis comes back: what was changed meanwhile is made good, and the tiers go on together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.caches import Face
    from tests.support.faults import Site
    from tests.support.servers import Valkey


def up_again(cache: Any) -> None:
    """Wait until the cache trusts Redis again, which it finds out by itself."""
    eventually(lambda: cache.stats().state == "up", within=8)


@pytest.mark.parametrize(
    "change",
    [
        lambda face: face.set("key", "new"),
        lambda face: face.set_many({"key": "new"}),
        lambda face: face.delete("key"),
        lambda face: face.delete_many(["key"]),
        lambda face: face.touch("key", 600),
        lambda face: face.incr("key"),
        lambda face: face.incr_version("key"),
        lambda face: face.clear(),
        lambda face: face.set("key", "new", timeout=0),
    ],
    ids=["set", "set_many", "delete", "delete_many", "touch", "incr", "move", "clear", "end"],
)
def test_what_was_changed_meanwhile_is_gone_from_redis(
    make_exposed: Any, make_face: Any, site: Site, change: Callable[[Face], object]
) -> None:
    """Neither the old value nor a guess at the new one survives the outage; other keys do."""
    face = make_face(make_exposed())
    face.set("key", 1)
    other = settings_for("tiered", site.url)["KEY_PREFIX"] + ":1:other"
    site.server.client.set(other, 5)
    assert face.get("key") == 1
    site.proxy.refuse()
    change(face)
    site.proxy.heal()
    up_again(face.cache)
    assert site.server.client.get(face.cache.make_key("key")) is None
    assert face.get("key") is None
    assert site.server.client.get(other) == b"5"
    assert face.cache.stats().journaled == 0


def test_what_was_not_changed_is_still_there(make_exposed: Any, make_face: Any, site: Site) -> None:
    """An outage costs the keys that were changed during it, and no others."""
    face = make_face(make_exposed(TIME_BUDGET=5.0))  # what times out counts as changed
    face.set_many({"kept": 1, "changed": 1})
    site.proxy.refuse()
    face.set("changed", 2)
    assert face.get("kept") == 1
    site.proxy.heal()
    up_again(face.cache)
    assert face.get("kept") == 1
    assert site.server.client.get(face.cache.make_key("kept")) == b"1"


def test_a_write_that_timed_out_is_made_good_too(
    make_exposed: Any, make_face: Any, site: Site
) -> None:
    """A frozen server carries the write out when it wakes up, after it was given up."""
    face = make_face(make_exposed())
    face.set("key", "old")
    key = face.cache.make_key("key")
    site.server.freeze()
    face.set("key", "given up")
    face.delete("key")
    site.server.thaw()
    up_again(face.cache)
    assert site.server.client.get(key) is None
    assert face.get("key") is None
    face.set("key", "after")
    assert face.get("key") == "after"
    assert site.server.client.get(key) is not None


def test_it_heals_from_every_fault(
    make_exposed: Any, make_face: Any, site: Site, fault: Any
) -> None:
    """Whatever it was, writes reach Redis again soon after it has passed."""
    face = make_face(make_exposed())
    face.set("key", "before")
    with fault(site):
        face.set("key", "during")
        face.get("missing")
    up_again(face.cache)
    assert face.get("key") is None
    face.set("key", 7)
    assert site.server.client.get(face.cache.make_key("key")) == b"7"


def test_it_starts_without_redis_and_joins_it_later(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """Nobody listens at start-up; when the server appears, the cache finds it by itself."""
    server = own_valkey()
    server.stop()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    face = make_face(cache)
    face.set("key", "alone")
    assert face.get("key") == "alone"
    assert cache.stats().state == "away"
    server.start()
    up_again(cache)
    face.set("key", 5)
    assert server.client.get(cache.make_key("key")) == b"5"


def test_a_server_that_was_killed_and_restarted_empty(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """After a crash the cache is empty, not wrong."""
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    face = make_face(cache)
    face.set("key", 1)
    server.kill()
    face.set("key", 2)
    assert face.get("key") == 2
    server.start()
    up_again(cache)
    assert face.get("key") is None
    face.set("key", 3)
    assert server.client.get(cache.make_key("key")) == b"3"


def test_a_server_that_came_back_with_a_password(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """The wrong password is an outage like others, and ends when the password is right."""
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    face = make_face(cache)
    face.set("key", 1)
    server.restart(requirepass="secret")
    assert face.get("missing") is None
    face.set("key", 2)
    assert face.get("key") == 2
    assert "auth" in cache.stats().errors
    server.configure(requirepass="")
    up_again(cache)


def test_the_right_password_is_used(
    own_valkey: Callable[..., Valkey], make_caches: Any, make_face: Any
) -> None:
    """OPTIONS["PASSWORD"] means what it means in django-redis."""
    server = own_valkey(requirepass="secret")
    settings = settings_for("tiered", server.url, OPTIONS={"PASSWORD": "secret"})
    face = make_face(make_caches(default=settings)["default"])
    face.set("key", 5)
    assert server.client.get(face.cache.make_key("key")) == b"5"
    assert face.cache.stats().state == "up"


def test_a_subscription_that_fell_silent_with_the_rest_is_not_trusted(
    make_exposed: Any, site: Site
) -> None:
    """Where open connections are forgotten on the way, changes are heard as soon as it is healed.

    The heartbeat would have found out some seconds later.
    """
    cache = make_exposed()
    key = cache.make_key("key")
    cache.set("key", 1)
    site.proxy.strand()
    cache.get("missing")
    assert cache.stats().timeouts == 1
    up_again(cache)
    eventually(lambda: cache.get("key") == 1 and cache.stats().backplane == "joined", within=2)
    eventually(lambda: cache.get("key") == 1 and key in cache._node.shelves.loose.entries, within=2)
    site.server.client.set(key, 2)
    site.server.client.publish("tiercache:1:0", json.dumps(["another", [key]]))
    eventually(lambda: cache.get("key") == 2, within=1)
