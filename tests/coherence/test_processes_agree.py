"""Real processes on a real server: what each read is held against what all had written.

The long form, with figures, is `python -m benchmarks.coherence`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.coherence_history import (
    KeyHistory,
    Team,
    disagreements,
    event_times,
    judge,
    pause_until,
)
from benchmarks.coherence_workers import Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

PROCESSES = 4
SECONDS = 3.0
SEED = 3
BOUND_MS = 250.0
"""What the delivery of a message may take where the machine does other things as well."""

PATIENT = 5.0
"""TIME_BUDGET where the server is well: a pause of the machine must not look like an outage."""


def truth_of(server: Valkey) -> Callable[[str], int | None]:
    def truth(key: str) -> int | None:
        raw = server.client.get(f"coherence:1:{key}")
        return None if raw is None else int(raw)

    return truth


def churning(server: Valkey, **options: Any) -> Team:
    options = {"seconds": SECONDS, "seed": SEED, "budget": PATIENT} | options
    return Team(f"{server.url}/0", ["churn"] * PROCESSES, **options)


def test_no_read_is_older_than_delivery_takes(own_valkey: Callable[..., Valkey]) -> None:
    """Nobody reads what was replaced by a write acknowledged longer ago than the bound."""
    server = own_valkey()
    with churning(server) as team:
        team.go()
        seen = team.finish()
    verdict = judge(seen, BOUND_MS)
    print(verdict)
    assert verdict.checked > 1000
    assert verdict.beyond == []
    assert verdict.own == []
    assert disagreements(seen, truth_of(server)) == []
    assert all(not one.errors for one in seen)


def test_nor_is_it_while_subscribers_are_killed(own_valkey: Callable[..., Valkey]) -> None:
    """Losing the subscription twice a second costs hits, and makes no read older."""
    server = own_valkey()
    with churning(server) as team:
        team.go()
        begun = time.monotonic()
        for round_ in range(1, int(SECONDS / 0.5)):
            pause_until(begun + round_ * 0.5)
            server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        seen = team.finish()
    verdict = judge(seen, BOUND_MS)
    print(verdict)
    assert all(len(event_times(one, "tiercache.backplane.lost")) > 3 for one in seen)
    assert verdict.checked > 1000
    assert verdict.beyond == []
    assert verdict.own == []
    assert disagreements(seen, truth_of(server)) == []


def test_all_agree_after_the_server_was_killed(own_valkey: Callable[..., Valkey]) -> None:
    """It comes back empty; once all are healed, each node says about each key what Redis says."""
    server = own_valkey()
    with churning(server, budget=0.5) as team:
        team.go()
        begun = time.monotonic()
        pause_until(begun + SECONDS / 3)
        killed = time.monotonic_ns()
        server.kill()
        pause_until(begun + SECONDS / 2)
        server.start()
        seen = team.finish()
    back = [event_times(one, "tiercache.redis.back", killed) for one in seen]
    joined = [event_times(one, "tiercache.backplane.joined", killed) for one in seen]
    assert all(back)
    assert all(joined)
    assert disagreements(seen, truth_of(server)) == []
    before = judge(seen, BOUND_MS, counts=lambda _, end: end < killed)
    healed = max(at[-1] for at in back + joined)
    after = judge(seen, BOUND_MS, counts=lambda begin, _: begin > healed, emptied=True)
    for verdict in (before, after):
        print(verdict)
        assert verdict.checked > 100
        assert verdict.beyond == []


# The judge itself


def history() -> KeyHistory:
    """1 is written, then 2, then 3 while the key is removed."""
    return KeyHistory([("k", 1, 10, 20), ("k", 2, 30, 40), ("k", 3, 50, 70), ("k", None, 60, 65)])


def test_a_replaced_value_is_stale_from_the_end_of_the_write_that_replaced_it() -> None:
    """A write that overlaps with another has not replaced it."""
    past = history()
    assert past.replaced(past.written(1, end=45)) == 40
    assert past.replaced(past.written(2, end=80)) == 65
    assert past.replaced(past.written(3, end=90)) == float("inf")
    assert past.replaced(past.written(None, end=90)) == float("inf")
    assert past.replaced(past.written(None, end=59)) == 20


def test_the_judge_sees_what_is_wrong() -> None:
    """A stale read, one of a value from nowhere, and one that forgot an own write."""
    ms = 1_000_000
    writer = Seen(writes=[("key0", 1, 0, ms), ("key0", 2, 2 * ms, 3 * ms)])
    reader = Seen(reads=[("key0", 1, 4 * ms, 5 * ms)])
    assert judge([writer, reader], 2.0).stale == [1.0]
    assert judge([writer, reader], 2.0).beyond == []
    assert len(judge([writer, reader], 0.5).beyond) == 1
    assert len(judge([writer, Seen(reads=[("key0", 9, 4 * ms, 5 * ms)])], 100).beyond) == 1
    forgetful = Seen(writes=writer.writes, reads=reader.reads)
    assert len(judge([forgetful], 100).own) == 1
