"""Connections of the synchronous sender: how many there are, and who waits for one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.support.waiting import eventually
from tiercache.exceptions import RedisAway
from tiercache.remote import Remote
from tiercache.steps import Ask, Call, Read
from tiercache.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey

MOST = 3


@pytest.fixture
def remote(valkey: Valkey) -> Iterator[Remote]:
    """One that may have three connections, which the server knows by a name."""
    pool = redis.ConnectionPool.from_url(
        valkey.url, max_connections=MOST, client_name="counted", socket_timeout=5
    )
    remote = Remote(pool, Wire(None))
    yield remote
    remote.close()


def soon() -> float:
    return time.monotonic() + 5


def held(remote: Remote, released: threading.Event, taken: Callable[[], object]) -> None:
    """Use a connection until it is released."""

    def wait(_: Any) -> None:
        taken()
        assert released.wait(5)

    remote.perform(Call(wait, (), writes=False), soon())


def test_there_are_never_more_connections_than_allowed(remote: Remote, valkey: Valkey) -> None:
    """However many threads call: all of them get their answers."""
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda _: remote.perform(Ask((("ECHO", "x"),)), soon()), range(2000))
        )
    assert answers == [[b"x"]] * 2000
    names = [client["name"] for client in valkey.client.client_list()]
    assert 1 <= names.count("counted") <= MOST


def test_who_waits_gets_the_first_that_is_given_back(remote: Remote) -> None:
    released, taken = threading.Event(), threading.Semaphore(0)
    with ThreadPoolExecutor(MOST + 1) as threads:
        for _ in range(MOST):
            threads.submit(held, remote, released, taken.release)
        for _ in range(MOST):
            assert taken.acquire(timeout=5)
        waits = threads.submit(remote.perform, Read(("key",)), soon())
        eventually(lambda: remote._waiting == 1)
        released.set()
        started = time.monotonic()
        assert waits.result(5) == [None]
        assert time.monotonic() - started < 1


def test_who_has_waited_until_the_deadline_is_told_why(remote: Remote) -> None:
    released, taken = threading.Event(), threading.Semaphore(0)
    with ThreadPoolExecutor(MOST) as threads:
        for _ in range(MOST):
            threads.submit(held, remote, released, taken.release)
        for _ in range(MOST):
            assert taken.acquire(timeout=5)
        started = time.monotonic()
        with pytest.raises(RedisAway) as raised:
            remote.perform(Read(("key",)), started + 0.1)
        assert raised.value.kind == "connections"
        assert 0.1 <= time.monotonic() - started < 1
        released.set()
    assert remote._waiting == 0


def test_a_connection_that_was_interrupted_is_made_anew(remote: Remote, valkey: Valkey) -> None:
    """A reply that nobody has read must not be taken for the next one's."""

    def interrupt(client: Any) -> None:
        client._borrowed.send_command("ECHO", "left behind")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.perform(Call(interrupt, (), writes=False), soon())
    assert remote.perform(Ask((("ECHO", "mine"),)), soon()) == [b"mine"]
