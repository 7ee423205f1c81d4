"""Who leaves when the memory tier is full, and in what order."""

from __future__ import annotations

import gc
import random
from collections import OrderedDict
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.entry import SERIALIZED, Copy, Entry, Queue
from tiercache.memory import MemoryTier
from tiercache.policies import (
    CREDIT,
    LEAST_TRIAL,
    MARK,
    MOST_TRIAL,
    PATIENCE,
    POLICIES,
    TRIAL,
    Ghost,
)

FOREVER = float("inf")
COPY = Copy(b"", SERIALIZED, 33)


def make_tier(policy: str, max_entries: int) -> MemoryTier:
    return MemoryTier(
        policy=policy,
        max_entries=max_entries,
        max_bytes=1 << 30,
        max_entry_bytes=1 << 20,
        clock=lambda: 0.0,
    )


def write(tier: MemoryTier, *keys: object) -> None:
    for key in keys:
        tier.put(str(key), COPY, FOREVER)


def read(tier: MemoryTier, *keys: object) -> None:
    for key in keys:
        assert tier.fresh(str(key)) is not None


def hit_ratio(policy: str, stream: list[int], max_entries: int) -> float:
    tier = make_tier(policy, max_entries)
    hits = 0
    for key in stream:
        if tier.fresh(str(key)) is not None:
            hits += 1
        else:
            write(tier, key)
    return hits / len(stream)


def order(queue: Queue) -> list[str]:
    keys, entry = [], queue.head.after
    while entry is not queue.head:
        assert entry.queue is queue
        assert entry.after.before is entry
        keys.append(entry.key)
        entry = entry.after
    assert len(keys) == queue.length
    return keys


class TestQueue:
    def make(self, *keys: str) -> tuple[Queue, dict[str, Entry]]:
        queue, entries = Queue(), {key: Entry(key, COPY, FOREVER) for key in keys}
        for entry in entries.values():
            queue.append(entry)
        return queue, entries

    def test_entries_stand_in_the_order_in_which_they_came(self):
        queue, _ = self.make("a", "b", "c")
        assert order(queue) == ["a", "b", "c"]

    def test_any_entry_can_be_taken_out(self):
        queue, entries = self.make("a", "b", "c", "d")
        for key in "bda":
            queue.unlink(entries[key])
        assert order(queue) == ["c"]

    def test_a_substitute_stands_where_the_other_stood(self):
        queue, entries = self.make("a", "b", "c")
        queue.substitute(entries["b"], Entry("B", COPY, FOREVER))
        assert order(queue) == ["a", "B", "c"]
        assert entries["b"].queue is None

    def test_an_unlinked_entry_refers_to_no_other(self):
        queue, entries = self.make("a", "b", "c")
        queue.unlink(entries["b"])
        queue.substitute(entries["c"], Entry("C", COPY, FOREVER))
        for key in "bc":
            assert not [o for o in gc.get_referents(entries[key]) if isinstance(o, (Entry, Queue))]

    def test_a_patrol_yields_each_entry_once_while_others_come_and_go(self):
        queue, entries = self.make("a", "b", "c", "d", "e")
        seen = []
        for entry in queue.patrol():
            seen.append(entry.key)
            if entry.key == "b":
                queue.unlink(entries["a"])
                queue.unlink(entries["c"])  # the one that was next
                queue.substitute(entries["d"], Entry("D", COPY, FOREVER))
                queue.append(Entry("f", COPY, FOREVER))
        assert seen[:4] == ["a", "b", "D", "e"]
        assert len(seen) <= 5

    def test_a_patrol_ends_however_many_are_appended_meanwhile(self):
        queue, _ = self.make("a", "b")
        for steps, _entry in enumerate(queue.patrol(), 1):
            assert steps <= 2
            queue.append(Entry("more", COPY, FOREVER))


class TestFifo:
    def test_the_oldest_written_goes_first_however_often_it_is_read(self):
        tier = make_tier("fifo", 3)
        write(tier, 1, 2, 3)
        read(tier, 1, 1, 1)
        write(tier, 4, 5)
        assert sorted(tier.entries) == ["3", "4", "5"]

    def test_a_rewrite_makes_an_entry_the_newest(self):
        tier = make_tier("fifo", 3)
        write(tier, 1, 2, 3, 1, 4)
        assert sorted(tier.entries) == ["1", "3", "4"]


