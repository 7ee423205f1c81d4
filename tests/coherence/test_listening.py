"""The listening thread: what it hears, in what order, and when it rests."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis import Connection
from redis._parsers import _RESP2Parser
from redis.connection import DefaultParser

from tests.coherence.nodes import caught_up
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from tiercache import listener
from tiercache.deadline import bounded
from tiercache.listener import Listener
from tiercache.messages import Post, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey

CHANNEL = "changes"


class Notes:
    """Notes what a listener tells."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def joined(self) -> None:
        self.told.append("joined")

    def lost(self) -> None:
        self.told.append("lost")

    def heard(self, origin: str | None, keys: Any) -> None:
        self.told.append((origin, keys))


@pytest.fixture(params=[DefaultParser, _RESP2Parser], ids=["hiredis", "Python's parser"])
def listen(request: pytest.FixtureRequest, valkey: Valkey) -> Iterator[Callable[..., Notes]]:
    """Make listeners on the shared server; return what they tell, once they have joined."""
    made: list[Listener] = []
    how = {"host": "127.0.0.1", "port": valkey.port, "protocol": 3, "socket_timeout": 1.0}
    how["parser_class"] = request.param

    def make(**options: Any) -> Notes:
        notes = Notes()
        made.append(
            Listener(
                lambda: bounded(Connection)(**how),
                lambda: [("SUBSCRIBE", CHANNEL)],
                notes,
                **options,
            )
        )
        made[-1].start()
        eventually(lambda: notes.told == ["joined"])
        return notes

    yield make
    for one in made:
        one.close()


@pytest.fixture
def endless_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each rest be longer than any test waits."""
    monkeypatch.setattr(listener, "FIRST_REST", 20.0)
    monkeypatch.setattr(listener, "LONGEST_REST", 20.0)


def say(server: Valkey, *names: str) -> None:
    """Tell of changes, as another node, each in a message of its own, all at once."""
    with server.client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.publish(CHANNEL, json.dumps(["somebody", [name]]))
        pipeline.execute()


def test_a_burst_is_told_completely_and_in_order(
    listen: Callable[..., Notes], valkey: Valkey
) -> None:
    notes = listen()
    names = [f"key {number}" for number in range(5000)]
    say(valkey, *names)
    eventually(lambda: len(notes.told) > len(names))
    assert notes.told[1:] == [("somebody", [name]) for name in names]


def test_what_is_said_after_a_silence_is_told_without_a_rest(
    listen: Callable[..., Notes], valkey: Valkey, endless_rest: None
) -> None:
    notes = listen()
    for number in range(3):
        time.sleep(listener.CLOSE * 3)  # the silence
        with Stopwatch() as watch:
            say(valkey, f"key {number}")
            eventually(lambda number=number: len(notes.told) == number + 2)
        assert watch.seconds < 0.5


def test_what_is_said_while_it_rests_is_read_at_once(
    listen: Callable[..., Notes], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages there are: to be woken is what costs."""
    monkeypatch.setattr(listener, "CLOSE", 1.0)
    monkeypatch.setattr(listener, "FIRST_REST", 0.25)
    monkeypatch.setattr(listener, "LONGEST_REST", 0.25)
    rests: list[float] = []
    sleep = time.sleep

    def rested(seconds: float) -> None:
        rests.append(seconds)
        sleep(seconds)

    notes = listen()
    monkeypatch.setattr(listener.time, "sleep", rested)
    for number in range(200):
        say(valkey, f"key {number}")
    eventually(lambda: len(notes.told) == 201)
    assert 1 <= rests.count(0.25) < 20


@pytest.mark.parametrize(
    ("rest", "gap", "following"),
    [
        (0.0, 1.0, 0.0),
        (0.0, listener.CLOSE, 0.0),
        (0.0, listener.CLOSE / 2, listener.FIRST_REST),
        (listener.FIRST_REST, listener.FIRST_REST * 1.1, listener.FIRST_REST * 2),
        (listener.LONGEST_REST, listener.LONGEST_REST * 1.1, listener.LONGEST_REST),
        (listener.LONGEST_REST, listener.LONGEST_REST * 3, 0.0),
    ],
    ids=["silence", "just so", "close", "goes on", "goes on long", "is over"],
)
def test_rests_are_as_long_as_what_is_said_goes_on(
    rest: float, gap: float, following: float
) -> None:
    assert listener._rest_after(rest, gap) == following


def test_a_rest_is_shorter_than_a_delivery_may_take() -> None:
    """Promise 1 speaks of milliseconds."""
    assert listener.LONGEST_REST <= 0.005


# A node's own messages


def test_own_messages_are_not_even_parsed(
    make_cache: Any, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache()
    parsed: list[bytes] = []

    def note(data: bytes) -> Any:
        parsed.append(data)
        return parse(data)

    monkeypatch.setattr(listener, "parse", note)
    cache.set("key", 1)
    cache.set_many({"key": 2, "more": 3})
    cache.delete("key")
    caught_up(cache)
    own = cache._node.id.encode()
    assert [data for data in parsed if own in data] == []
    assert [data for data in parsed if b"caught-up" in data]


def test_an_own_message_about_nothing_is_told_as_an_echo(make_cache: Any, valkey: Valkey) -> None:
    """By it the delivery's time is measured."""
    cache = make_cache()
    backplane = cache._node._backplane
    echoes: list[bool] = []
    backplane._echoed = lambda: echoes.append(True)
    valkey.client.publish(*backplane.post.of(()))
    eventually(lambda: echoes)


def test_an_own_message_that_says_everything_is_known_as_ones_own(
    make_cache: Any, valkey: Valkey
) -> None:
    cache = make_cache()
    cache.set("key", 1)
    backplane = cache._node._backplane
    valkey.client.publish(backplane.post.channel, json.dumps([cache._node.id, None]))
    caught_up(cache)
    assert cache.peek("key") == 1


def test_a_message_about_what_is_not_held_voids_its_tickets(
    make_cache: Any, valkey: Valkey
) -> None:
    """Somebody may be reading it from Redis just now."""
    cache = make_cache()
    memory, post = cache._node.memory, cache._node._backplane.post
    ticket = memory.ticket("not held")
    valkey.client.publish(*post._replace(origin="somebody").of(("not held",)))
    eventually(lambda: memory.ticket("not held") != ticket)


@pytest.mark.parametrize(
    "keys", [(), ("key",), ("two", "keys"), ('"quoted"\\', "\xe4\n\u20ac", "\ud800")]
)
def test_a_message_is_json_that_begins_as_one_knows_its_own(keys: tuple[str, ...]) -> None:
    post = Post("channel", "0123456789abcdef")
    _, said = post.of(keys)
    assert said == json.dumps([post.origin, keys])
    assert parse(said.encode()) == (post.origin, list(keys))
    assert said.encode().startswith(post.own) == bool(keys)
