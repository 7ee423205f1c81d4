"""Soft evictions, and for how long stale values are served at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.crowd import Source
from tests.support.waiting import eventually
from tiercache import sources
from tiercache.exceptions import LoadTimeout

from .test_loading import make_stale, nothing_left

if TYPE_CHECKING:
    from tests.support.caches import Face


def softly(face: Face, *tags: str) -> int:
    known: int = face.cache.evict_tags(*tags, soft=True)
    return known


def redis_answers(face: Face) -> bool:
    node = face.cache._node
    return node._pool is not None and node.health.state == "up"


def seen(face: Face, key: str, source: Any, **how: Any) -> tuple[Any, sources.Tier | None]:
    with sources.watch() as watched:
        value = face.cache.get_or_set(key, source, 60, grace=600, **how)
    return value, watched.tier


def test_what_has_a_grace_is_served_stale_while_it_is_loaded_anew(face: Face) -> None:
    """With Redis; memory alone evicts it altogether."""
    face.set("key", "old", 60, grace=600, tags=("a", "b"))
    assert softly(face, "a") == 1

    assert face.get("key") is None
    source = Source("new", held=redis_answers(face))
    expected = ("old", "stale") if redis_answers(face) else ("new", "loaded")
    assert seen(face, "key", source, tags=("a", "b")) == expected
    source.let_go()
    eventually(lambda: face.get("key") == "new")
    assert source.loads == 1


def test_what_has_no_grace_is_gone(face: Face) -> None:
    face.set("key", "old", 60, tags=("a",))
    face.set("endless", "old", None, grace=600, tags=("a",))
    softly(face, "a")
    assert seen(face, "key", lambda: "new") == ("new", "loaded")
    assert seen(face, "endless", lambda: "new") == ("new", "loaded")


def test_a_hard_eviction_after_a_soft_one_wins(face: Face) -> None:
    face.set("key", "old", 60, grace=600, tags=("a", "b"))
    softly(face, "a")
    face.evict_tags("a")
    assert seen(face, "key", lambda: "new", tags=("a", "b")) == ("new", "loaded")


def test_a_hard_eviction_of_another_tag_wins(face: Face) -> None:
    face.set("key", "old", 60, grace=600, tags=("a", "b"))
    softly(face, "a")
    face.evict_tags("b")
    assert seen(face, "key", lambda: "new", tags=("a", "b")) == ("new", "loaded")


def test_several_soft_evictions_leave_it_stale(face: Face) -> None:
    face.set("key", "old", 60, grace=600, tags=("a", "b"))
    for _ in range(5):
        softly(face, "a", "b")
    if redis_answers(face):
        assert seen(face, "key", Source("new", held=True).let_go() or "new")[0] == "old"


def test_beyond_many_soft_evictions_it_is_gone(face: Face) -> None:
    """The record of former numbers is bounded: beyond 32 the oldest are forgotten."""
    face.set("key", "old", 60, grace=600, tags=("a",))
    for _ in range(33):
        assert softly(face, "a") == 1 or not redis_answers(face)
    assert seen(face, "key", lambda: "new") == ("new", "loaded")
    if redis_answers(face):
        client = face.cache.client.get_client()
        (key,) = client.scan_iter("*tag:a:tiercache.lease")
        assert len(client.get(key).split(b":")[1].split(b",")) == 32
        assert 0 < client.pttl(key) <= 86_400_000


def test_it_is_stale_from_the_eviction_on(face: Face) -> None:
    """And gone when its grace since then is over."""
    face.set("key", "old", 60, grace=0.2, tags=("a",))
    softly(face, "a")
    if not redis_answers(face):
        return
    failing = Source(LookupError())
    with sources.watch() as watched:
        assert face.cache.get_or_set("key", failing) == "old"
    assert watched.left is not None
    assert -0.2 < watched.left <= 0
    eventually(lambda: gone(face))


def gone(face: Face) -> bool:
    try:
        face.cache.get_or_set("key", Source(LookupError()))
    except LookupError:
        return True
    return False


def test_a_tag_that_nothing_bears_is_not_known(face: Face) -> None:
    assert softly(face, "a", "b") == 0


def test_a_soft_eviction_during_a_load_wins(face: Face) -> None:
    """What was computed before it is returned, and not stored."""

    def load() -> str:
        softly(face, "a")
        return "old"

    assert face.get_or_set("key", load, 60, grace=600, tags=("a",)) == "old"
    assert face.get("key") is None


def test_what_is_not_modified_is_fresh_again(face: Face) -> None:
    face.set("key", "old", 60, grace=600, tags=("a",))
    softly(face, "a")
    if not redis_answers(face):
        return
    assert face.get_or_set("key", lambda context: context.not_modified(), 60, grace=600) == "old"
    eventually(lambda: face.get("key") == "old")
    softly(face, "a")
    assert face.get("key") is None


def test_clear_takes_the_record_of_soft_evictions_along(face: Face) -> None:
    face.set("key", "old", 60, grace=600, tags=("a",))
    softly(face, "a")
    face.clear()
    if redis_answers(face):
        assert [*face.cache.client.get_client().scan_iter("*tag:a*")] == []


# For how long stale values are served at once


def test_beyond_that_time_callers_wait_for_the_load(face: Face) -> None:
    make_stale(face)
    assert seen(face, "key", Source("new"), background=0) == ("new", "loaded")
    nothing_left(face)


def test_within_it_they_do_not(face: Face) -> None:
    make_stale(face)
    source = Source("new", held=True)
    assert seen(face, "key", source, background=600) == ("old", "stale")
    source.let_go()
    eventually(lambda: face.get("key") == "new")


def test_the_stale_value_may_say_for_how_long(face: Face) -> None:
    make_stale(face, value=["old", 0])
    assert seen(face, "key", Source("new"), background=lambda stale: stale[1]) == ("new", "loaded")


def test_a_load_that_is_waited_for_and_fails_leaves_the_stale_value(face: Face) -> None:
    make_stale(face)
    assert seen(face, "key", Source(LookupError()), background=0) == ("old", "stale")
    # For a while nobody tries again.
    source = Source("new")
    assert seen(face, "key", source, background=0) == ("old", "stale")
    assert source.loads == 0


def test_so_does_one_that_takes_longer_than_the_budget(face: Face) -> None:
    make_stale(face)
    source = Source("new", held=True)
    assert seen(face, "key", source, background=0, budget=0.01) == ("old", "stale")
    with pytest.raises(LoadTimeout):
        face.get_or_set("another", Source("new", held=True), budget=0.01)
    source.let_go()
    eventually(lambda: face.get("key") == "new")


@pytest.mark.parametrize("background", [-1, "1", True])
def test_a_time_that_cannot_be_is_refused(face: Face, background: Any) -> None:
    with pytest.raises(TypeError, match="background"):
        face.get_or_set("key", "value", background=background)


def test_what_is_never_fresh_is_kept_for_its_grace(face: Face) -> None:
    """Each use of it loads it anew, with the older value at hand."""
    stale: list[Any] = []

    def load(context: Any) -> str:
        stale.append(context.stale)
        context.timeout, context.grace = 0, 600
        return "value"

    for _ in range(3):
        assert seen(face, "key", load, background=0) == ("value", "loaded")
        assert face.get("key") is None
    assert stale == [None, "value", "value"]
    nothing_left(face)


def test_a_watch_tells_how_fresh_the_value_is(face: Face) -> None:
    with sources.watch() as watched:
        assert face.cache.get_or_set("key", "value", 60) == "value"
        assert (watched.tier, watched.left) == ("loaded", None)
        face.cache.get_or_set("key", "value")
        assert watched.left is not None
        assert 50 < watched.left <= 60
        make_stale(face, "stale")
        face.cache.get_or_set("stale", Source(LookupError()))
        assert watched.left is not None
        assert -5 < watched.left <= 0


def test_peek_answers_from_memory_alone(face: Face) -> None:
    assert face.cache.peek("key", "nothing") == "nothing"
    face.set("key", "value", tags=("a",))
    assert face.cache.peek("key") in ("value", None)
    hits = face.cache.stats().memory_hits
    assert (face.cache.peek("key") is None) == (face.cache.stats().memory_hits == hits)
    face.evict_tags("a")
    assert face.cache.peek("key") is None
