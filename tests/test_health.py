"""When Redis is asked, and that it is trusted again only after everything has been made good."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tiercache.breaker import FIRST_PROBE, LONGEST_PAUSE, PATIENCE
from tiercache.codec import pickle_codec
from tiercache.drivers import drive
from tiercache.exceptions import RedisAway
from tiercache.healing import heal
from tiercache.health import Health
from tiercache.memory import MemoryTier
from tiercache.node import Node
from tiercache.options import Options
from tiercache.steps import Peek, Read, Remove, Scan, ScanToRemove, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiercache.steps import Step


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Patient:
    """A `Health` with a clock in hand, and what it said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.health = Health(self.clock, self.said.append)
        self.health.journal.namespaces.add("ns:*")


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def health(patient: Patient) -> Health:
    return patient.health


def write(*keys: str) -> Step:
    return Store(tuple((key, b"1") for key in keys), None)


def read(*keys: str) -> Step:
    return Read(keys)


UNCERTAIN, CERTAIN, WRITES_ONLY = RedisAway("closed"), RedisAway("refused"), RedisAway("full")


def test_a_healthy_redis_is_asked_for_everything(health: Health) -> None:
    """And nothing is journaled."""
    for step in (read("a"), write("a"), Scan(0, "ns:*", 10), Peek(("a",)), Remove(("a",))):
        assert not health.refuses(step)
        health.succeeded(step)
    assert (health.state, health.reason, health.next_probe()) == ("up", "", None)
    assert not health.journal
    assert not health.probe_due(1e9)


def test_a_failed_write_opens_at_once_and_is_journaled(patient: Patient, health: Health) -> None:
    """One lost connection is enough: it may have been carried out, and nobody knows."""
    health.failed(write("a", "b"), UNCERTAIN)
    assert health.state == "read-only"
    assert health.reason == "closed"
    assert health.journal.some_keys(9) == ("a", "b")
    assert patient.said == ["read-only"]


def test_a_closed_breaker_means_that_nothing_waits(health: Health) -> None:
    """Seen from another thread at any moment, the journal and the breaker change together."""
    seen: list[bool] = []
    note = health.journal.note

    def watched(*args: Any) -> None:
        seen.append(health._lock.locked())
        note(*args)

    health.journal.note = watched
    health.failed(write("a"), UNCERTAIN)
    health.refuses(write("b"))
    assert seen == [True, True]


def test_reads_are_served_while_writes_are_refused(health: Health) -> None:
    """A full server serves reads, but not of what was changed meanwhile."""
    health.failed(write("a"), WRITES_ONLY)
    assert health.state == "read-only"
    assert health.refuses(write("c"))
    assert health.refuses(read("a"))
    assert health.refuses(read("x", "a"))
    assert health.refuses(Peek(("c",)))
    assert not health.refuses(read("x"))
    assert not health.refuses(Scan(0, "ns:*", 10))


def test_a_refused_write_is_journaled(health: Health) -> None:
    """Its keys, or the pattern of what was to be removed."""
    health.failed(write("a"), WRITES_ONLY)
    assert health.refuses(Remove(("b", "c")))
    assert health.journal.some_keys(9) == ("a", "b", "c")
    assert not health.refuses(read("d"))
    assert health.refuses(ScanToRemove(0, "ns:x*", 10))
    assert health.journal.a_pattern() == "ns:x*"
    assert health.refuses(read("d"))


def test_a_refused_read_is_not_journaled(health: Health) -> None:
    """It has changed nothing."""
    health.failed(read("a"), CERTAIN)
    assert health.refuses(read("a"))
    assert not health.journal


@pytest.mark.parametrize(
    "failure", [UNCERTAIN, RedisAway("connections")], ids=lambda away: away.kind
)
def test_reads_that_fail_by_chance_have_to_fail_twice(health: Health, failure: RedisAway) -> None:
    """One lost connection is no outage; a read that was served in between forgives it."""
    for _ in range(PATIENCE - 1):
        health.failed(read("a"), failure)
    assert health.state == "up"
    health.succeeded(read("a"))
    for _ in range(PATIENCE - 1):
        health.failed(read("a"), failure)
    assert health.state == "up"
    health.failed(read("a"), failure)
    assert health.state == "away"


@pytest.mark.parametrize("kind", sorted(RedisAway.CERTAIN))
def test_reads_that_fail_for_certain_fail_once(health: Health, kind: str) -> None:
    """Nobody listens, or nobody is let in."""
    health.failed(read("a"), RedisAway(kind))
    assert (health.state, health.reason) == ("away", kind)