class TestLru:
    @given(
        st.integers(1, 6),
        st.lists(st.tuples(st.sampled_from(["read", "write", "drop"]), st.integers(0, 9))),
    )
    def test_the_least_recently_used_goes_first_exactly(self, room, actions):
        tier, model = make_tier("lru", room), OrderedDict[str, None]()
        for action, number in actions:
            key = str(number)
            if action == "write":
                write(tier, key)
                model[key] = None
            elif action == "drop":
                assert tier.invalidate(key) == (key in model)
                model.pop(key, None)
            else:
                assert (tier.fresh(key) is not None) == (key in model)
            if key in model:
                model.move_to_end(key)
            if len(model) > room:
                model.popitem(last=False)
            assert order(tier._policy.queues[0]) == list(model)

    def test_marking_an_entry_that_has_left_does_nothing(self):
        tier = make_tier("lru", 3)
        write(tier, 1, 2)
        entry = tier.entries["1"]
        tier.invalidate("1")
        entry.used = True
        assert order(tier._policy.queues[0]) == ["2"]


class TestS3Fifo:
    def queues(self, tier: MemoryTier) -> tuple[list[str], list[str]]:
        return order(tier._policy.small), order(tier._policy.main)

    def test_what_was_hit_on_trial_is_promoted_and_the_rest_leaves(self):
        tier = make_tier("s3fifo", 4)
        write(tier, 1, 2, 3, 4)
        read(tier, 1)
        write(tier, 5)
        assert self.queues(tier) == (["3", "4", "5"], ["1"])

    def test_a_key_that_comes_back_before_long_goes_to_the_main_queue(self):
        tier = make_tier("s3fifo", 4)
        write(tier, 1, 2, 3, 4, 5, 1)
        assert self.queues(tier) == (["3", "4", "5"], ["1"])

    def test_a_key_that_comes_back_late_is_on_trial_again(self):
        tier = make_tier("s3fifo", 4)
        write(tier, *range(9), 0)
        assert self.queues(tier)[1] == []

    def test_rounds_with_a_hit_earn_rounds_without_one_up_to_a_limit(self):
        tier = make_tier("s3fifo", 2)
        write(tier, "hot", "cold")
        read(tier, "hot")
        write(tier, "other")  # hot is promoted, cold leaves
        entry = tier.entries["hot"]
        for _ in range(CREDIT + 2):
            entry.used = True
            tier._policy._spare(entry, tier._policy.main)
        assert entry.credit == CREDIT
        tier._policy._spare(entry, tier._policy.main)
        assert entry.credit == CREDIT - 1

    def test_a_rewrite_keeps_the_place_and_the_mark(self):
        tier = make_tier("s3fifo", 4)
        write(tier, 1, 2, 3, 4)
        read(tier, 2)
        write(tier, 2, 1)
        assert self.queues(tier)[0] == ["1", "2", "3", "4"]
        assert [tier.entries[key].used for key in "12"] == [False, True]

    @pytest.mark.parametrize(("room", "small"), [(20, 10), (60, 20), (300, 60), (1000, 200)])
    def test_the_trial_begins_with_a_fifth_but_at_least_20_and_at_most_half(self, room, small):
        tier = make_tier("s3fifo", room)
        write(tier, *range(room))
        read(tier, *range(room))
        write(tier, *range(room, 3 * room))
        read(tier, *range(3 * room - small, 3 * room))
        assert tier._policy.small.length == small

    def test_the_share_of_the_small_queue_follows_the_bound_that_counts(self):
        tier = MemoryTier(
            max_entries=1_000_000,
            max_bytes=1000 * Entry("0000", COPY, FOREVER).size,
            max_entry_bytes=1 << 20,
            clock=lambda: 0.0,
        )
        write(tier, *range(1000, 2000))
        read(tier, *range(1000, 2000))
        write(tier, *range(2000, 4000))
        assert (tier._policy.small.length, tier._policy.main.length) == (200, 800)

    def test_a_key_that_a_longer_trial_would_have_kept_lengthens_it_by_an_entry(self):
        tier = make_tier("s3fifo", 100)
        write(tier, *range(120), 19)  # of those that left, 0 to 19, the last
        assert tier._policy.share == pytest.approx(TRIAL + 1 / 99)

    def test_a_key_that_failed_long_ago_does_not_lengthen_the_trial(self):
        tier = make_tier("s3fifo", 100)
        tier._policy.ghost = Ghost(100_000)  # one that hardly ever forgets early
        write(tier, *range(160), 0)
        assert order(tier._policy.main) == ["0"]
        assert tier._policy.share == TRIAL

    def leave_main(self, tier: MemoryTier, leavers: int) -> None:
        """Fill a tier of 100, promote 0 to 99, and make the first of them leave the main queue."""
        write(tier, *range(100))
        read(tier, *range(100))
        write(tier, *range(100, 100 + leavers + 20))
        assert len(tier.entries) == 100
        assert tier._policy.small.length == 20
        assert [key for key in range(100) if str(key) not in tier.entries] == [*range(leavers)]

    def test_a_key_that_a_longer_main_queue_would_have_kept_shortens_the_trial_by_an_entry(self):
        tier = make_tier("s3fifo", 100)
        self.leave_main(tier, 20)
        write(tier, 19)
        assert tier._policy.share == pytest.approx(TRIAL - 1 / 99)
        assert order(tier._policy.small)[-1] == "19"

    def test_the_trial_keeps_within_its_bounds(self):
        tier = make_tier("s3fifo", 100)
        self.leave_main(tier, 20)
        tier._policy.share = LEAST_TRIAL
        write(tier, 19)
        assert tier._policy.share == LEAST_TRIAL
        tier._policy.share = MOST_TRIAL
        tier._policy.ghost.add("failed")
        write(tier, "failed")
        assert tier._policy.share == MOST_TRIAL

    def test_keys_that_come_back_late_and_then_never_again_do_not_fill_the_main_queue(self):
        rng = random.Random(7)
        uses = [
            (3 * key + visit * rng.expovariate(1 / 1500), key)
            for key in range(30_000)
            for visit in range(3)
        ]
        stream = [key for _, key in sorted(uses)]
        assert hit_ratio("s3fifo", stream, 800) > 0.93 * hit_ratio("lru", stream, 800)

    def test_one_insertion_spares_a_bounded_number_of_entries(self):
        tier = make_tier("s3fifo", 4 * PATIENCE)
        write(tier, *range(4 * PATIENCE))
        read(tier, *range(4 * PATIENCE))
        write(tier, "new")
        assert sum(not entry.used for entry in tier.entries.values()) == PATIENCE + 1
        assert str(PATIENCE) not in tier.entries  # it was hit, and was next

    def test_an_insertion_that_needs_much_room_spares_no_more(self):
        size = Entry("000", COPY, FOREVER).size
        tier = MemoryTier(
            max_entries=10_000, max_bytes=900 * size, max_entry_bytes=1 << 20, clock=lambda: 0.0
        )
        write(tier, *range(100, 1000))
        read(tier, *range(100, 1000))
        tier.put("new", Copy(b"", SERIALIZED, 100 * size), FOREVER)
        assert sum(not entry.used for entry in tier.entries.values()) == PATIENCE + 1

    def test_a_scan_leaves_the_popular_entries_alone(self):
        rng = random.Random(7)
        weights = list(accumulate(1 / rank for rank in range(1, 2001)))
        popular = rng.choices(range(2000), cum_weights=weights, k=20_000)
        stream = []
        for number, key in enumerate(popular):
            stream += [key, 10_000 + number]  # every other access is the scan's
        assert hit_ratio("s3fifo", stream, 200) > 1.15 * hit_ratio("lru", stream, 200)

    def test_a_loop_that_does_not_fit_is_not_all_misses(self):
        stream = list(range(120)) * 50
        assert hit_ratio("lru", stream, 100) == 0
        assert hit_ratio("s3fifo", stream, 100) > 0.1


