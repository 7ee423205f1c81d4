"""What is in Redis is what django-redis would have put there, and the other way round."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compat.conftest import Pair
    from tests.support.servers import Valkey

SERIALIZERS = {
    "pickle": "django_redis.serializers.pickle.PickleSerializer",
    "json": "django_redis.serializers.json.JSONSerializer",
    "msgpack": "django_redis.serializers.msgpack.MSGPackSerializer",
}
COMPRESSORS = {
    "identity": "django_redis.compressors.identity.IdentityCompressor",
    "zlib": "django_redis.compressors.zlib.ZlibCompressor",
    "gzip": "django_redis.compressors.gzip.GzipCompressor",
    "lzma": "django_redis.compressors.lzma.LzmaCompressor",
    "lz4": "django_redis.compressors.lz4.Lz4Compressor",
    "zstd": "django_redis.compressors.zstd.ZStdCompressor",
}
EVERYWHERE: dict[str, Any] = {
    "int": 42,
    "negative": -7,
    "zero": 0,
    "beyond 64 bits": 2**70,
    "true": True,
    "false": False,
    "float": 1.5,
    "none": None,
    "short": "x",
    "empty": "",
    "digits": "42",
    "unicode": "naïve 鍵",
    "long": "long text " * 200,
    "list": [1, "two", [3.0, None]],
    "dict": {"a": {"b": [1, 2]}},
}
BY_PICKLE = EVERYWHERE | {
    "tuple": (1, (2,)),
    "set": {1, 2},
    "bytes": b"\x00\xff",
    "digit bytes": b"42",
    "datetime": datetime(2026, 1, 2, tzinfo=UTC),
    "complex": 1j,
}
VALUES = {
    "pickle": BY_PICKLE,
    "json": EVERYWHERE,
    "msgpack": EVERYWHERE | {"bytes": b"\x00\xff"},
}
PX_SLACK = 1500
"""Milliseconds by which two times left may differ: the second entry is written a moment later."""


@pytest.fixture(params=itertools.product(SERIALIZERS, COMPRESSORS), ids="-".join)
def formatted(request: pytest.FixtureRequest, make_pair: Callable[..., Pair]) -> tuple[Pair, Any]:
    """Both caches in one format, and the values that it can carry."""
    serializer, compressor = request.param
    options = {"SERIALIZER": SERIALIZERS[serializer], "COMPRESSOR": COMPRESSORS[compressor]}
    values = dict(VALUES[serializer])
    if serializer == "msgpack":
        # django-redis stores a bare integer of any size, but reads and adds to it all the same.
        assert values["beyond 64 bits"] > 2**64
    return make_pair(OPTIONS=options), values


def test_each_reads_what_the_other_wrote(formatted: tuple[Pair, Any]) -> None:
    """Every value written by one is read by the other, equal and of the same type."""
    (ours, theirs), values = formatted
    for name, value in values.items():
        ours.set(f"our {name}".replace(" ", "-"), value)
        theirs.set(f"their {name}".replace(" ", "-"), value)
    for name, value in values.items():
        for answer in (
            theirs.get(f"our {name}".replace(" ", "-")),
            ours.get(f"their {name}".replace(" ", "-")),
            ours.get(f"their {name}".replace(" ", "-")),
        ):
            assert (answer, type(answer)) == (value, type(value)), name
    assert ours.get_many([f"their {name}".replace(" ", "-") for name in values]) == {
        f"their {name}".replace(" ", "-"): value for name, value in values.items()
    }


def test_the_bytes_are_the_same(formatted: tuple[Pair, Any], valkey: Valkey) -> None:
    """Set, add and set_many store exactly django-redis's bytes under exactly its key."""
    (ours, theirs), values = formatted

    def stored(write: Callable[[Any, str, Any], object], cache: Any) -> dict[str, bytes | None]:
        for name, value in values.items():
            write(cache, name.replace(" ", "-"), value)
        found = {
            name: valkey.client.get(theirs.make_key(name.replace(" ", "-"))) for name in values
        }
        valkey.client.flushall()
        return found

    for write in (
        lambda cache, key, value: cache.set(key, value),
        lambda cache, key, value: cache.add(key, value),
        lambda cache, key, value: cache.set_many({key: value}),
    ):
        expected = stored(write, theirs)
        assert None not in expected.values()
        actual = stored(write, ours)
        # gzip writes the time of day into its header (bytes 4 to 8).
        assert {n: _timeless(b) for n, b in actual.items()} == {
            n: _timeless(b) for n, b in expected.items()
        }


def _timeless(stored: bytes | None) -> bytes | None:
    if stored is not None and stored.startswith(b"\x1f\x8b"):
        return stored[:4] + stored[8:]
    return stored


