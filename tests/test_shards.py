"""A dictionary in parts: it behaves as one, and none of its parts gets large."""

from __future__ import annotations

import pytest

from tiercache.entry import Copy, Entry
from tiercache.memory import MemoryTier
from tiercache.shards import PART, WHOLE, Shards, make_entries


def entry(key: str) -> Entry:
    return Entry(key, Copy(key, 0, 10), 60.0)


@pytest.fixture
def shards() -> Shards:
    shards = Shards(8)
    for number in range(1000):
        shards[str(number)] = entry(str(number))
    return shards


def test_it_holds_what_a_dictionary_would(shards: Shards) -> None:
    keys = {str(number) for number in range(1000)}
    assert len(shards) == 1000
    assert set(shards) == keys
    assert {each.key for each in shards.values()} == keys
    assert all(key == each.key for key, each in shards.items())
    assert "7" in shards
    assert shards["7"].held == shards.get("7").held == "7"
    assert shards.get("none") is None
    with pytest.raises(KeyError):
        shards["none"]


def test_what_is_deleted_is_gone(shards: Shards) -> None:
    del shards["7"]
    assert "7" not in shards
    assert len(shards) == 999
    with pytest.raises(KeyError):
        del shards["7"]
    shards.clear()
    assert not list(shards)


def test_it_can_be_changed_while_it_is_walked(shards: Shards) -> None:
    for key in shards:
        del shards[key]
        shards[f"{key} again"] = entry(key)
    assert len(shards) == 1000


def test_keys_are_spread_over_all_parts_and_over_the_places_of_each(shards: Shards) -> None:
    sizes = [len(part) for part in shards.parts]
    assert min(sizes) > 80
    for part in shards.parts:
        # By these bits a dictionary chooses places: in one part they must not be alike.
        assert len({hash(key) % 8 for key in part}) == 8


@pytest.mark.parametrize("entries", [WHOLE + 1, 100_000, 131_072, 1_000_000])
def test_no_part_is_large(entries: int) -> None:
    made = make_entries(entries)
    assert isinstance(made, Shards)
    assert PART / 2 <= entries / len(made.parts) <= PART


def test_a_small_tier_has_one_dictionary() -> None:
    assert type(make_entries(WHOLE)) is dict


def test_a_tier_in_parts_keeps_its_bounds() -> None:
    tier = MemoryTier(max_entries=WHOLE + 1, max_bytes=10**9, max_entry_bytes=10**6)
    for number in range(40_000):
        tier.put(str(number), Copy(number, 0, 28), float("inf"))
    assert len(tier) == len(tier.entries) == WHOLE + 1
    dropped = tier.invalidate_where(lambda key: key.endswith("7"))
    assert dropped
    assert len(tier) == len(tier.entries) == WHOLE + 1 - dropped
    assert tier.sweep(10**6) == 0
    tier.invalidate_all()
    assert len(tier) == len(tier.entries) == tier.bytes == 0
