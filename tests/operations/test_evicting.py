"""Evictions: what is announced, what is removed where, and who has confirmed it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from tests.coherence.nodes import in_memory
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache.exceptions import RedisAway
from tiercache.models import Eviction
from tiercache.operations import evicting, overview
from tiercache.operations.auditing import Actor
from tiercache.operations.evicting import Outcome, Selection, Tier, carry_out, preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.proxy import Proxy
    from tests.support.servers import Valkey

pytestmark = pytest.mark.django_db

ME = Actor("somebody", "7")


def evict(cache: Any, selection: Selection, tier: Tier = "all", **more: Any) -> Outcome:
    return carry_out(cache, selection, tier, actor=ME, origin="API", **more)


def filled(cache: Any) -> Any:
    """Put four keys in: two of a kind, one with a tag, one of another version."""
    cache.set_many({"user:1": 1, "user:2": 2})
    cache.set("page", 3, tags=["news"])
    cache.set("user:1", 4, version=2)
    return cache


SELECTIONS = {
    "keys": lambda cache: Selection.of_names(cache, ["user:1", "page", "nothing"]),
    "pattern": lambda _: Selection(pattern="user:*"),
    "tag": lambda _: Selection(tag="news"),
    "version": lambda _: Selection(version=2),
    "everything": lambda _: Selection(everything=True),
}
COUNTS = {"keys": 2, "pattern": 2, "tag": 1, "version": 1, "everything": 4}

by_kind = pytest.mark.parametrize("kind", list(SELECTIONS))


# What is announced


@by_kind
def test_a_preview_counts_what_would_go_and_removes_nothing(
    make_cache: Any, valkey: Valkey, kind: str
):
    cache = filled(make_cache())
    valkey.client.set(f"other{cache.key_prefix}:1:user:1", 1)
    own = valkey.client.keys(f"*{cache.key_prefix}*")
    before = {key: valkey.client.dump(key) for key in own}
    seen = preview(cache, SELECTIONS[kind](cache), "all")
    assert (seen.keys, seen.copies, seen.nodes) == (COUNTS[kind], COUNTS[kind], 1)
    assert len(seen.examples) == COUNTS[kind]
    assert (seen.complete, seen.all_copies, seen.reached, seen.reason) == (True, True, True, "")
    assert {key: valkey.client.dump(key) for key in before} == before
    assert in_memory(cache, "user:1")


@by_kind
def test_a_preview_of_memory_alone_counts_copies(make_cache: Any, kind: str):
    cache = filled(make_cache())
    seen = preview(cache, SELECTIONS[kind](cache), "memory")
    assert (seen.keys, seen.copies, len(seen.examples)) == (0, COUNTS[kind], COUNTS[kind])


@by_kind
def test_a_preview_marks_nothing_as_used(
    own_valkey: Callable[..., Valkey], make_caches: Any, kind: str
):
    server = own_valkey(maxmemory_policy="allkeys-lfu", lfu_decay_time=0, lfu_log_factor=0)
    cache = filled(make_caches(default=settings_for("tiered", server.url))["default"])
    full = cache.make_key("page")
    before = server.client.object("freq", full)
    for _ in range(5):
        preview(cache, SELECTIONS[kind](cache), "all")
    assert server.client.object("freq", full) == before


def test_a_preview_that_had_no_time_says_at_least(make_cache: Any):
    cache = make_cache()
    cache.set_many({f"k{number}": 1 for number in range(5000)})
    seen = preview(cache, Selection(pattern="k*"), "all", budget=0.0)
    assert not seen.complete
    assert 0 < seen.keys < 5000
    assert seen.scanned < seen.total == 5000


def test_only_entries_that_a_tag_still_holds_are_counted(make_cache: Any):
    cache = make_cache()
    cache.set("old", 1, tags=["news"])
    cache.evict_tags("news")
    cache.set("new", 1, tags=["news", *map(str, range(100))])
    seen = preview(cache, Selection(tag="news"), "all")
    assert (seen.keys, seen.examples) == (1, (cache.make_key("new").encode(),))


def test_a_tag_that_nobody_bears_comes_to_nothing(make_cache: Any):
    assert preview(make_cache(), Selection(tag="nobody's"), "all").nothing


@pytest.mark.parametrize(
    ("right", "said", "missing"),
    [("-scan", {"pattern": "user:*"}, "SCAN"), ("-client|no-touch", {"tag": "news"}, "NO-TOUCH")],
)
def test_what_the_user_may_not_is_said(
    own_valkey: Callable[..., Valkey], make_caches: Any, right: str, said: Any, missing: str
):
    server = own_valkey()
    server.client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", right)
    conf = settings_for("tiered", server.url.replace("//", "//app:pw@"))
    cache = filled(make_caches(default=conf)["default"])
    seen = preview(cache, Selection(**said), "all")
    assert missing in seen.reason
    assert (seen.complete, seen.reached) == (False, True)
    assert seen.copies


@pytest.mark.parametrize("tier", ["all", "memory"])
def test_a_preview_without_redis_counts_this_process(make_cache: Any, tier: Tier):
    cache = filled(make_cache("away"))
    seen = preview(cache, Selection(pattern="user:*"), tier)
    assert (seen.copies, seen.reached, seen.complete) == (2, False, tier == "memory")
    assert seen.reason


# What is removed


@by_kind
def test_an_eviction_reaches_redis_and_every_process(make_cache: Any, neighbours: Any, kind: str):
    cache = filled(make_cache())
    others = neighbours(2)
    names = {"version": "user:1", "pattern": "user:1"}.get(kind, "page")
    version = 2 if kind == "version" else 1
    for each in others:
        each.do("get", names, None, version)
    outcome = evict(cache, SELECTIONS[kind](cache))
    assert outcome.removed == COUNTS[kind]
    assert outcome.complete
    assert set(outcome.confirmed) == {cache._node.id, *(each.id for each in others)}
    assert (outcome.asked, outcome.silent, outcome.dropped) == (3, (), None)
    for each in others:
        assert each.do("get", names, "gone", version) == "gone"
    assert cache.get(names, "gone", version) == "gone"


@by_kind
def test_what_is_not_selected_stays(make_cache: Any, kind: str):
    cache = filled(make_cache())
    cache.set("other", 5, version=3)
    evict(cache, SELECTIONS[kind](cache))
    assert cache.get("other", version=3) == (None if kind == "everything" else 5)


@by_kind
def test_memory_alone_is_dropped_in_every_process(
    make_cache: Any, neighbours: Any, valkey: Valkey, kind: str
):
    cache = filled(make_cache())
    (other,) = neighbours(1)
    other.do("get", "page")
    other.do("get", "user:1")
    keys = set(valkey.client.keys(f"{cache.key_prefix}:*"))
    outcome = evict(cache, SELECTIONS[kind](cache), "memory")
    twice = {"keys": 2, "pattern": 1, "tag": 1, "version": 0, "everything": 2}[kind]
    assert outcome.dropped == COUNTS[kind] + twice
    assert (outcome.removed, outcome.complete) == (0, True)
    assert set(valkey.client.keys(f"{cache.key_prefix}:*")) == keys
    assert cache.get("user:1") == 1


def test_keys_that_are_no_text_are_evicted(make_cache: Any, valkey: Valkey):
    cache = make_cache()
    raw = cache.make_key("").encode() + b"\xff\xfe"
    valkey.client.set(raw, 1)
    selection = Selection(keys=(raw,))
    assert preview(cache, selection, "all").keys == 1
    assert evict(cache, selection).removed == 1
    assert not valkey.client.exists(raw)


@pytest.mark.parametrize("name", ["a/b?c#d%2F", "<b>&", "😀", "k" * 240, "a\nb", "[x]*"])
def test_keys_of_every_kind_are_evicted(make_cache: Any, name: str):
    cache = make_cache()
    with pytest.warns() if " " in name or len(name) > 230 or "\n" in name else _nothing():
        cache.set(name, 1)
    assert evict(cache, Selection.of_names(cache, [name])).removed == 1


def test_an_eviction_does_not_wait_for_a_commit(make_cache: Any, valkey: Valkey):
    cache = make_cache(OPTIONS={"ON_COMMIT": True})
    with transaction.atomic():
        valkey.client.set(cache.make_key("key"), 1)
        assert evict(cache, Selection.of_names(cache, ["key"])).removed == 1
        assert not valkey.client.exists(cache.make_key("key"))


def test_progress_is_told_batch_by_batch(make_cache: Any):
    cache = make_cache()
    cache.set_many({f"k{number}": 1 for number in range(250)})
    told: list[int] = []
    keys = Selection.of_names(cache, [f"k{number}" for number in range(250)])
    assert evict(cache, keys, batch=100, progress=told.append).removed == 250
    assert told == [100, 200, 250]


@pytest.mark.parametrize(("tier", "batch"), [("disk", 1), ("all", 0), ("all", 10_001)])
def test_what_cannot_be_is_refused_before_anything_is_done(make_cache: Any, tier: Any, batch: int):
    cache = filled(make_cache())
    with pytest.raises(ValueError, match="allowed"):
        evict(cache, Selection(everything=True), tier, batch=batch)
    assert cache.get("page") == 3
    assert not Eviction.objects.exists()


# Who has confirmed


@pytest.mark.parametrize("tier", ["all", "memory"])
def test_a_node_that_has_lost_its_backplane_is_named(
    make_cache: Any,
    neighbours: Any,
    proxied: Callable[[Valkey], Proxy],
    valkey: Valkey,
    tier: Tier,
):
    cache = filled(make_cache(OPTIONS={"REPORT": 1.0}))
    proxy = proxied(valkey)
    (other,) = neighbours(1, LOCATION=f"{proxy.url}/0")
    eventually(lambda: other.id in {n.id for n in overview.view(cache, past=False).running})
    proxy.refuse()
    outcome = evict(cache, Selection(pattern="user:*"), tier, wait=0.2)
    assert (outcome.silent, outcome.asked, outcome.complete) == ((other.id,), 2, False)
    assert outcome.confirmed == (cache._node.id,)
    assert outcome.names[other.id] == f"{socket.gethostname()}:{other.pid}"
    row = Eviction.objects.get()
    assert (row.asked, row.confirmed, row.silent) == (2, 1, outcome.names[other.id])


# Redis is away


@pytest.mark.parametrize("fallback", ["memory", "raise"])
@by_kind
def test_without_redis_this_process_drops_it_and_makes_it_good_later(
    own_valkey: Callable[..., Valkey], make_caches: Any, kind: str, fallback: str
):
    server = own_valkey()
    conf = settings_for("tiered", server.url, OPTIONS={"FALLBACK": fallback, "TIME_BUDGET": 0.2})
    cache = filled(make_caches(default=conf)["default"])
    selection = SELECTIONS[kind](cache)
    server.freeze()
    outcome = evict(cache, selection)
    assert (outcome.removed, outcome.reached, outcome.complete) == (0, False, False)
    assert outcome.journaled
    assert outcome.reason
    assert Eviction.objects.get().error == outcome.reason
    server.thaw()
    eventually(lambda: cache.stats().state == "up", within=10)
    assert preview(cache, selection, "all").nothing


def test_a_cache_of_memory_alone_is_evicted_here(make_cache: Any):
    cache = filled(make_cache("memory"))
    outcome = evict(cache, Selection(pattern="user:*"))
    assert (outcome.complete, outcome.asked) == (True, 1)
    assert (outcome.removed, outcome.dropped) == (0, 2)
    assert cache.get("user:1") is None
    assert cache.get("page") == 3


# Interruptions


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("by nought")])
def test_an_eviction_that_ends_early_is_finished_in_the_audit(make_cache: Any, error: Any):
    cache = make_cache()
    cache.set_many({f"k{number}": 1 for number in range(250)})

    def stop(removed: int) -> None:
        if removed >= 200:
            raise error

    keys = Selection.of_names(cache, [f"k{number}" for number in range(250)])
    with pytest.raises(type(error)):
        evict(cache, keys, batch=100, progress=stop)
    row = Eviction.objects.get()
    assert (row.removed, row.error) == (200, str(error) or "interrupted")
    assert cache.get("k249") == 1


def test_a_refusal_says_what_redis_said(make_cache: Any, monkeypatch: pytest.MonkeyPatch):
    cache = make_cache()

    def refuse(*_: Any, **__: Any) -> Any:
        raise RedisAway("auth", "no rights")

    monkeypatch.setattr(evicting, "send", refuse)
    raw = cache.make_key("").encode() + b"\xff"
    outcome = evict(cache, Selection(keys=(raw,)))
    assert (outcome.reached, outcome.reason) == (False, "no rights")


class _nothing:  # noqa: N801 - stands where `pytest.warns()` does
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