@pytest.mark.parametrize(
    "timeout", [300, 60.5, 0.75, None, 86400 * 365], ids=["whole", "float", "short", "none", "long"]
)
@pytest.mark.parametrize(
    "write",
    [
        lambda cache, timeout: cache.set("key", "value", timeout),
        lambda cache, timeout: cache.add("key", "value", timeout),
        lambda cache, timeout: cache.set_many({"key": "value"}, timeout),
        lambda cache, timeout: (cache.set("key", 1, timeout), cache.incr("key")),
        lambda cache, timeout: (cache.set("key", 1, 5), cache.touch("key", timeout)),
    ],
    ids=["set", "add", "set_many", "incr", "touch"],
)
def test_the_time_left_is_the_same(
    pair: Pair, valkey: Valkey, write: Callable[[Any, Any], object], timeout: float | None
) -> None:
    """The server reports the same time left, to the millisecond but for the time in between."""
    left = []
    for cache in (pair.theirs, pair.ours):
        write(cache, timeout)
        left.append(valkey.client.pttl(pair.theirs.make_key("key")))
        valkey.client.flushall()
    if timeout is None:
        assert left == [-1, -1]
    else:
        wanted = timeout * 1000
        assert wanted - PX_SLACK < left[1] <= wanted
        assert wanted - PX_SLACK < left[0] <= wanted


def test_the_default_timeout_is_the_same(make_pair: Callable[..., Pair], valkey: Valkey) -> None:
    """TIMEOUT is what an entry gets that names none."""
    pair = make_pair(TIMEOUT=1234)
    pair.ours.set("key", 1)
    assert 1_230_000 < valkey.client.pttl(pair.theirs.make_key("key")) <= 1_234_000


def key_function(key: str, prefix: str, version: int) -> str:
    return f"{prefix}/{version}/{key}"


@pytest.mark.parametrize(
    "settings",
    [
        {"VERSION": 7},
        {"KEY_PREFIX": ""},
        {"KEY_PREFIX": "naïve"},
        {"KEY_FUNCTION": key_function},
        {"KEY_FUNCTION": "tests.compat.test_format.key_function"},
        {"OPTIONS": {"PICKLE_VERSION": 2}},
    ],
    ids=["version", "no prefix", "unicode prefix", "key function", "its path", "pickle version"],
)
def test_settings_mean_the_same(
    make_pair: Callable[..., Pair], valkey: Valkey, settings: dict[str, Any]
) -> None:
    """The same keys and bytes for the same settings."""
    pair = make_pair(**settings)
    pair.theirs.set("key", ["value"])
    expected = {key: valkey.client.get(key) for key in valkey.client.scan_iter()}
    valkey.client.flushall()
    pair.ours.set("key", ["value"])
    assert {key: valkey.client.get(key) for key in valkey.client.scan_iter()} == expected


FOREIGN = {
    "foreign bytes": b"\x93NUMPY",
    "truncated pickle": b"\x80\x05\x95\x10\x00\x00\x00",
    "unknown class": b"cno_such_module\nNoSuchClass\n.",
    "empty": b"",
    "text": b"hello",
}


@pytest.mark.parametrize("raw", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_what_cannot_be_read_is_a_miss(
    make_pair: Callable[..., Pair], valkey: Valkey, raw: bytes, compressor: str
) -> None:
    """Foreign bytes are a miss for every operation that reads, counted, and never an exception."""
    cache = make_pair(OPTIONS={"COMPRESSOR": COMPRESSORS[compressor]}).ours
    valkey.client.set(cache.make_key("key"), raw)
    before = cache.stats()
    assert cache.get("key", "default") == "default"
    assert cache.get_many(["key"]) == {}
    after = cache.stats()
    assert after.undecodable - before.undecodable == 2
    assert after.misses - before.misses == 2
    cache.set("key", "value")
    assert cache.get("key") == "value"


async def test_what_cannot_be_read_is_a_miss_for_the_asynchronous_half(
    pair: Pair, valkey: Valkey
) -> None:
    """The same holds for aget and aget_many."""
    valkey.client.set(pair.ours.make_key("key"), b"foreign")
    assert await pair.ours.aget("key", "default") == "default"
    assert await pair.ours.aget_many(["key"]) == {}
    assert pair.ours.stats().undecodable == 2


def test_another_type_under_the_key_is_a_miss(pair: Pair, valkey: Valkey) -> None:
    """A list in Redis where a value should be is a miss, and can be overwritten."""
    valkey.client.rpush(pair.ours.make_key("key"), "element")
    assert pair.ours.get("key", "default") == "default"
    assert pair.ours.get_many(["key"]) == {}
    assert pair.ours.stats().undecodable == 2
    pair.ours.set("key", "value")
    assert pair.theirs.get("key") == "value"