@pytest.mark.parametrize("kind", sorted(RedisAway.WRITES_ONLY))
def test_refused_writes_say_nothing_about_reads(health: Health, kind: str) -> None:
    """However many there are."""
    for _ in range(10):
        health.failed(write("a"), RedisAway(kind))
    assert health.state == "read-only"


def test_failed_writes_count_for_reads_too(health: Health) -> None:
    """A server that answers no writes in time answers no reads in time either."""
    for _ in range(PATIENCE):
        health.failed(write("a"), UNCERTAIN)
    assert health.state == "away"


def test_each_change_of_state_is_said_once(patient: Patient, health: Health) -> None:
    """A repeated failure is no news."""
    for _ in range(5):
        health.failed(write("a"), WRITES_ONLY)
    for _ in range(5):
        health.failed(read("a"), CERTAIN)
    health.made_good(health.to_make_good(1)[0])
    assert health.recovered(lambda: None)
    assert patient.said == ["read-only", "away", "up"]


def test_news_is_told_outside_the_lock(patient: Patient) -> None:
    """Whoever logs it may take as long as he likes, or ask the health itself."""
    asked: list[Any] = []
    health = Health(patient.clock, lambda _: asked.append(health.refuses(write("b"))))
    health.failed(write("a"), UNCERTAIN)
    assert asked == [True]


def test_it_does_not_recover_while_anything_is_journaled(patient: Patient, health: Health) -> None:
    """Neither closed nor dropped, until the last key and the last pattern are made good."""
    health.failed(write("a"), WRITES_ONLY)
    health.refuses(ScanToRemove(0, "ns:x*", 10))
    dropped: list[bool] = []

    def drop() -> None:
        dropped.append(health.writes.open)

    assert not health.recovered(drop)
    health.made_good(health.to_make_good(1)[0])
    assert not health.recovered(drop)
    assert health.state == "read-only"
    health.made_good(pattern=health.to_make_good(1)[1])
    assert health.recovered(drop)
    assert health.state == "up"
    # Copies went first, and in the same step.
    assert dropped == [True]
    assert patient.said[-1] == "up"


def test_a_key_changed_again_while_it_is_made_good_stays_journaled(health: Health) -> None:
    """What came after its removal was sent is not made good by that removal."""
    health.failed(write("a", "b"), WRITES_ONLY)
    keys, _ = health.to_make_good(9)
    health.refuses(Remove(("a",)))
    health.made_good(keys)
    assert "a" in health.journal
    assert not health.recovered(lambda: None)


def test_probes_are_put_off_as_they_fail(patient: Patient, health: Health) -> None:
    """The first is due soon, further ones ever later, up to a bound."""
    health.failed(write("a"), UNCERTAIN)
    assert health.next_probe() == pytest.approx(patient.clock.now + FIRST_PROBE)
    assert not health.probe_due(patient.clock.now)
    assert health.probe_due(patient.clock.now + FIRST_PROBE)
    for _ in range(12):
        patient.clock.now = health.next_probe()
        assert health.probe_due(patient.clock.now)
        health.probe_failed()
        assert not health.probe_due(patient.clock.now)
        assert health.next_probe() <= patient.clock.now + LONGEST_PAUSE
    assert health.next_probe() - patient.clock.now >= LONGEST_PAUSE / 2


# Healing


class Server:
    """Answers the steps of a healer from a dictionary."""

    def __init__(self, **values: int) -> None:
        self.values = values
        self.asked: list[Step] = []
        self.fails = 0

    def ask(self, step: Step) -> Any:
        self.asked.append(step)
        if self.fails:
            self.fails -= 1
            raise RedisAway("timeout")
        if isinstance(step, Remove):
            return sum(self.values.pop(key, None) is not None for key in step.keys)
        if isinstance(step, Scan):
            return 0, list(self.values)
        return True


def tier() -> MemoryTier:
    return MemoryTier(max_entries=100, max_bytes=10**6, max_entry_bytes=10**6)


def healed_by(
    ask: Callable[[Step], Any],
    health: Health,
    memory: MemoryTier,
    subscribe: Callable[[], None] = lambda: None,
) -> None:
    """Heal, with the steps carried out by `ask`."""
    drive(heal(health, memory, "probe", subscribe), lambda step, _: ask(step), 1)


