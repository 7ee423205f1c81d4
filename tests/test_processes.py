"""Forks, interpreter exits and event loops: nothing is inherited wrongly, nothing is left behind.

Each scene is a script in a process of its own, since a fork, an exit and a warning at an exit
concern all of a process. A script that does not end in time is a deadlock.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches

from tests.support.caches import DEAD, settings_for, unique_prefix
from tests.support.waiting import aeventually, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent

BEGIN = """
import asyncio, gc, logging, os, signal, sys, threading, time, traceback
logging.getLogger("tiercache").propagate = False
logging.getLogger("tiercache").addHandler(logging.NullHandler())
from django.conf import settings
settings.configure(CACHES={{"default": {conf!r}}})
from django.core.cache import cache, caches
node = cache._node

def eventually(condition, within=8):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)

def settle():
    # Memory is trusted once every change is heard.
    cache.get("nothing")
    eventually(lambda: cache.stats().backplane != "lost" or cache.stats().state == "away")

def in_child(work):
    # What happens in a child of a fork: 0 if all is well.
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def run(
    script: str, url: str, *flags: str, within: float = 30, **conf: Any
) -> subprocess.CompletedProcess[str]:
    """Run a script with one cache at a URL ("": memory alone), and expect it to end well."""
    conf = settings_for("memory", "", LOCATION=url and f"{url}/0", **conf)
    # A fork of a process with threads is what these tests are about.
    ignore = ("-W", "ignore:This process:DeprecationWarning")
    done = subprocess.run(
        [sys.executable, *flags, *ignore, "-c", BEGIN.format(conf=conf) + textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(params=["tiered", "memory", "away"])
def url(request: pytest.FixtureRequest, valkey: Any) -> str:
    """A real server, none, and one that is away."""
    return {"tiered": valkey.url, "memory": "", "away": DEAD}[request.param]


# Forks


def test_a_child_begins_with_nothing(url: str) -> None:
    """Empty memory, void tickets, zero errors, an id of its own; the parent keeps all it has."""
    run(
        """
        settle()
        cache.set("key", [1]), cache.set("other", 2)
        ticket, parent = node.memory.ticket("key"), node.id

        def work():
            assert node.id != parent and len(node.id) == len(parent)
            assert (len(node.memory), node.memory.bytes) == (0, 0)
            assert node.memory.ticket("key") != ticket
            assert cache.stats().journaled == 0 and not cache.stats().errors
            cache.set("mine", "child's")
            assert cache.get("mine") == "child's"

        in_child(work)
        assert node.id == parent
        assert len(node.memory) == 2
        assert cache.get("key") == [1]
        """,
        url,
    )


def test_two_children_are_two_nodes(url: str) -> None:
    """Ids made after the fork differ from each other, too."""
    run(
        """
        cache.set("key", 1)
        read, write = os.pipe()
        for _ in range(5):
            in_child(lambda: (cache.get("key"), os.write(write, node.id.encode())))
        ids = os.read(read, 1000).decode()
        assert len({ids[at : at + 16] for at in range(0, len(ids), 16)} | {node.id}) == 6
        """,
        url,
    )


def test_a_child_sweeps_by_itself(url: str) -> None:
    """The parent's thread is not in the child; it gets one of its own on first use."""
    run(
        """
        cache.set("key", 1)
        eventually(lambda: any(t.name == "tiercache" for t in threading.enumerate()))

        def work():
            assert threading.active_count() == 1
            settle()
            cache.set("short", 1, 0.2)
            assert len(node.memory) == 1
            assert "tiercache" in {t.name for t in threading.enumerate()}
            eventually(lambda: len(node.memory) == 0)

        in_child(work)
        """,
        url,
    )


def test_parent_and_child_each_have_connections_that_work(valkey: Any) -> None:
    """In turn, at the same time, and the parent's after the child has ended."""
    run(
        """
        for number in range(10):
            cache.set(f"key{number}", number)

        def work():
            for _ in range(20):
                for number in range(10):
                    assert cache.get(f"key{number}") == number
                    assert cache.touch(f"key{number}", 50)
                    node.memory.invalidate_all()

        def at_once():
            thread = threading.Thread(target=work)
            thread.start()
            return thread

        for _ in range(3):
            thread = at_once()
            in_child(work)
            thread.join()
            work()
        assert cache.stats().errors == {} and cache.stats().state == "up"
        """,
        valkey.url,
    )


def test_a_child_does_not_use_the_parents_connections(valkey: Any) -> None:
    """Two processes on one connection would get each other's answers."""
    run(
        """
        settle()
        cache.set("key", 1)
        client = cache.client.get_client()
        ours = {int(each["id"]) for each in client.client_list()}
        children = []

        def work():
            cache.set("key", 2)
            theirs = {int(each["id"]) for each in cache.client.get_client().client_list()}
            assert theirs - ours, (theirs, ours)

        in_child(work)
        assert ours <= {int(each["id"]) for each in client.client_list()} | {0}
        cache.incr("key")
        assert cache.get("key") == 3
        """,
        valkey.url,
    )


def test_a_fork_under_the_memory_tiers_lock_does_not_block_the_child(url: str) -> None:
    """Another thread of the parent held it, and is not in the child to let it go."""
    run(
        """
        cache.set("key", 1)
        locks = [node.memory._lock, node.health._lock, node._lock, node._trust_lock]
        from tiercache import background, keeper, runner, stores
        locks += [stores._lock, keeper.keeper._lock, background.background._ready, runner._lock]
        traffic = node.traffic
        locks += [each._lock for each in (traffic, traffic.reads, traffic.loads)]
        locks += [traffic.bells._lock, traffic.changes._lock]
        for lock in locks:
            held, let_go = threading.Event(), threading.Event()

            def hold():
                with lock:
                    held.set()
                    let_go.wait()

            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()

            def work():
                signal.alarm(10)
                cache.set("key", 2)
                assert cache.get("key") == 2
                cache.delete("key")
                assert cache.get_or_set("key", lambda: 3, 60, tags=("tag",)) == 3
                cache.evict_tags("tag")
                assert cache.get_or_set("key", lambda: time.sleep(0.1) or 4, budget=5) == 4
                caches.create_connection("default").get("key")
                cache.clear()
                cache.stats()
                node.health.recovered(lambda: None)

            in_child(work)
            let_go.set()
            thread.join()
        """,
        url,
    )


def test_forks_in_the_midst_of_writes_do_no_harm(url: str) -> None:
    """Whatever other threads were doing, a child's memory works, bounds and all."""
    run(
        """
        stop = threading.Event()

        def churn(name):
            number = 0
            while not stop.is_set():
                number += 1
                node.memory.put(f"{name}{number % 300}", copy, float("inf"))

        from tiercache.entry import Copy
        copy = Copy(b"x" * 100, 1, 133)
        threads = [threading.Thread(target=churn, args=(name,)) for name in "abc"]
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()

        def work():
            signal.alarm(20)
            for number in range(500):
                cache.set(f"key{number}", number)
            assert cache.get("key499") == 499
            assert len(node.memory) <= 200

        try:
            for _ in range(15):
                in_child(work)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        """,
        url,
        OPTIONS={"MAX_ENTRIES": 200},
    )


def test_a_fork_of_a_process_with_an_event_loop_leaves_the_loop_alone(valkey: Any) -> None:
    """The child has neither the loop nor its connections, and takes none away from the parent."""
    run(
        """
        async def main():
            await asyncio.gather(*(cache.aset(f"key{number}", number) for number in range(20)))

            def work():
                assert cache.get("key3") == 3
                gc.collect()
                assert cache.set("key3", 4)

            in_child(work)
            node.memory.invalidate_all()
            values = await asyncio.wait_for(
                asyncio.gather(*(cache.aget(f"key{number}") for number in range(20))), 5
            )
            assert values == [0, 1, 2, 4, *range(4, 20)], values
            assert cache.stats().errors == {}, cache.stats()

        asyncio.run(main())
        """,
        valkey.url,
    )


def test_a_child_runs_event_loops_of_its_own(url: str) -> None:
    """After a parent that ran one."""
    run(
        """
        async def main():
            await cache.aset("key", 1)
            node.memory.invalidate("other")
            assert await cache.aget("key") == 1

        asyncio.run(main())
        in_child(lambda: asyncio.run(main()))
        asyncio.run(main())
        """,
        url,
    )


# Exits

USE = """
cache.set("key", [1])
cache.get("key")

async def main():
    await cache.aset("other", 1)
    node.memory.invalidate_all()
    await cache.aget("other")

asyncio.run(main())
for _ in range(3):
    threading.Thread(target=cache.get, args=("nothing",)).start()
"""
LAST = """
print(time.time())
"""


def test_the_interpreter_ends_without_waiting(url: str) -> None:
    """Less than 2 s after its last statement, quietly."""
    done = run(USE + LAST, url)
    assert time.time() - float(done.stdout) < 2
    assert done.stderr == ""


def test_the_interpreter_ends_with_a_server_that_is_frozen(own_valkey: Callable[..., Any]) -> None:
    """Though the keeper's probe is waiting for an answer at that moment."""
    server = own_valkey()
    freeze = f"""
os.kill({server._pid}, signal.SIGSTOP)
cache.set("key", 2)
assert cache.stats().state != "up"
cache.get("nothing")
time.sleep(0.15)  # the first probe is on its way
print(time.time())
"""
    server._frozen = True
    done = run(USE + freeze, server.url, OPTIONS={"TIME_BUDGET": 3})
    assert time.time() - float(done.stdout) < 2
    assert done.stderr == ""


def test_a_cache_may_be_used_while_the_interpreter_ends(url: str) -> None:
    """For the first time even: in what runs at the exit nothing raises and nothing hangs."""
    done = run(
        """
        import atexit
        if len(sys.argv) > 5:
            cache.get("x")

        def last():
            cache.set("key", 1)
            assert cache.get("key") == 1
            print("done")

        atexit.register(last)
        """,
        url,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_nothing_is_left_open_at_the_end_of_a_loop(valkey: Any) -> None:
    """`asyncio.run` ends without an unclosed socket or transport, in development mode."""
    done = run(
        """
        async def main():
            await asyncio.gather(*(cache.aset(f"key{number}", number) for number in range(30)))
            node.memory.invalidate_all()
            await asyncio.gather(*(cache.aget(f"key{number}") for number in range(30)))

        for _ in range(3):
            asyncio.run(main())
            gc.collect()
        """,
        valkey.url,
        "-X",
        "dev",
        "-W",
        "error",
    )
    assert done.stderr == ""


def test_tasks_cancelled_by_the_end_of_a_loop_leave_nothing_open(
    valkey: Any, proxied: Callable[..., Any]
) -> None:
    """Those that were waiting for an answer included."""
    proxy = proxied(valkey)
    proxy.blackhole("replies")
    done = run(
        """
        async def main():
            for number in range(10):
                asyncio.get_running_loop().create_task(cache.aget(f"key{number}"))
            await asyncio.sleep(0.05)

        asyncio.run(main())
        gc.collect()
        """,
        proxy.url,
        *("-X", "dev", "-W", "error"),
        OPTIONS={"TIME_BUDGET": 5},
    )
    assert done.stderr == ""


# Event loops


async def fill(cache: Any, times: int) -> list[Any]:
    for number in range(times):
        await cache.aset(f"key{number}", [number])
    cache._node.memory.invalidate_all()
    return await asyncio.gather(*(cache.aget(f"key{number}") for number in range(times)))


def test_one_loop_after_the_other(cache: Any, tiers: str) -> None:
    """A client belongs to one loop; the next gets one of its own, and old ones are let go."""
    for _ in range(5):
        found = asyncio.run(fill(cache, 5))
        assert found == ([None] * 5 if tiers != "tiered" else [[number] for number in range(5)])
    assert len(cache._node.passage._aremotes) <= 1
    assert cache.stats().state != "read-only"


def test_two_loops_at_the_same_time(make_cache: Any) -> None:
    """In two threads, each with its own connections, on one memory tier."""
    cache = make_cache()
    barrier = threading.Barrier(2)
    errors: list[BaseException] = []

    async def work(name: str) -> None:
        mine = caches["default"]
        barrier.wait(10)
        for number in range(100):
            await mine.aset(f"{name}{number}", number)
            cache._node.memory.invalidate(mine.make_key(f"{name}{number}"))
            assert await mine.aget(f"{name}{number}") == number

    def thread(name: str) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as exc:  # noqa: BLE001 - shown in the main thread
            errors.append(exc)

    threads = [threading.Thread(target=thread, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert errors == []
    assert cache.stats().errors == {}


@pytest.mark.parametrize("call", ["aset", "aset_many", "aadd", "adelete", "atouch", "aincr"])
async def test_a_cancelled_change_drops_the_copy(
    make_caches: Any, valkey: Any, proxied: Callable[..., Any], call: str
) -> None:
    """Nobody knows what Redis holds then; the next read asks, and the cache is as good as new."""
    proxy = proxied(valkey)
    conf = settings_for("tiered", proxy.url, OPTIONS={"TIME_BUDGET": 10, "BACKPLANE": "none"})
    cache = make_caches(default=conf)["default"]
    full, memory = cache.make_key("key"), cache._node.memory
    await cache.aset("key", 0)
    await cache.aincr("key")  # Redis knows the script from now on
    await cache.aget("key")
    assert full in memory.entries
    arguments = {"aset": ("key", 5), "aset_many": ({"key": 5},), "aadd": ("key", 5)}
    proxy.blackhole("replies")
    proxy.forget()
    task = asyncio.create_task(getattr(cache, call)(*arguments.get(call, ("key",))))
    await aeventually(lambda: proxy.requests)
    ticket = memory.ticket(full)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert full not in memory.entries
    assert memory.ticket(full) != ticket
    proxy.heal()
    expected = {"aset": 5, "aset_many": 5, "aadd": 1, "adelete": None, "atouch": 1, "aincr": 2}[
        call
    ]
    assert await cache.aget("key") == expected
    assert cache.stats().state == "up"
    assert cache.stats().errors == {}


async def test_cancelled_reads_hand_nobody_anothers_answer(
    make_caches: Any, own_valkey: Callable[..., Any]
) -> None:
    """A connection with an answer that nobody waits for any more is not used again as it is."""
    server = own_valkey()
    conf = settings_for("tiered", server.url, OPTIONS={"TIME_BUDGET": 10})
    cache = make_caches(default=conf)["default"]
    for number in range(40):
        await cache.aset(f"key{number}", number)
    for attempt in range(10):
        cache._node.memory.invalidate_all()
        tasks = [asyncio.create_task(cache.aget(f"key{number}")) for number in range(20)]
        for _ in range(attempt):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        found = await asyncio.gather(*(cache.aget(f"key{number}") for number in range(40)))
        assert found == list(range(40))
    assert cache.stats().errors == {}


@pytest.mark.parametrize("limit", [None, 5])
async def test_a_thousand_tasks_stay_within_the_connections(
    make_caches: Any, own_valkey: Callable[..., Any], limit: int | None
) -> None:
    """As many as the pool may have, and never one for each task; the others wait their turn."""
    server = own_valkey()
    options: dict[str, Any] = {"TIME_BUDGET": 20}
    if limit:
        options["CONNECTION_POOL_KWARGS"] = {"max_connections": limit}
    cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
    await cache.aset_many({f"key{number}": number for number in range(1000)})
    cache._node.memory.invalidate_all()
    before = server.client.info("stats")["total_connections_received"]
    found = await asyncio.gather(*(cache.aget(f"key{number}") for number in range(1000)))
    assert found == list(range(1000))
    made = server.client.info("stats")["total_connections_received"] - before
    assert 0 <= made <= (limit or cache.client.get_client().connection_pool.max_connections)
    assert made < 200
    assert cache.stats().errors == {}


def test_a_pool_that_is_used_up_is_no_outage(make_caches: Any, own_valkey: Any) -> None:
    """Threads beyond the pool's limit wait their turn, as tasks do; Redis is not away."""
    server = own_valkey()
    options = {"TIME_BUDGET": 5, "CONNECTION_POOL_KWARGS": {"max_connections": 2}}
    cache = make_caches(default=settings_for("tiered", server.url, OPTIONS=options))["default"]
    barrier = threading.Barrier(8)

    def work(name: int) -> None:
        mine = caches["default"]
        barrier.wait(10)
        for number in range(50):
            mine.set(f"{name}-{number}", number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert cache.stats().errors == {}
    assert cache.stats().opened == 0


def test_the_keeper_of_this_process_is_one_thread(make_caches: Any) -> None:
    """However many stores there are."""
    made = make_caches(
        **{
            f"cache{number}": {
                "BACKEND": "tiercache.backend.TieredCache",
                "LOCATION": f"memory://{unique_prefix()}",
            }
            for number in range(10)
        }
    )
    for cache in made.values():
        cache.set("key", 1)
    eventually(
        lambda: [t.name for t in threading.enumerate()].count("tiercache") == 1,
    )
