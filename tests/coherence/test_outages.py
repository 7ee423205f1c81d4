"""Every order of operations, an outage and the healing after it: nothing is lost, nothing returns.

The claims, at every moment: a node answers with its own write until it has healed; no read finds
what its node had replaced before; what a trusting node holds is what Redis has and ends no later;
Redis never holds again what a change had replaced that has been made good; nothing is raised. And
at the end, when Redis is back, all have healed and all messages are delivered: no node reads what
was replaced anywhere. With any one of the guards taken out it finds an order that breaks a claim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercache import healing
from tiercache.entry import Copy
from tiercache.exceptions import RedisAway
from tiercache.health import Health
from tiercache.journal import Journal
from tiercache.memory import MemoryTier
from tiercache.steps import Flow, Probe, Read, Remove, Step

from . import outage_model
from .exploration import Run, explore, replay
from .outage_model import FAULTS, OutageNode
from .outages import Plan
from .promises import OPERATIONS

CHANGE_AND_MORE = [
    ("set", "get"),
    ("delete", "get"),
    ("delete", "set"),
    ("touch", "set"),
    ("incr", "set_many"),
    ("add", "delete"),
    ("rename", "get"),
    ("clear", "set"),
]


def kept(plan: Plan) -> None:
    """Fail with the first order of the plan that breaks a promise."""
    violation = explore(plan).violation
    assert violation is None, f"exploration.replay({plan}, {violation[0]}): {violation[1]}"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_one_operation(name: str, fault: str) -> None:
    """Before, during or after an outage, while the subscription is lost and found again."""
    kept(Plan(((0, name),), fault, deaf=(0,)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_operation_while_time_passes(name: str) -> None:
    """Values end in an outage as they do otherwise, and servers fail again."""
    kept(Plan(((0, name),), "unheard", ages=True, heals=2, falls=2))


@pytest.mark.parametrize("names", CHANGE_AND_MORE, ids=" + ".join)
def test_two_threads_of_one_node(names: tuple[str, str]) -> None:
    """Two operations and the healing of one node, in every order of their steps."""
    kept(Plan(((0, names[0]), (0, names[1])), "lost"))


@pytest.mark.parametrize("name", ["delete", "get"])
def test_a_journal_that_overflows(name: str) -> None:
    """Where single keys are not told apart any more, everything is made good."""
    kept(Plan(((0, "set_many"), (0, name)), "lost", journal=1))


def test_a_read_to_add_in_python_fails() -> None:
    """What was read to be changed, and could not be, is made good as a change is."""
    kept(Plan(((0, "get"), (0, "incr")), "lost", start="no integer"))


@pytest.mark.parametrize("names", CHANGE_AND_MORE[:4], ids=" + ".join)
def test_a_node_that_is_cut_off_and_one_that_is_not(names: tuple[str, str]) -> None:
    """One node's outage is over for the others as well when it has healed."""
    kept(Plan(((0, names[0]), (1, names[1])), "unheard", away=(0,)))


@pytest.mark.parametrize("names", [("delete", "get"), ("set", "delete")], ids=" + ".join)
def test_an_outage_of_two_nodes(names: tuple[str, str]) -> None:
    """Each heals by itself, with the other's operation anywhere in between."""
    kept(Plan(((0, names[0]), (1, names[1])), "lost"))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_many_operations_on_three_nodes(data: st.DataObject) -> None:
    """Nor is a promise broken by more operations, outages and losses than can be explored."""
    operation = st.tuples(st.integers(0, 2), st.sampled_from(sorted(OPERATIONS)))
    plan = Plan(
        tuple(data.draw(st.lists(operation, min_size=3, max_size=7))),
        fault=data.draw(st.sampled_from(sorted(FAULTS))),
        away=data.draw(st.sampled_from([None, (0,), (1, 2)])),
        deaf=(0, 1, 2),
        start=data.draw(st.sampled_from(["in memories", "no integer", "nothing"])),
        heals=3,
        falls=2,
        ages=True,
        nodes=3,
    )
    run = replay(plan, [])
    while events := run.events():
        run.do(data.draw(st.sampled_from(events)))
        assert run.wrong() == []
    assert run.finish() == []


def test_an_order_can_be_seen_again() -> None:
    """The events that a violation is told by lead to the same state each time."""
    plan = Plan(((0, "set"), (1, "delete")), "late")
    path = []
    run = replay(plan, path)
    while events := run.events():
        path.append(events[len(path) % len(events)])
        run.do(path[-1])
    assert replay(plan, path).state() == run.state()


