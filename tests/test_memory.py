"""The memory tier: bounds, tickets, compare-and-swap, sweeping."""

from __future__ import annotations

import gc
import random
import sys
import threading
import tracemalloc
from sys import getsizeof

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tiercache.entry import DEAD, GRAIN, MISSING, OVERHEAD, SERIALIZED, Copy, Entry
from tiercache.memory import SLICE, STRIPES, MemoryTier
from tiercache.policies import POLICIES
from tiercache.shards import Shards
from tiercache.shelf import Shelf

FOREVER = float("inf")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make_copy(value: object, size: int = 100) -> Copy:
    return Copy(value, SERIALIZED, size)


def make_tier(clock: Clock | None = None, **bounds) -> MemoryTier:
    bounds = {"max_entries": 1000, "max_bytes": 10**7, "max_entry_bytes": 10**6} | bounds
    return MemoryTier(clock=clock or Clock(), **bounds)


def held(tier: MemoryTier, key: str) -> object:
    entry = tier.fresh(key)
    return MISSING if entry is None else entry.held


def check_consistent(tier: MemoryTier) -> None:
    """What the dictionary, the queues and the count of bytes say is the same."""
    standing = []
    for queue in tier._policy.queues:
        entry = queue.head.after
        while entry is not queue.head:
            assert entry.queue is queue
            assert entry.after.before is entry
            standing.append(entry)
            entry = entry.after
    assert len(standing) == sum(queue.length for queue in tier._policy.queues)
    assert {entry.key: entry for entry in standing} == dict(tier.entries.items())
    assert len(tier) == len(tier.entries)
    assert all(key is entry.key for key, entry in tier.entries.items())
    assert sum(entry.size for entry in standing) == tier.bytes
    assert all(entry.deadline != DEAD for entry in standing)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tier(clock: Clock) -> MemoryTier:
    return make_tier(clock)


