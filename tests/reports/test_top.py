"""Which keys are asked for most."""

from __future__ import annotations

import pytest

from tiercache.reports.cluster import Top
from tiercache.reports.top import MOST, SHOWN, SLOT, SLOTS, Ranking, merged, namespace_of


@pytest.mark.parametrize(
    ("key", "namespace"),
    [
        ("user:123:profile", "user:*"),
        ("price/AAPL", "price/*"),
        ("/api/v1/prices", "/api/*"),
        ("front.page", "front.*"),
        ("plain", "plain"),
        ("ends:", "ends:"),
        ("", ""),
        (
            "views.decorators.cache.cache_page.site.GET.0123456789abcdef",
            "views.decorators.cache.cache_page*",
        ),
        ("template.cache.sidebar.d41d8cd98f00", "template.cache*"),
        (
            "django.contrib.sessions.cache8yj4o9mvmtbgqwrm8k0rk4a0d3vbnv1i",
            "django.contrib.sessions.cache*",
        ),
    ],
)
def test_a_key_belongs_to_what_it_begins_with(key: str, namespace: str) -> None:
    assert namespace_of(key) == namespace


def test_the_most_frequent_come_first_with_their_shares() -> None:
    ranking = Ranking()
    ranking.count(["user:1"] * 6 + ["user:2"] * 3 + ["page:1"], now=10.0)
    top = ranking.top(now=20.0, one_in=100)
    assert top.keys == (("user:1", 0.6), ("user:2", 0.3), ("page:1", 0.1))
    assert top.namespaces == (("user:*", 0.9), ("page:*", 0.1))
    assert (top.sampled, top.one_in, top.seconds) == (10, 100, 10.0)


def test_a_session_is_counted_and_its_key_is_not_told() -> None:
    """Whoever has the key has the session."""
    ranking = Ranking()
    ranking.count(["django.contrib.sessions.cache8yj4o9mvmtbgqwrm8k0rk4a0d3vbnv1i"], now=0.0)
    top = ranking.top(now=1.0, one_in=100)
    assert top.keys == ()
    assert top.namespaces == (("django.contrib.sessions.cache*", 1.0),)


def test_what_is_long_ago_counts_no_more() -> None:
    ranking = Ranking()
    ranking.count(["old"], now=0.0)
    for slot in range(1, SLOTS + 1):
        ranking.count(["new"], now=slot * SLOT)
    assert ranking.top(now=SLOTS * SLOT, one_in=100).keys == (("new", 1.0),)
    assert ranking.top(now=3 * SLOTS * SLOT, one_in=100) == Top(one_in=100, seconds=0.0)


def test_room_is_bounded_and_what_is_frequent_stays() -> None:
    ranking = Ranking()
    for start in range(0, 20 * MOST, 1000):
        ranking.count([f"rare:{start + n}" for n in range(1000)] + ["often"] * 100, now=0.0)
    assert len(ranking._slots[0][1]) <= MOST + 1001
    top = ranking.top(now=1.0, one_in=100)
    assert top.keys[0][0] == "often"
    assert len(top.keys) == SHOWN


def test_several_nodes_rankings_are_weighed_by_what_each_has_seen() -> None:
    busy = Top(keys=(("a", 0.9), ("b", 0.1)), namespaces=(("a", 1.0),), sampled=90, seconds=900.0)
    idle = Top(keys=(("b", 1.0),), namespaces=(("b", 1.0),), sampled=10, seconds=60.0)
    both = merged([busy, idle, Top()])
    assert both.keys == (("a", 0.81), ("b", 0.19))
    assert (both.sampled, both.seconds) == (100, 900.0)
    assert merged([Top(), Top()]) == Top()