class TestTeeth:
    """With a guard taken out the exploration finds what goes wrong."""

    DELETE = Plan(((0, "delete"),), "lost")
    SET = Plan(((0, "set"),), "lost")
    DELETE_AND_GET = Plan(((0, "delete"), (0, "get")), "lost")

    @pytest.fixture(autouse=True)
    def patched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch.setattr

    @staticmethod
    def breaks(make: Callable[[], Run]) -> bool:
        return explore(make).violation is not None

    def test_a_write_that_failed_is_not_journaled(self) -> None:
        """What Redis may hold against it would be read again."""
        original = Health.failed

        def failed(self: Health, step: Step, away: RedisAway) -> None:
            note, self.journal.note = self.journal.note, lambda *_: None
            original(self, step, away)
            self.journal.note = note

        self.patch(Health, "failed", failed)
        assert self.breaks(self.DELETE)

    def test_a_write_that_was_refused_is_not_journaled(self) -> None:
        """Nor is what Redis was not even asked."""
        self.patch(Health, "_journaled", lambda self, step: self.writes.open)
        assert self.breaks(Plan(((0, "get_many"), (0, "delete")), "refused"))

    def test_a_read_that_is_to_be_changed_counts_as_a_read(self) -> None:
        """Its node would add to a copy of which Redis never hears."""
        self.patch(Read, "writes", False)
        assert self.breaks(Plan(((0, "get"), (0, "incr")), "lost", start="no integer"))

    def test_a_key_that_waits_is_read_from_redis(self) -> None:
        """While reads go on, what was changed meanwhile is answered from memory alone."""
        original = Health.refuses

        def refuses(self: Health, step: Step) -> bool:
            return original(self, step) if step.writes else self.reads.open

        self.patch(Health, "refuses", refuses)
        assert self.breaks(self.DELETE_AND_GET)

    def test_the_healing_removes_nothing(self) -> None:
        """What was deleted in the outage would be back at its end."""

        def make_good(health: Health) -> Flow[None]:
            keys, pattern = health.to_make_good(1)
            health.made_good(keys, pattern)
            yield from ()

        self.patch(healing, "_make_good", make_good)
        assert self.breaks(self.DELETE)

    def test_the_breaker_is_closed_before_the_healing(self) -> None:
        """In between, what is to be removed would be read, and kept: own messages are not heard."""

        def heal(
            health: Health, memory: MemoryTier, probe_key: str, subscribe: Callable[[], None]
        ) -> Flow[None]:
            keys, _ = health.to_make_good(9)
            try:
                for _ in range(healing.PROBES):
                    yield Probe(probe_key)
                health.made_good(keys)
                health.recovered(memory.invalidate_all)
                if keys:
                    yield Remove(keys)
            except RedisAway:
                pass

        self.patch(outage_model, "heal", heal)
        assert self.breaks(self.DELETE_AND_GET)

    def test_the_healing_does_not_ask_first(self) -> None:
        """What a frozen server had not read yet would be carried out after its removal."""
        self.patch(healing, "PROBES", 0)
        assert self.breaks(Plan(((0, "set"), (0, "delete")), "late"))

    def test_copies_stay_when_redis_is_trusted_again(self) -> None:
        """They are of values that the healing has removed."""
        original = Health.recovered

        def recovered(self: Health, drop_copies: Callable[[], None]) -> bool:
            return original(self, lambda: None)

        self.patch(Health, "recovered", recovered)
        assert self.breaks(self.SET)

    def test_a_key_noted_again_while_it_is_made_good_is_forgotten(self) -> None:
        """What was removed before another node wrote it is not what was deleted here since."""

        def forget(self: Journal, keys: Any = (), pattern: str | None = None) -> None:
            for key in keys:
                self._keys.pop(key, None)
            self._patterns.pop(pattern, None)

        self.patch(Journal, "forget", forget)
        plan = Plan(((0, "delete"), (1, "set"), (0, "delete")), "lost", away=(0,))
        # There are many orders; these begin with a delete that fails, and a healer about to remove.
        failed = [("step", 0)] * 2 + [("fall",)] + [("step", 0)] * 3
        assert self.breaks(lambda: replay(plan, [*failed, ("return",), *[("heal", 0)] * 3]))

    def test_a_new_subscription_drops_what_only_this_node_knows(self) -> None:
        """A node's own write would be gone before it has healed."""
        self.patch(OutageNode, "_is_own", lambda self, key: False)
        assert self.breaks(Plan(((0, "set"),), "lost", deaf=(0,)))

    def test_a_write_that_failed_puts_its_copy_in_after_the_healing(self) -> None:
        """The copy would be of a value that Redis never had, or not any more."""
        original = MemoryTier.put

        def put(
            self: MemoryTier, key: str, copy: Copy, deadline: float, *, expect: Any = None, **_: Any
        ) -> bool:
            return original(self, key, copy, deadline, expect=expect)

        self.patch(MemoryTier, "put", put)
        assert self.breaks(self.SET)

    def test_a_touch_that_failed_gives_time_after_the_healing(self) -> None:
        """The copy would be of another value, and outlive it."""
        original = MemoryTier.retime

        def retime(self: MemoryTier, key: str, deadline: float, **_: Any) -> bool:
            return original(self, key, deadline)

        self.patch(MemoryTier, "retime", retime)
        assert self.breaks(Plan(((0, "set"), (0, "touch")), "lost"))