class TestHolding:
    def test_a_copy_is_fresh_until_its_deadline(self, tier, clock):
        tier.put("key", make_copy("value"), clock.now + 5)
        clock.now += 4.9
        assert held(tier, "key") == "value"
        clock.now += 0.1
        assert tier.fresh("key") is None

    def test_a_hit_marks_the_entry(self, tier):
        tier.put("key", make_copy("value"), FOREVER)
        assert not tier.entries["key"].used
        tier.fresh("key")
        assert tier.entries["key"].used

    def test_the_size_is_that_of_value_key_and_bookkeeping(self, tier):
        tier.put("key", make_copy("value", 100), FOREVER)
        exact = 100 + getsizeof("key") + OVERHEAD
        assert exact <= tier.entries["key"].size == tier.bytes <= exact + GRAIN

    def test_a_large_size_is_exact_to_the_same_grain(self, tier):
        tier.put("key", make_copy("value", 100_000), FOREVER)
        exact = 100_000 + getsizeof("key") + OVERHEAD
        assert exact <= tier.bytes <= exact + GRAIN

    def test_the_dictionary_stays_the_same_object(self, tier):
        entries = tier.entries
        tier.put("key", make_copy("value"), FOREVER)
        tier.invalidate_all()
        tier.reset_after_fork()
        assert tier.entries is entries

    @pytest.mark.parametrize("deadline", [100.0, 99.0, DEAD])
    def test_a_copy_whose_deadline_has_come_leaves_nothing_held(self, tier, deadline):
        tier.put("key", make_copy("old"), FOREVER)
        assert not tier.install("key", make_copy("new"), deadline, tier.ticket("key"))
        assert not tier.entries
        assert tier.evictions["too_large"] == 0

    def test_a_copy_that_is_too_large_is_refused_and_the_old_one_goes(self):
        tier = make_tier(max_entry_bytes=1000)
        tier.put("key", make_copy("old"), FOREVER)
        assert not tier.install("key", make_copy("new", 1000), FOREVER, tier.ticket("key"))
        assert not tier.entries
        assert tier.evictions["too_large"] == 1

    def test_an_entry_larger_than_all_the_room_evicts_nothing_else(self):
        tier = make_tier(max_bytes=2000, max_entry_bytes=10**6)
        tier.put("a", make_copy("value"), FOREVER)
        tier.put("b", make_copy("value", 2000), FOREVER)
        assert list(tier.entries) == ["a"]

    def test_the_bound_that_forced_an_eviction_is_counted(self):
        tier = make_tier(max_entries=2, max_bytes=2000)
        for key in "abc":
            tier.put(key, make_copy("value"), FOREVER)
        assert (tier.evictions["entries"], tier.evictions["bytes"]) == (1, 0)
        tier.put("c", make_copy("value", 1400), FOREVER)
        assert (tier.evictions["entries"], tier.evictions["bytes"]) == (1, 1)

    def test_the_evictions_are_a_snapshot(self, tier):
        tier.evictions["entries"] = 7
        assert tier.evictions["entries"] == 0

    @pytest.mark.parametrize("policy", POLICIES)
    def test_an_entry_that_left_is_dead_and_refers_to_no_other(self, policy, clock):
        tier = make_tier(clock, policy=policy, max_entries=300)

        def gone(key: str) -> Entry:
            for number in range(4):
                tier.put(f"{key}{number}", make_copy("value"), clock.now + 5)
            return tier.entries[f"{key}1"]

        left = [gone("a"), gone("b"), gone("c"), gone("d"), gone("e")]
        tier.invalidate("a1")
        tier.put("b1", make_copy("other"), FOREVER)
        tier.invalidate_where("c1".__eq__)
        clock.now += 6
        tier.sweep(1000)
        left.append(gone("f"))
        tier.invalidate_all()
        left.append(gone("g"))
        tier.reset_after_fork()
        left.append(gone("h"))
        for number in range(600):
            tier.put(f"x{number}", make_copy("value"), FOREVER)
        for entry in left:
            assert (entry.deadline, entry.queue) == (DEAD, None)
            assert not [o for o in gc.get_referents(entry) if isinstance(o, Entry)]

    def test_a_reader_overtaken_by_a_write_finds_the_new_entry(self, tier, clock):
        tier.put("key", make_copy("old"), FOREVER)
        old = tier.entries["key"]

        tier.put("key", make_copy("new"), FOREVER)

        class Overtaken(dict):
            def get(self, key):
                return late.pop() if late else super().get(key)

        late = [old]
        tier.entries = Overtaken(tier.entries)
        assert held(tier, "key") == "new"

    @pytest.mark.parametrize("bound", ["max_entries", "max_bytes", "max_entry_bytes"])
    def test_a_bound_below_one_is_refused(self, bound):
        with pytest.raises(ValueError, match=f"at least 1, not .*{bound}=0"):
            make_tier(**{bound: 0})


CHANGES = {
    "invalidate": lambda tier, key: tier.invalidate(key),
    "invalidate_many": lambda tier, key: tier.invalidate_many([key]),
    "invalidate_where": lambda tier, key: tier.invalidate_where(lambda _: False),
    "invalidate_all": lambda tier, key: tier.invalidate_all(),
    "begin": lambda tier, key: tier.begin(key),
    "put": lambda tier, key: tier.put(key, make_copy("other"), FOREVER),
    "reset_after_fork": lambda tier, key: tier.reset_after_fork(),
    "a write whose era is over": lambda tier, key: tier.put(
        key, make_copy("other"), FOREVER, era=tier.era - 1
    ),
    "a write from begin to finish": lambda tier, key: tier.finish(
        key, make_copy("other"), FOREVER, tier.begin(key)
    ),
}


