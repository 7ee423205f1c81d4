"""What an operation costs: nothing on a memory hit, otherwise one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.caches import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.caches import Face
    from tests.support.proxy import Proxy
    from tests.support.servers import Valkey

REPLY_DELAY = 0.03
"""Seconds that replies are held back, so that all of one request is sent before an answer comes."""

MANY = 2_000


class Wire:
    """A cache behind a proxy that counts."""

    def __init__(self, face: Face, proxy: Proxy, server: Valkey) -> None:
        self.face, self.proxy, self.server = face, proxy, server

    def trips(self, operation: str, *arguments: Any, **options: Any) -> int:
        """Return the round trips that one call takes, over a connection that is open already."""
        self.face.get("warm-the-connection")
        self.proxy.delay(REPLY_DELAY)
        self.proxy.forget()
        getattr(self.face, operation)(*arguments, **options)
        self.proxy.delay(0)
        return self.proxy.turns


@pytest.fixture
def wire(
    valkey: Valkey,
    proxied: Callable[[Valkey], Proxy],
    make_caches: Callable[..., dict[str, Any]],
    make_face: Callable[[Any], Face],
) -> Wire:
    proxy = proxied(valkey)
    cache = make_caches(default=settings_for("tiered", proxy.url))["default"]
    return Wire(make_face(cache), proxy, valkey)


def test_a_memory_hit_sends_nothing(wire: Wire) -> None:
    """Neither get, nor get_many, nor get_or_set asks Redis for what memory has."""
    wire.face.set_many({"a": 1, "b": [2]})
    before = wire.server.calls()
    for operation, argument in [("get", "a"), ("get", "b"), ("get_many", ["a", "b"])]:
        wire.proxy.forget()
        getattr(wire.face, operation)(argument)
        assert wire.proxy.requests == 0, operation
    wire.proxy.forget()
    assert wire.face.get_or_set("a", 9) == 1
    assert wire.proxy.requests == 0
    assert wire.server.calls() == before


@pytest.mark.parametrize("there", [True, False], ids=["in Redis", "nowhere"])
def test_a_miss_in_memory_costs_one_round_trip(wire: Wire, there: bool) -> None:
    """The value and what is left of its time come together, and memory has it afterwards."""
    if there:
        wire.server.client.set(wire.face.cache.make_key("key"), 5, px=60_000)
    assert wire.trips("get", "key") == 1
    if there:
        assert wire.trips("get", "key") == 0


@pytest.mark.parametrize("count", [1, 2, MANY])
def test_many_keys_cost_one_round_trip(wire: Wire, count: int) -> None:
    """Any number of keys is written, read and deleted in one round trip each."""
    values = {f"key{number}": number for number in range(count)}
    wire.server.client.mset({wire.face.cache.make_key(key): n for key, n in values.items()})
    assert wire.trips("get_many", list(values)) == 1
    assert wire.trips("set_many", values, timeout=60) == 1
    assert wire.trips("get_many", list(values)) == 0
    assert wire.trips("delete_many", list(values)) == 1


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("set", ("key", "value")),
        ("set", ("key", "x" * 100_000)),
        ("add", ("key", "value")),
        ("touch", ("key", 60)),
        ("incr", ("counter",)),
        ("decr", ("counter",)),
        ("delete", ("key",)),
        ("has_key", ("missing",)),
    ],
)
def test_every_other_operation_costs_one(
    wire: Wire, operation: str, arguments: tuple[Any, ...]
) -> None:
    """A write is one round trip, the conditional and the counting ones too."""
    wire.face.set_many({"counter": 1})
    # The server learns a script on first use, once in its life.
    getattr(wire.face, operation)(*arguments)
    assert wire.trips(operation, *arguments) == 1
