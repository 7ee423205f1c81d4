"""How commands and replies go over connections: quickly on redis-py's own, its way on others."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis._parsers import _RESP2Parser
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import DataError, NoScriptError, ResponseError

from tests.support import tls
from tests.support.waiting import eventually
from tiercache.deadline import bounded
from tiercache.line import PlainLine, QuickLine, line_of, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey

HOST = "127.0.0.1"

ROOT = Path(__file__).parent.parent


class ReadsItsOwnWay(Connection):
    """A site's connection class."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        return super().read_response(*args, **kwargs)


class Packer:
    """A site's packer, which begins each command with an empty line."""

    def pack(self, *words: Any) -> list[bytes]:
        return [b"\r\n", packed([words])]


@pytest.fixture
def connect(valkey: Valkey) -> Iterator[Callable[..., Any]]:
    """Make connections to the shared server as the cache makes them, connected."""
    made: list[Any] = []

    def make(kind: type[Any] = Connection, **options: Any) -> Any:
        if kind is not UnixDomainSocketConnection:
            options = {"host": HOST, "port": valkey.port, **options}
        made.append(bounded(kind)(**options))
        made[-1].connect()
        return made[-1]

    yield make
    for connection in made:
        connection.disconnect()


@pytest.fixture(params=["quick, RESP 3", "quick, RESP 2", "plain", "Python's parser"])
def line(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Any:
    """Each kind of line in turn."""
    if request.param == "plain":
        return PlainLine(connect())
    if request.param == "Python's parser":
        return connect(parser_class=_RESP2Parser, protocol=2).line
    return connect(protocol=int(request.param[-1])).line


# Which way is taken


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_pys_own_connections_are_gone_over_quickly(
    connect: Callable[..., Any], protocol: int
) -> None:
    """If this fails, redis-py has changed something that the quick way needs."""
    assert isinstance(connect(protocol=protocol).line, QuickLine)


def test_so_are_those_over_a_unix_socket(
    own_valkey: Callable[..., Valkey], connect: Callable[..., Any], tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")
    own_valkey(unixsocket=path)
    line = connect(UnixDomainSocketConnection, path=path).line
    assert isinstance(line, QuickLine)
    assert line.exchange([("PING",)]) == [b"PONG"]


def test_so_are_those_over_tls(valkey: Valkey, connect: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing stays in what TLS has decrypted and no poll sees."""
    with tls.in_front_of(valkey.port, tmp_path) as (port, trusted):
        connection = connect(SSLConnection, port=port, ssl_ca_certs=str(trusted))
        assert isinstance(connection.line, QuickLine)
        large = b"x" * 1_000_000
        assert connection.line.exchange([("SET", "key", large), ("GET", "key")]) == [b"OK", large]
        connection.send_command("MGET", *["key"] * 3)
        replies: list[Any] = []
        eventually(lambda: replies.extend(connection.line.arrived(1) or ()) or replies)
        assert replies == [[large] * 3]
        connection.disconnect()


def test_a_cache_over_tls_keeps_both_tiers_in_step(
    valkey: Valkey, make_caches: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with tls.in_front_of(valkey.port, tmp_path) as (port, trusted):
        conf = {
            "BACKEND": "tiercache.backend.TieredCache",
            "LOCATION": f"rediss://{HOST}:{port}/0",
            "OPTIONS": {"CONNECTION_POOL_KWARGS": {"ssl_ca_certs": str(trusted)}},
        }
        cache = make_caches(default=conf)["default"]
        cache.set("key", "old")
        assert cache.get("key") == "old"
        full = cache.make_key("key")
        valkey.client.set(full, cache._node.codec.pack("new").raw)
        valkey.client.publish("tiercache:1:0", f'["somebody", ["{full}"]]')
        eventually(lambda: cache.get("key") == "new")
        cache.close()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ReadsItsOwnWay, {}),
        (Connection, {"parser_class": _RESP2Parser, "protocol": 2}),
        (Connection, {"command_packer": Packer()}),
    ],
    ids=["subclass", "parser", "packer"],
)
def test_a_connection_that_has_its_own_ways_is_left_to_them(
    connect: Callable[..., Any], kind: type[Any], options: dict[str, Any]
) -> None:
    line = connect(kind, **options).line
    assert isinstance(line, PlainLine)
    assert line.exchange([("SET", "key", 1), ("GET", "key")]) == [b"OK", b"1"]


def test_without_hiredis_redis_py_is_left_its_own_ways(valkey: Valkey) -> None:
    script = f"""
        import sys
        sys.modules["hiredis"] = None
        from redis.connection import Connection
        from tiercache.deadline import bounded
        connection = bounded(Connection)(host="{HOST}", port={valkey.port})
        connection.connect()
        line = connection.line
        print(type(line).__name__, line.exchange([("ECHO", "x")]))
        connection.disconnect()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "PlainLine [b'x']"


def test_what_redis_py_has_begun_to_read_it_reads_to_the_end(connect: Callable[..., Any]) -> None:
    connection = connect()
    connection.send_command("PING")
    eventually(lambda: connection.can_read(0))
    line = line_of(connection)
    assert isinstance(line, PlainLine)
    assert line.arrived(5) == [b"PONG"]


# Commands and replies


def test_there_is_a_reply_for_each_command_in_order(line: Any) -> None:
    commands = [("SET", "key", "v\xe4lue"), ("GET", "key"), ("INCR", "count"), ("GET", "nothing")]
    assert line.exchange(commands) == [b"OK", "v\xe4lue".encode(), 1, None]


def test_a_refusal_is_a_reply_and_the_next_is_read_as_well(line: Any) -> None:
    commands = [("EVALSHA", "0" * 40, 0), ("NO-SUCH-COMMAND",), ("PING",)]
    unknown, refused, last = line.exchange(commands)
    assert isinstance(unknown, NoScriptError)
    assert isinstance(refused, ResponseError)
    assert last == b"PONG"


def test_values_larger_than_a_read_arrive_whole(line: Any) -> None:
    large = bytes(range(256)) * 4096
    assert line.exchange([("SET", "key", large), ("MGET", "key", "key")]) == [b"OK", [large] * 2]


@pytest.mark.parametrize("word", [bytearray(b"bytes"), memoryview(b"bytes")])
def test_bytes_of_every_kind_are_sent(line: Any, word: Any) -> None:
    assert line.exchange([("SET", "key", word), ("GET", "key")]) == [b"OK", b"bytes"]


def test_of_commands_that_cannot_be_written_none_is_sent(line: Any) -> None:
    with pytest.raises(DataError):
        line.exchange([("SET", "key", 1), ("SET", "key", None)])
    assert line.exchange([("EXISTS", "key")]) == [0]


def test_what_is_pushed_in_between_is_not_taken_for_a_reply(
    connect: Callable[..., Any], valkey: Valkey
) -> None:
    connection = connect(protocol=3)
    pushed: list[Any] = []
    connection._get_parser().set_invalidation_push_handler(pushed.append)
    connection.line.exchange([("CLIENT", "TRACKING", "ON", "BCAST")])
    valkey.client.set("key", 1)
    eventually(lambda: connection.can_read(0))
    assert connection.line.exchange([("PING",), ("GET", "key")]) == [b"PONG", b"1"]
    assert pushed == [[b"invalidate", [b"key"]]]


def test_a_connection_that_the_server_has_closed_says_so(
    connect: Callable[..., Any], valkey: Valkey
) -> None:
    connection = connect()
    line = connection.line
    (number,) = line.exchange([("CLIENT", "ID")])
    valkey.client.client_kill_filter(_id=str(number))
    eventually(connection.is_stale)
    with pytest.raises((redis.exceptions.ConnectionError, OSError)):
        line.exchange([("PING",)])


# What arrives


@pytest.mark.parametrize("parser", [None, _RESP2Parser], ids=["quick", "Python's parser"])
def test_all_that_is_pushed_arrives_in_order(
    connect: Callable[..., Any], valkey: Valkey, parser: Any
) -> None:
    """Whatever the reads cut apart: some messages are larger than one of them."""
    connection = connect(protocol=3, **({"parser_class": parser} if parser else {}))
    connection._get_parser().set_pubsub_push_handler(lambda pushed: pushed)
    connection.deadline = None
    line = connection.line
    assert isinstance(line, PlainLine if parser else QuickLine)
    connection.send_command("SUBSCRIBE", "channel")
    arrived = line.arrived(5)
    assert arrived is not None
    said = [str(number).encode() * (30_000 if number % 50 == 0 else 1) for number in range(500)]
    with valkey.client.pipeline(transaction=False) as pipeline:
        for message in said:
            pipeline.publish("channel", message)
        pipeline.execute()
    eventually(lambda: arrived.extend(line.arrived(1) or ()) or len(arrived) > len(said))
    assert [message for _, _, message in arrived[1:]] == said


def test_where_nothing_arrives_nothing_is_told(line: Any) -> None:
    assert line.arrived(0.01) is None