class TestTickets:
    def test_a_fill_with_a_valid_ticket_is_held(self, tier):
        assert tier.install("key", make_copy("value"), FOREVER, tier.ticket("key"))
        assert held(tier, "key") == "value"

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_fill_that_raced_with_a_change_is_not_held(self, tier, change):
        """Guard 1."""
        ticket = tier.ticket("key")
        change(tier, "key")
        before = held(tier, "key")
        assert not tier.install("key", make_copy("stale"), FOREVER, ticket)
        assert held(tier, "key") is before

    def test_a_fill_that_began_during_a_write_is_void_when_that_ends(self, tier):
        """Guard 2."""
        write = tier.begin("key")
        fill = tier.ticket("key")
        tier.finish("key", make_copy("new"), FOREVER, write)
        assert not tier.install("key", make_copy("stale"), FOREVER, fill)
        assert held(tier, "key") == "new"

    def test_so_it_is_when_the_write_itself_was_overtaken(self, tier):
        """Guard 2."""
        write = tier.begin("key")
        tier.invalidate("key")
        fill = tier.ticket("key")
        tier.finish("key", make_copy("new"), FOREVER, write)
        assert not tier.install("key", make_copy("stale"), FOREVER, fill)
        assert held(tier, "key") is MISSING

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_write_that_raced_with_a_change_leaves_nothing_held(self, tier, change):
        """Guard 3."""
        tier.put("key", make_copy("old"), FOREVER)
        ticket = tier.begin("key")
        change(tier, "key")
        assert not tier.finish("key", make_copy("new"), FOREVER, ticket)
        assert held(tier, "key") is MISSING

    def test_the_later_of_two_writes_does_not_win_either(self, tier):
        """Guard 3: which of them Redis carried out last is not known."""
        first, second = tier.begin("key"), tier.begin("key")
        assert tier.finish("key", make_copy("second"), FOREVER, second)
        assert not tier.finish("key", make_copy("first"), FOREVER, first)
        assert held(tier, "key") is MISSING

    def test_the_old_copy_is_readable_while_a_write_is_under_way(self, tier):
        tier.put("key", make_copy("old"), FOREVER)
        ticket = tier.begin("key")
        assert held(tier, "key") == "old"
        assert tier.finish("key", make_copy("new"), FOREVER, ticket)
        assert held(tier, "key") == "new"

    def test_a_fill_voids_no_ticket(self, tier):
        first, second = tier.ticket("key"), tier.ticket("key")
        assert tier.install("key", make_copy("value"), FOREVER, first)
        assert tier.install("key", make_copy("value"), FOREVER, second)

    def test_a_change_leaves_most_other_keys_tickets_valid(self, tier):
        tickets = {str(number): tier.ticket(str(number)) for number in range(200)}
        tier.invalidate("key")
        assert sum(tier.ticket(key) == ticket for key, ticket in tickets.items()) > 190


