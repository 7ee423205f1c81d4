"""Hits found by the caller's own key: never what the memory tier would not answer with."""

from __future__ import annotations

import os
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for
from tiercache import shelf as shelf_module
from tiercache.entry import Copy
from tiercache.memory import MemoryTier
from tiercache.shelf import LONGEST_NAME, Shelf
from tiercache.shelves import MOST_HEADS, Shelves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = ":1:"


def make_tier() -> MemoryTier:
    return MemoryTier(max_entries=100, max_bytes=10**6, max_entry_bytes=10**5, clock=lambda: 0.0)


def hold(tier: MemoryTier, key: str, value: object = "value") -> None:
    tier.put(key, Copy(value, 0, 100), 60.0)


def make_shelf(tier: MemoryTier, most: int = 100) -> Shelf:
    shelf = Shelf(HEAD, most)
    tier.serve(shelf)
    shelf.open(tier.entries, by_name=True)
    return shelf


@pytest.fixture
def tier() -> MemoryTier:
    return make_tier()


@pytest.fixture
def cache(make_caches: Callable[..., Any]) -> Any:
    return make_caches(default=settings_for("memory", ""))["default"]


@pytest.fixture
def often_switched() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def learn(tier: MemoryTier, shelf: Shelf, name: str) -> None:
    shelf.learn(shelf.names, name, tier.entries[HEAD + name])