def test_healing_removes_what_is_journaled_and_nothing_else(health: Health) -> None:
    """Keys and patterns; then the breaker is closed."""
    server = Server(a=1, b=2, other=3)
    health.failed(write("a"), WRITES_ONLY)
    health.refuses(ScanToRemove(0, "b*", 10))
    healed_by(server.ask, health, tier())
    assert server.values == {"other": 3}
    assert health.state == "up"


def test_healing_that_fails_halfway_goes_on_later(patient: Patient, health: Health) -> None:
    """Nothing is forgotten, the breaker stays open, the next probe is put off."""
    server = Server(a=1)
    health.failed(write("a"), WRITES_ONLY)
    memory = tier()
    for asked in range(1, 4):
        server.asked.clear()
        answered = asked - 1

        def ask(step: Step, answered: int = answered) -> Any:
            if len(server.asked) == answered:
                server.asked.append(step)
                raise RedisAway("closed")
            return server.ask(step)

        patient.clock.now = health.next_probe()
        healed_by(ask, health, memory)
        assert health.state == "read-only"
        assert "a" in health.journal
        assert health.next_probe() > patient.clock.now
    healed_by(server.ask, health, memory)
    assert (health.state, server.values) == ("up", {})


def test_an_error_that_is_no_outage_puts_the_next_probe_off_too(
    patient: Patient, health: Health
) -> None:
    """Or the keeper would go round and round."""
    health.failed(write("a"), WRITES_ONLY)
    patient.clock.now = health.next_probe()

    def ask(_: Step) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        healed_by(ask, health, tier())
    assert health.next_probe() > patient.clock.now


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_writers_and_a_healer_never_leave_a_key_behind_a_closed_breaker() -> None:
    """Whenever the breaker is closed, seen under the lock, the journal is empty."""
    health = Health(Clock(), lambda _: None)
    health.journal.namespaces.add("ns:*")
    memory, server = tier(), Server()
    done = threading.Event()
    broken: list[str] = []

    def writer(name: int) -> None:
        for number in range(300):
            step = write(f"{name}:{number}")
            if not health.refuses(step) and number % 3 == 0:
                health.failed(step, WRITES_ONLY)
            with health._lock:
                if not health.writes.open and health.journal:
                    broken.append(f"{len(health.journal)} keys")

    def healer() -> int:
        healed = 0
        while not done.is_set() or health.state != "up":
            if health.state != "up":
                healed_by(server.ask, health, memory)
                healed += 1
        return healed

    with ThreadPoolExecutor(5) as threads:
        healing = threads.submit(healer)
        writers = [threads.submit(writer, name) for name in range(4)]
        try:
            for each in writers:
                each.result(timeout=30)
        finally:
            done.set()
        assert healing.result(timeout=30) > 1
    assert broken == []
    assert not health.journal
    assert health.state == "up"


def test_the_healer_reads_the_journal_under_its_lock(health: Health) -> None:
    """Or a writer that journals meanwhile would change the dictionary that is being walked."""
    health.failed(write("a", "b"), WRITES_ONLY)
    locked: list[bool] = []
    some_keys, a_pattern = health.journal.some_keys, health.journal.a_pattern

    def watched_keys(most: int) -> Any:
        locked.append(health._lock.locked())
        return some_keys(most)

    def watched_pattern() -> Any:
        locked.append(health._lock.locked())
        return a_pattern()

    health.journal.some_keys = watched_keys
    health.journal.a_pattern = watched_pattern
    healed_by(Server().ask, health, tier())
    assert locked
    assert all(locked)


@pytest.mark.parametrize(
    ("kind", "silent"), [("timeout", True), ("refused", False), ("auth", False), ("full", False)]
)
def test_a_server_that_was_silent_is_subscribed_to_anew(
    health: Health, kind: str, *, silent: bool
) -> None:
    """Its silence may be that of the subscription as well; before anything is trusted again."""
    states: list[str] = []
    health.failed(write("a"), RedisAway(kind))
    healed_by(Server().ask, health, tier(), lambda: states.append(health.state))
    assert states == (["away"] if silent else [])
    assert health.state == "up"


# What a node makes of it


def test_late_news_do_not_open_the_strict_shelf() -> None:
    """News told late by a thread that was held up must not undo what came after them."""
    node = Node("redis://nowhere", Options(), pickle_codec(), lambda: None)
    node.health.failed(write("a"), CERTAIN)
    assert node.shelves.strict.entries is not node.memory.entries
    # "up" of a recovery before, told only now.
    node._state_changed("up")
    assert node.health.state == "away"
    assert node.shelves.strict.entries is not node.memory.entries