class TestInvalidation:
    def test_it_says_whether_a_fresh_copy_was_there(self, tier, clock):
        tier.put("key", make_copy("value"), clock.now + 5)
        assert tier.invalidate("key")
        assert not tier.invalidate("key")
        tier.put("key", make_copy("value"), clock.now + 5)
        clock.now += 5
        assert not tier.invalidate("key")
        assert not tier.entries

    def test_many_keys_may_come_from_any_iterable(self, tier):
        for number in range(3 * SLICE):
            tier.put(str(number), make_copy("value"), FOREVER)
        tier.invalidate_many(str(number) for number in range(1, 3 * SLICE))
        assert list(tier.entries) == ["0"]

    def test_the_keys_that_match_go_and_the_fresh_ones_are_counted(self, tier, clock):
        for number in range(500):
            tier.put(f"a{number}", make_copy("value"), clock.now + (5 if number < 100 else 10))
            tier.put(f"b{number}", make_copy("value"), FOREVER)
        clock.now += 5
        assert tier.invalidate_where(lambda key: key.startswith("a")) == 400
        assert len(tier) == 500
        check_consistent(tier)

    def test_what_the_caller_brings_runs_outside_the_lock(self, tier):
        tier.put("key", make_copy("value"), FOREVER)

        def use_the_tier(key: str) -> bool:
            tier.put("other", make_copy("value"), FOREVER)
            return tier.invalidate(key)

        tier.invalidate_where(use_the_tier)
        tier.invalidate_many("other" for _ in range(2) if use_the_tier("key") or True)
        assert not tier.entries

    @pytest.mark.parametrize("change", ["put", "retime"])
    def test_a_key_that_is_changed_while_it_is_looked_at_is_looked_at_again(self, tier, change):
        """So what a node writes in an outage outlives a subscription that begins meanwhile."""
        tier.put("key", make_copy("old"), FOREVER)
        own: set[str] = set()

        def is_not_own(key: str) -> bool:
            answer = key not in own
            if answer:
                own.add(key)
                if change == "put":
                    tier.put(key, make_copy("new"), FOREVER)
                else:
                    tier.retime(key, FOREVER)
            return answer

        assert tier.invalidate_where(is_not_own) == 0
        assert held(tier, "key") == ("new" if change == "put" else "old")

    def test_a_key_that_is_recast_while_it_is_looked_at_goes(self, tier):
        tier.put("key", make_copy("value"), FOREVER)

        def recast(key: str) -> bool:
            return tier.recast(tier.entries[key], make_copy("value"))

        assert tier.invalidate_where(recast) == 1
        assert not tier.entries

    @pytest.mark.parametrize("policy", POLICIES)
    def test_all_copies_go_at_once(self, policy):
        tier = make_tier(policy=policy)
        for number in range(3 * SLICE):
            tier.put(str(number), make_copy("value"), FOREVER)
        tier.invalidate_all()
        assert (len(tier), tier.bytes) == (0, 0)
        check_consistent(tier)

    def test_a_child_of_a_fork_starts_clean_though_a_thread_held_the_lock(self, tier):
        tier.put("key", make_copy("value"), FOREVER)
        tier._lock.acquire()
        tier.entries["key"].queue.length += 1  # it was in the middle of something
        tier.reset_after_fork()
        assert (len(tier), tier.bytes, set(tier.evictions.values())) == (0, 0, {0})
        tier.put("key", make_copy("value"), FOREVER)
        check_consistent(tier)


class TestPut:
    def test_missing_is_expected_and_nothing_is_there(self, tier):
        assert tier.put("key", make_copy("value"), FOREVER, expect=MISSING)
        assert held(tier, "key") == "value"

    def test_missing_is_expected_but_a_fresh_entry_is_there(self, tier):
        tier.put("key", make_copy("old"), FOREVER)
        ticket = tier.ticket("key")
        assert not tier.put("key", make_copy("new"), FOREVER, expect=MISSING)
        assert held(tier, "key") == "old"
        assert tier.ticket("key") == ticket

    def test_an_expired_entry_counts_as_missing(self, tier, clock):
        tier.put("key", make_copy("old"), clock.now + 5)
        old = tier.entries["key"]
        clock.now += 5
        assert not tier.put("key", make_copy("new"), FOREVER, expect=old)
        assert tier.put("key", make_copy("new"), FOREVER, expect=MISSING)
        assert tier.evictions["expired"] == 1

    def test_the_very_entry_that_is_expected_is_replaced(self, tier):
        tier.put("key", make_copy(1), FOREVER)
        seen = tier.fresh("key")
        assert tier.put("key", make_copy(2), FOREVER, expect=seen)
        assert not tier.put("key", make_copy(2), FOREVER, expect=seen)
        assert held(tier, "key") == 2

    def test_a_copy_that_may_not_be_held_is_written_all_the_same(self):
        tier = make_tier(max_entry_bytes=1000)
        assert tier.put("key", make_copy("large", 1000), FOREVER, expect=MISSING)
        assert not tier.entries
        tier.put("key", make_copy("small"), FOREVER)
        assert not tier.put("key", make_copy("large", 1000), FOREVER, expect=MISSING)
        assert held(tier, "key") == "small"
        assert tier.put("key", make_copy("large", 1000), FOREVER)
        assert not tier.entries