CHANGES: dict[str, Callable[[MemoryTier], object]] = {
    "dropped": lambda tier: tier.invalidate(":1:a"),
    "replaced": lambda tier: hold(tier, ":1:a", "other"),
    "dropped by a pattern": lambda tier: tier.invalidate_where(lambda key: True),
    "dropped with all": lambda tier: tier.invalidate_all(),
    "recast": lambda tier: tier.recast(tier.entries[":1:a"], Copy("other", 0, 100)),
    "finished anew": lambda tier: tier.finish(
        ":1:a", Copy("other", 0, 100), 60.0, tier.begin(":1:a")
    ),
    "given a deadline that has come": lambda tier: tier.retime(":1:a", 0.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_name_is_forgotten_with_its_entry(tier: MemoryTier, change: str) -> None:
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    learn(tier, shelf, "a")
    assert shelf.names["a"].held == "value"
    CHANGES[change](tier)
    assert "a" not in shelf.names


@pytest.mark.parametrize("change", CHANGES)
def test_who_found_an_entry_before_it_was_dropped_cannot_bring_it_back(
    tier: MemoryTier, change: str
) -> None:
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    names, entry = shelf.names, tier.entries[":1:a"]
    CHANGES[change](tier)
    shelf.learn(names, "a", entry)
    assert "a" not in shelf.names


def test_an_entry_that_is_evicted_for_room_is_forgotten() -> None:
    tier = MemoryTier(policy="fifo", max_entries=1, max_bytes=10**6, max_entry_bytes=10**5)
    shelf = make_shelf(tier)
    tier.put(":1:a", Copy("value", 0, 100), float("inf"))
    learn(tier, shelf, "a")
    tier.put(":1:b", Copy("value", 0, 100), float("inf"))
    assert not shelf.names


def test_everything_is_gone_by_name_the_moment_it_is_gone(tier: MemoryTier) -> None:
    """While the entries are still being taken apart, each may be alive for a moment."""
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    entry, names = tier.entries[":1:a"], shelf.names
    tier.entries.clear()
    shelf.discard()
    shelf.learn(names, "a", entry)
    assert entry.deadline == 60.0
    assert shelf.names.get("a") is None


def test_what_is_shut_teaches_nothing_to_what_is_opened_again(tier: MemoryTier) -> None:
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    names, entry = shelf.names, tier.entries[":1:a"]
    shelf.shut()
    shelf.learn(names, "a", entry)
    shelf.learn(shelf.names, "a", entry)
    assert shelf.names.get("a") is None
    assert shelf.entries.get(":1:a") is None
    shelf.open(tier.entries, by_name=True)
    assert shelf.names.get("a") is None


def test_names_are_kept_while_a_window_looks_at_hits(tier: MemoryTier) -> None:
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    learn(tier, shelf, "a")
    shelf.open(tier.entries, by_name=False)
    assert not shelf.names
    shelf.open(tier.entries, by_name=True)
    assert "a" in shelf.names


def test_there_are_never_more_names_than_allowed(tier: MemoryTier) -> None:
    shelf = make_shelf(tier, most=5)
    for number in range(23):
        hold(tier, f":1:{number}")
        learn(tier, shelf, str(number))
        assert len(shelf.names) <= 5
    assert "22" in shelf.names


def test_a_long_key_has_no_name(tier: MemoryTier) -> None:
    """Names are not accounted for, so a site's keys of kilobytes must not stand there again."""
    shelf = make_shelf(tier)
    for length in (LONGEST_NAME, LONGEST_NAME + 1):
        hold(tier, HEAD + "x" * length)
        learn(tier, shelf, "x" * length)
    assert list(shelf.names) == ["x" * LONGEST_NAME]


def test_a_shelf_is_served_before_anybody_can_find_it(
    tier: MemoryTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork in between would leave the child a shelf that never forgets."""
    shelves = Shelves(tier, 10**6)
    known_then: list[Any] = []
    monkeypatch.setattr(tier, "serve", lambda _: known_then.extend(shelves._known))
    shelves.of(HEAD, strict=False)
    assert known_then
    assert (HEAD, False) not in known_then


def test_keys_that_begin_otherwise_are_none_of_the_shelf_s(tier: MemoryTier) -> None:
    shelf = make_shelf(tier)
    hold(tier, ":1:a")
    hold(tier, ":2:a")
    learn(tier, shelf, "a")
    tier.invalidate(":2:a")
    assert "a" in shelf.names


def test_a_site_with_ever_new_prefixes_gets_no_ever_new_shelves(tier: MemoryTier) -> None:
    shelves = Shelves(tier, 10**6)
    shelves.set(loose=tier.entries, strict=None)
    found = [shelves.of(f"tenant{number}:1:", strict=False) for number in range(100)]
    assert len(set(map(id, found))) <= MOST_HEADS
    assert shelves.of("tenant0:1:", strict=False) is found[0]
    assert found[-1] is shelves.loose
    assert found[-1].entries is tier.entries
    assert shelves.of("tenant99:1:", strict=True).entries is not tier.entries


# As callers see it


class Mixed(str, Enum):  # noqa: UP042 - its text is not its value: this is about that
    KEY = "key"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize("other", [Mixed.KEY, Loud("key")])
def test_keys_that_are_equal_and_have_other_texts_are_told_apart(cache: Any, other: Any) -> None:
    cache.set("key", "one")
    cache.set(other, "two")
    for _ in range(3):
        assert cache.get("key") == "one"
        assert cache.get(other) == "two"
        assert cache.get_many(["key"]) == {"key": "one"}
        assert cache.get_many([other]) == {other: "two"}


def test_numbers_that_are_equal_are_told_apart(cache: Any) -> None:
    for key in (1, 1.0, True, "1"):
        cache.set(key, str(key))
    for _ in range(3):
        assert [cache.get(key) for key in (1.0, True, "1")] == ["1.0", "True", "1"]


def test_a_key_that_has_no_hash_is_a_key(cache: Any) -> None:
    cache.set(["a"], 1)
    assert cache.get(["a"]) == 1
    assert cache.get(["a"]) == 1


@pytest.mark.parametrize("part", ["version", "key_prefix", "key_func"])
def test_a_face_whose_keys_are_made_otherwise_from_now_on_finds_others(
    cache: Any, part: str
) -> None:
    cache.set("key", "before")
    assert cache.get("key") == cache.get("key") == "before"
    old = getattr(cache, part)
    new = {"version": 2, "key_prefix": "other", "key_func": lambda key, *_: f"own-{key}"}[part]
    setattr(cache, part, new)
    assert cache.get("key") is None
    cache.set("key", "after")
    assert [cache.get("key"), cache.get("key")] == ["after", "after"]
    setattr(cache, part, old)
    assert cache.get("key") == "before"


def test_a_value_of_another_version_is_not_found_by_name(cache: Any) -> None:
    cache.set("key", "one")
    cache.set("key", "two", version=2)
    for _ in range(3):
        assert cache.get("key") == "one"
        assert cache.get("key", version=2) == "two"
        assert cache.get_many(["key"], version=2) == {"key": "two"}


def test_a_transaction_sees_its_own_changes_and_nobody_else_does(cache: Any) -> None:
    """While anybody watches, a hit by name is looked at as any other."""
    from tiercache import sources

    cache.set("key", "value")
    cache.get("key")
    with sources.watch() as seen:
        assert cache.get("key") == "value"
    assert seen.tier == "memory"


def test_hits_by_name_are_hits_for_the_policy_and_are_counted(cache: Any) -> None:
    cache.set("key", "value")
    cache.get("key")
    entry = cache._node.memory.entries[cache.make_key("key")]
    entry.used = False
    before = cache.stats().memory_hits
    cache.get("key")
    assert entry.used
    assert cache.stats().memory_hits == before + 1


async def test_the_asynchronous_calls_find_by_name_what_the_others_do(cache: Any) -> None:
    await cache.aset("key", "value")
    for _ in range(3):
        assert await cache.aget("key") == "value"
    cache.delete("key")
    assert await cache.aget("key") is None


def test_a_child_process_begins_with_no_names(cache: Any) -> None:
    cache.set("key", "value")
    cache.get("key")
    assert cache._shelf.names
    child = os.fork()
    if child == 0:
        os._exit(0 if not cache._shelf.names and cache.get("key") is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_change_is_seen_at_once_whatever_other_threads_are_learning(
    cache: Any, often_switched: None
) -> None:
    """Readers hit and learn all the time; after a write returned, nobody gets an older value."""
    wrong: list[tuple[int, int]] = []
    written, over = [0], threading.Event()

    def read() -> None:
        while not over.is_set():
            least = written[0]
            found = cache.get("key")
            if found is not None and found < least:
                wrong.append((found, least))

    cache.set("key", 0)
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 2000):
        if number % 3:
            cache.set("key", number)
        else:
            cache.clear()
            cache.set("key", number)
        written[0] = number
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_names_take_a_small_part_of_the_bound() -> None:
    assert shelf_module.names_for(64 * 2**20) == 16_384
    assert shelf_module.names_for(2**40) == shelf_module.MOST_NAMES
    assert shelf_module.names_for(1000) == 0


def test_a_class_that_makes_its_keys_itself_is_asked_for_each(cache: Any) -> None:
    """Its keys may differ at each call, as those of a site with tenants do."""
    tenant = ["one"]

    class Tenants(type(cache)):  # type: ignore[misc]
        def make_key(self, key: Any, version: Any = None) -> str:
            return f"{tenant[0]}-{super().make_key(key, version)}"

    tenants = Tenants("memory://tenants", {})
    tenants.set("key", "first")
    assert [tenants.get("key") for _ in range(3)] == ["first"] * 3
    tenant[0] = "two"
    assert tenants.get("key") is None
    assert tenants.get_many(["key"]) == {}