class TestGhost:
    def test_it_tells_how_many_left_since_and_forgets_the_key(self):
        ghost = Ghost(1000)
        for number in range(10):
            ghost.add(str(number))
        assert ghost.take("9") == 0
        assert ghost.take("5") == 4
        assert ghost.take("5") == MARK

    def test_a_key_that_never_left_is_not_known(self):
        assert Ghost(1000).take("never") == MARK

    def test_it_remembers_most_of_as_many_keys_as_it_has_room_for(self):
        ghost = Ghost(1000)
        for number in range(5000):
            ghost.add(str(number))
        known = [ghost.take(str(number)) < 1000 for number in range(4000, 5000)]
        assert sum(known) > 650

    def test_its_memory_is_constant(self):
        ghost = Ghost(1000)
        for number in range(5000):
            ghost.add(str(number))
        assert ghost._table.itemsize * len(ghost._table) == 8 * 1024

    def test_it_begins_anew_when_its_count_is_used_up(self):
        ghost = Ghost(1000)
        ghost._departures = MARK - 1
        ghost.add("last")
        assert ghost.take("last") == 0
        ghost.add("first")
        assert ghost._departures == 1
        assert ghost.take("first") == 0


def test_the_policies_go_by_these_names():
    assert sorted(POLICIES) == ["fifo", "lru", "s3fifo"]


def test_an_unknown_policy_is_refused_with_the_valid_names():
    with pytest.raises(ValueError, match=r"'lfu'; valid names: fifo, lru, s3fifo"):
        make_tier("lfu", 1)