def test_every_change_is_made_under_the_lock(monkeypatch, tier, clock):
    """A ticket is checked, and what it allows done, in one hold of the lock."""
    seen = set()

    def watch(name: str) -> None:
        method = getattr(tier, name)

        def watched(*args):
            assert tier._lock.locked()
            seen.add(name)
            return method(*args)

        monkeypatch.setattr(tier, name, watched)

    for name in ["_raise_epoch", "_hold", "_discard", "_drop", "_sweep_slice"]:
        watch(name)
    for change in [*CHANGES.values(), lambda tier, key: tier.retime(key, clock.now)]:
        tier.install("key", make_copy("value"), clock.now + 5, tier.ticket("key"))
        change(tier, "key")
    tier.install("key", make_copy("value"), clock.now + 5, tier.ticket("key"))
    clock.now += 5
    tier.sweep(1)
    assert len(seen) == 5


class TestEra:
    @pytest.mark.parametrize("end", [MemoryTier.invalidate_all, MemoryTier.reset_after_fork])
    def test_a_write_that_began_before_everything_was_dropped_leaves_nothing(self, tier, end):
        era = tier.era
        assert tier.put("key", make_copy("value"), FOREVER, era=era)
        end(tier)
        tier.put("key", make_copy("newer"), FOREVER)
        assert tier.put("key", make_copy("value"), FOREVER, era=era)
        assert not tier.entries

    def test_a_change_of_some_keys_ends_no_era(self, tier):
        era = tier.era
        tier.invalidate("key")
        tier.invalidate_where(lambda _: True)
        assert tier.era == era


class TestRetime:
    def test_a_copy_lives_until_its_new_deadline(self, tier, clock):
        tier.put("key", make_copy("value"), clock.now + 5)
        ticket = tier.ticket("key")
        assert tier.retime("key", clock.now + 10)
        assert tier.ticket("key") != ticket
        clock.now += 9
        assert held(tier, "key") == "value"

    def test_a_deadline_that_has_come_drops_the_copy(self, tier, clock):
        tier.put("key", make_copy("value"), FOREVER)
        assert tier.retime("key", clock.now)
        assert not tier.entries

    def test_a_copy_is_dropped_when_the_era_of_the_change_is_over(self, tier, clock):
        tier.put("key", make_copy("value"), clock.now + 5)
        assert tier.retime("key", clock.now + 10, era=tier.era)
        assert held(tier, "key") == "value"
        assert tier.retime("key", clock.now + 10, era=tier.era - 1)
        assert held(tier, "key") is MISSING

    def test_an_expired_copy_does_not_come_back(self, tier, clock):
        tier.put("key", make_copy("value"), clock.now + 5)
        clock.now += 5
        assert not tier.retime("key", FOREVER)
        assert not tier.retime("absent", FOREVER)
        assert held(tier, "key") is MISSING


