"""Real processes ask for one cold key: one load in the cluster, whatever becomes of the leader.

The long form, with figures, is `python -m benchmarks.loading`.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.loading_workers import Config, crowd, loaders
from tests.support.caches import DEAD
from tests.support.waiting import eventually
from tests.test_processes import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.servers import Valkey

PROCESSES = 4
THREADS = TASKS = 40
CALLERS = PROCESSES * (THREADS + TASKS)
PATIENT = {"TIME_BUDGET": 10}
"""A pause of the machine must not look like an outage."""


def config(url: str, log: Path, **how: Any) -> Config:
    how.setdefault("options", PATIENT)
    return Config(f"{url}/0", THREADS, TASKS, str(log), **how)


def answers(got: list[Any]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in got:
        for answer, count in each.answers.items():
            total[answer] = total.get(answer, 0) + count
    return total


def test_one_load_in_all(own_valkey: Callable[..., Valkey], tmp_path: Path) -> None:
    """For threads and tasks of all processes together."""
    with crowd(PROCESSES, config(own_valkey().url, tmp_path / "log")) as workers:
        workers.go()
        got = workers.finish()
    assert answers(got) == {"value": CALLERS}
    assert len(loaders(tmp_path / "log")) == 1


def test_a_leader_that_is_killed_costs_its_lease(
    own_valkey: Callable[..., Valkey], tmp_path: Path
) -> None:
    """`kill -9` in mid-load: when its lease is over another one loads, for all that are left."""
    log, lease = tmp_path / "log", 1.0
    how = {"first": "hangs", "options": PATIENT | {"LEASE": lease}}
    with crowd(PROCESSES, config(own_valkey().url, log, **how)) as workers:
        workers.go()
        (leader,) = eventually(lambda: loaders(log), within=10)
        begun = time.monotonic()
        os.kill(leader, signal.SIGKILL)
        got = workers.finish()
        assert time.monotonic() - begun < lease + 5
    assert answers(got) == {"value": CALLERS // PROCESSES * (PROCESSES - 1)}
    assert len(got) == PROCESSES - 1
    first, second = loaders(log)
    assert first == leader != second


def test_with_redis_away_one_load_a_node(tmp_path: Path) -> None:
    """Each process loads once, for all its threads and tasks."""
    log = tmp_path / "log"
    with crowd(PROCESSES, config(DEAD, log)) as workers:
        workers.go()
        got = workers.finish()
    assert answers(got) == {"value": CALLERS}
    assert len(loaders(log)) == len(set(loaders(log))) == PROCESSES


def test_a_load_that_fails_the_first_time(
    own_valkey: Callable[..., Valkey], tmp_path: Path
) -> None:
    """Who waited on its node gets its error; the others wait for a second load, and get that."""
    log = tmp_path / "log"
    with crowd(PROCESSES, config(own_valkey().url, log, first="fails")) as workers:
        workers.go()
        got = workers.finish()
    error = repr(LookupError("the source is away"))
    told = answers(got)
    assert 1 <= told[error] <= CALLERS // PROCESSES
    assert told == {"value": CALLERS - told[error], error: told[error]}
    assert len([each for each in got if error in each.answers]) == 1
    assert len(loaders(log)) == 2


# Forks


@pytest.fixture(params=["tiered", "memory", "away"])
def url(request: pytest.FixtureRequest, valkey: Any) -> str:
    """A real server, none, and one that is away."""
    return {"tiered": valkey.url, "memory": "", "away": DEAD}[request.param]


def test_a_loader_may_fork_and_both_go_on(url: str) -> None:
    """The child as well, through the call in the midst of which it was born."""
    run(
        """
        signal.alarm(20)
        parent, status = os.getpid(), []

        def load():
            pid = os.fork()
            if pid == 0:
                return "of the child"
            status.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            return "of the parent"

        value = cache.get_or_set("key", load)
        if os.getpid() != parent:
            code = 1
            try:
                assert value == "of the child"
                assert cache.get_or_set("other", lambda: 1) == 1
                assert len(node.traffic.loads) == 0
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        assert status == [0], status
        assert value == "of the parent"
        # With a server, the first of the two to store wins.
        expected = "of the child" if cache.stats().state == "up" else "of the parent"
        assert cache.get("key") == expected, cache.get("key")
        assert len(node.traffic.loads) == 0
        """,
        url,
    )


def test_a_child_waits_for_no_flight_of_its_parent(url: str) -> None:
    """Nor for a lock that was held when it was born."""
    run(
        """
        from tiercache import runner
        begun, go = threading.Event(), threading.Event()

        def load():
            begun.set()
            go.wait(20)
            return "of the parent"

        thread = threading.Thread(target=cache.get_or_set, args=("key", load))
        thread.start()
        assert begun.wait(10)

        def work():
            signal.alarm(15)
            assert len(node.traffic) == 0
            nested = lambda: cache.get_or_set("inner", lambda: "inner", budget=10)
            assert cache.get_or_set("other", nested) == "inner"
            if cache.stats().state != "up":
                assert cache.get_or_set("key", lambda: "of the child") == "of the child"
            assert asyncio.run(cache.aget_or_set("third", lambda: 3)) == 3
            cache.set("stale", 1, 0.001, grace=60)
            eventually(lambda: cache.get("stale") is None)
            assert cache.get_or_set("stale", lambda: 2) == 1
            eventually(lambda: cache.get("stale") == 2)

        with runner._lock:
            in_child(work)
        go.set()
        thread.join()
        assert cache.get("key") == "of the parent"
        """,
        url,
    )


def test_one_event_loop_after_another(url: str) -> None:
    """Refreshes that were under way when a loop ended are begun anew on the next."""
    run(
        """
        cache.set("key", "old", 0.001, grace=60)
        eventually(lambda: cache.get("key") is None)

        async def never():
            await asyncio.Event().wait()

        async def first():
            assert await cache.aget_or_set("key", never) == "old"
            await asyncio.sleep(0.05)

        async def second():
            assert await cache.aget_or_set("key", lambda: "new") in ("old", "new")
            end = time.monotonic() + 10
            while await cache.aget_or_set("key", lambda: "new") != "new":
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

        asyncio.run(first())
        assert len(node.traffic.loads) == 0
        asyncio.run(second())
        asyncio.run(second())
        """,
        url,
        *("-X", "dev", "-W", "error"),
    )