class TestSweep:
    @pytest.mark.parametrize("policy", POLICIES)
    def test_every_expired_entry_goes_within_one_round(self, policy, clock):
        tier = make_tier(clock, policy=policy, max_entries=500)
        for number in range(900):
            tier.put(str(number), make_copy("value"), clock.now + (5 if number % 3 else 10))
            tier.fresh(str(number // 2))
        clock.now += 5
        expired = sum(entry.deadline <= clock.now for entry in tier.entries.values())
        assert sum(tier.sweep(50) for _ in range(12)) == expired > 0
        assert all(entry.deadline > clock.now for entry in tier.entries.values())
        assert tier.evictions["expired"] == expired
        check_consistent(tier)

    def test_it_looks_at_no_more_than_it_may(self, tier, clock):
        for number in range(500):
            tier.put(str(number), make_copy("value"), clock.now + 5)
        clock.now += 5
        assert tier.sweep(0) == 0
        assert tier.sweep(SLICE + 1) == SLICE + 1
        assert len(tier) == 500 - SLICE - 1

    def test_a_limit_of_all_looks_at_all_wherever_the_round_was(self, tier, clock):
        for number in range(100):
            tier.put(str(number), make_copy("value"), FOREVER)
        tier.sweep(70)
        for number in range(100, 300):
            tier.put(str(number), make_copy("value"), clock.now + 5)
        clock.now += 5
        assert tier.sweep(300) == 200

    def test_nothing_held_is_nothing_to_do(self, tier):
        assert tier.sweep(1000) == 0

    @pytest.mark.parametrize("policy", POLICIES)
    def test_it_comes_round_while_entries_come_and_go(self, policy, clock):
        tier = make_tier(clock, policy=policy, max_entries=300)
        rng = random.Random(3)
        for number in range(20):
            tier.put(f"short{number}", make_copy("value"), clock.now + 5)
        clock.now += 5
        for number in range(60):
            tier.put(f"new{number % 200}", make_copy("value"), FOREVER)
            tier.invalidate(f"new{rng.randrange(number + 1)}")
            tier.fresh(f"new{rng.randrange(number + 1)}")
            tier.sweep(3)
        assert not [key for key in tier.entries if key.startswith("short")]
        check_consistent(tier)


def traced_in_the_tier() -> int:
    """Bytes that the tier's modules and this one allocated; other tests' threads may run."""
    names = ("memory", "bounded", "policies", "entry", "test_memory")
    wanted = [tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{n}.py") for n in names]
    snapshot = tracemalloc.take_snapshot().filter_traces(wanted)
    return sum(trace.size for trace in snapshot.traces)


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_grows_while_keys_come_and_go(policy, clock):
    """Setting, reading, deleting and sweeping for ever takes no more memory than at first."""
    tier = make_tier(clock, policy=policy, max_entries=200)

    def churn(start: int) -> None:
        for number in range(start, start + 3000):
            tier.put(str(number), make_copy("value"), clock.now + 50)
            tier.fresh(str(number - 5))
            tier.invalidate(str(number - 10))
            tier.sweep(2)
            clock.now += 1

    churn(0)
    gc.collect()
    gc.disable()  # what is freed must be freed without it
    tracemalloc.start()
    try:
        churn(3000)
        before = traced_in_the_tier()
        churn(6000)
        after = traced_in_the_tier()
    finally:
        tracemalloc.stop()
        gc.enable()
    # A dictionary may rebuild itself; 3,000 lost entries would be ten times as much.
    assert after - before < 60_000


ACTIONS = [
    lambda tier, key, copy: tier.put(key, copy, FOREVER),
    lambda tier, key, copy: tier.put(key, copy, FOREVER, expect=MISSING),
    lambda tier, key, copy: tier.install(key, copy, FOREVER, tier.ticket(key)),
    lambda tier, key, copy: tier.finish(key, copy, FOREVER, tier.begin(key)),
    lambda tier, key, copy: tier.fresh(key),
    lambda tier, key, copy: tier.fresh(key),
    lambda tier, key, copy: tier.invalidate(key),
    lambda tier, key, copy: tier.sweep(10),
]


def act_at_random(tier: MemoryTier, seed: int, wrong: list[object]) -> None:
    rng = random.Random(seed)
    try:
        for step in range(1500):
            key, size = str(rng.randrange(120)), rng.choice([10, 300, 3000, 9000])
            rng.choice(ACTIONS)(tier, key, make_copy((key, seed), size))
            if step % 500 == 250:
                tier.invalidate_all()
            elif step % 500 == 450:
                tier.invalidate_where(lambda key: key > "5")
    except BaseException as error:  # noqa: BLE001  the test must see whatever it was
        wrong.append(error)


def watch_bounds(tier: MemoryTier, done: threading.Event, wrong: list[object]) -> None:
    while not done.is_set():
        entries = list(tier.entries.values())
        if len(entries) > 50 or len(tier) > 50:
            wrong.append(f"{len(entries)} entries")
        if not 0 <= tier.bytes <= 30_000 or sum(entry.size for entry in entries) > 30_000:
            wrong.append(f"{tier.bytes} bytes")


@pytest.mark.parametrize("policy", POLICIES)
def test_the_bounds_hold_at_every_moment_under_eight_writers(policy):
    """No thread ever sees more than the bounds allow, and all is consistent in the end."""
    tier = make_tier(policy=policy, max_entries=50, max_bytes=30_000, max_entry_bytes=8_000)
    done, wrong = threading.Event(), []
    writers = [
        threading.Thread(target=act_at_random, args=(tier, seed, wrong)) for seed in range(8)
    ]
    watcher = threading.Thread(target=watch_bounds, args=(tier, done, wrong))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in [watcher, *writers]:
            thread.start()
        for thread in writers:
            thread.join()
    finally:
        done.set()
        watcher.join()
        sys.setswitchinterval(interval)
    assert not wrong
    check_consistent(tier)
    assert all(entry.held[0] == key for key, entry in tier.entries.items())


# one key to a stripe, so that the model need not know of stripes
BY_STRIPE = {hash(key) % STRIPES: key for key in map("key{}".format, range(40))}
KEYS = st.sampled_from(sorted(BY_STRIPE.values())[:12])
SIZES = st.sampled_from([0, 50, 51, 400, 700, 1200])
LIVES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 5.0, FOREVER])


class MemoryTierModel(RuleBasedStateMachine):
    """A tier holds what was last written, or nothing; and never more than its bounds allow."""

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)),
        max_entries=st.integers(1, 8),
        max_bytes=st.integers(300, 5000),
        in_parts=st.booleans(),
    )
    def begin_empty(self, policy, max_entries, max_bytes, in_parts):
        self.clock = Clock()
        self.bounds = (max_entries, max_bytes, 1500)
        self.tier = make_tier(
            self.clock,
            policy=policy,
            max_entries=max_entries,
            max_bytes=max_bytes,
            max_entry_bytes=1500,
        )
        if in_parts:
            self.tier._hold_in(Shards(4))
        self.shelves = [Shelf(head, most) for head, most in (("", 20), ("key1", 2))]
        for shelf in self.shelves:
            self.tier.serve(shelf)
            shelf.open(self.tier.entries, by_name=True)
        self.written: dict[str, tuple[int, float]] = {}  # by key: value and deadline
        self.tickets: dict[str, tuple[int, bool]] = {}  # by key: ticket, whether a write's
        self.valid: set[str] = set()  # keys whose ticket must be valid
        self.count = 0

    def lived(self, key):
        return key in self.tier.entries and self.tier.entries[key].deadline > self.clock.now

    def wrote(self, key, held_now, deadline):
        self.valid.discard(key)
        self.written[key] = (self.count, deadline)
        if not held_now:
            assert key not in self.tier.entries

    def next_copy(self, size):
        self.count += 1
        return make_copy(self.count, size)

    def fits(self, key, size, deadline):
        size = Entry(key, make_copy(None, size), deadline).size
        return size <= min(self.bounds[1:]) and deadline > self.clock.now

    @rule(key=KEYS, size=SIZES, life=LIVES, how=st.sampled_from(["any", "missing", "same"]))
    def put(self, key, size, life, how):
        fresh = self.lived(key)
        entry = self.tier.entries.get(key)
        expect = {"any": None, "missing": MISSING, "same": entry or MISSING}[how]
        allowed = {"any": True, "missing": not fresh, "same": fresh or entry is None}[how]
        copy, deadline = self.next_copy(size), self.clock.now + life
        assert self.tier.put(key, copy, deadline, expect=expect) == allowed
        if allowed:
            self.wrote(key, self.fits(key, size, deadline), deadline)
            assert (key in self.tier.entries) == self.fits(key, size, deadline)

    @rule(key=KEYS, write=st.booleans())
    def take_ticket(self, key, write):
        ticket = self.tier.begin(key) if write else self.tier.ticket(key)
        self.tickets[key] = (ticket, write)
        self.valid.add(key)

    @rule(key=KEYS, size=SIZES, life=LIVES)
    def use_ticket(self, key, size, life):
        if key not in self.tickets:
            return
        ticket, write = self.tickets.pop(key)
        valid = key in self.valid
        self.valid.discard(key)
        copy, deadline = self.next_copy(size), self.clock.now + life
        fits = self.fits(key, size, deadline)
        use = self.tier.finish if write else self.tier.install
        before = self.tier.entries.get(key)
        assert use(key, copy, deadline, ticket) == (valid and fits)
        if valid:
            self.wrote(key, fits, deadline)
        elif write:
            assert key not in self.tier.entries
        else:
            assert self.tier.entries.get(key) is before

    @rule(key=KEYS)
    def invalidate(self, key):
        assert self.lived(key) == self.tier.invalidate(key)
        self.valid.discard(key)
        assert key not in self.tier.entries

    @rule(keys=st.sets(KEYS))
    def invalidate_many(self, keys):
        self.tier.invalidate_many(keys)
        self.valid -= keys
        assert not keys & set(self.tier.entries)

    @rule(keys=st.sets(KEYS))
    def invalidate_where(self, keys):
        fresh = sum(self.lived(key) for key in keys)
        kept = set(self.tier.entries) - keys
        assert self.tier.invalidate_where(keys.__contains__) == fresh
        self.valid.clear()
        assert set(self.tier.entries) == kept

    @rule(fork=st.booleans())
    def invalidate_all(self, fork):
        if fork:
            self.tier.reset_after_fork()
            for shelf in self.shelves:
                shelf.begin()
                shelf.open(self.tier.entries, by_name=True)
        else:
            self.tier.invalidate_all()
        self.valid.clear()
        assert not self.tier.entries

    @rule(key=KEYS)
    def read(self, key):
        entry = self.tier.fresh(key)
        assert (entry is not None) == self.lived(key)

    @rule(key=KEYS)
    def learn(self, key):
        entry = self.tier.entries.get(key)
        for shelf in self.shelves:
            if entry is not None and key.startswith(shelf.head):
                shelf.learn(shelf.names, key.removeprefix(shelf.head), entry)

    @rule(key=KEYS, size=SIZES)
    def recast(self, key, size):
        entry = self.tier.entries.get(key)
        if entry is None:
            return
        copy = make_copy(entry.held, size)
        more = Entry(key, copy, FOREVER).size - entry.size
        room = self.tier.bytes + more <= self.bounds[1] and entry.size + more <= self.bounds[2]
        kept = set(self.tier.entries)
        assert self.tier.recast(entry, copy) == room
        assert set(self.tier.entries) == kept
        assert (entry.deadline == DEAD) == room

    @rule(key=KEYS, life=LIVES)
    def retime(self, key, life):
        fresh, deadline = self.lived(key), self.clock.now + life
        assert self.tier.retime(key, deadline) == fresh
        if fresh:
            self.valid.discard(key)
            self.written[key] = (self.written[key][0], deadline)
            assert (key in self.tier.entries) == (life > 0)

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule(limit=st.integers(0, 12))
    def sweep(self, limit):
        expired = {key for key in self.tier.entries if not self.lived(key)}
        kept = set(self.tier.entries) - expired
        dropped = self.tier.sweep(limit)
        assert dropped <= min(limit, len(expired))
        if limit >= len(kept) + len(expired):
            assert dropped == len(expired)
        assert kept <= set(self.tier.entries)

    @invariant()
    def holds_what_was_last_written(self):
        for key, entry in getattr(self, "tier", make_tier()).entries.items():
            assert (entry.held, entry.deadline) == self.written[key]

    @invariant()
    def names_stand_for_what_is_held(self):
        for shelf in getattr(self, "shelves", ()):
            for name, entry in shelf.names.items():
                assert self.tier.entries[shelf.head + name] is entry

    @invariant()
    def keeps_its_bounds_and_its_books(self):
        if hasattr(self, "tier"):
            assert len(self.tier) <= self.bounds[0]
            assert self.tier.bytes <= self.bounds[1]
            check_consistent(self.tier)


MemoryTierModel.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
TestMemoryTierModel = MemoryTierModel.TestCase
