"""Values to bytes and back: what memory keeps is what a round trip through Redis would give."""

from __future__ import annotations

import datetime
import decimal
import enum
import pickle
import uuid
import zoneinfo
from sys import getsizeof
from typing import Any

import pytest
from django.utils.safestring import SafeString, mark_safe
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tiercache.codec import IDENTITY, PICKLE, make_codec, pickle_codec
from tiercache.entry import PLAIN, SERIALIZED
from tiercache.exceptions import Undecodable

JSON = "django_redis.serializers.json.JSONSerializer"
MSGPACK = "django_redis.serializers.msgpack.MSGPackSerializer"
SERIALIZERS = {"pickle": PICKLE, "json": JSON, "msgpack": MSGPACK}
COMPRESSORS = {
    "identity": IDENTITY,
    **{
        name.lower(): f"django_redis.compressors.{name.lower()}.{name}Compressor"
        for name in ("Zlib", "Gzip", "Lzma", "Lz4", "ZStd")
    },
}
FORMATS = {
    "own": pickle_codec(),
    **{
        f"{serializer}-{compressor}": make_codec(
            {"SERIALIZER": SERIALIZERS[serializer], "COMPRESSOR": COMPRESSORS[compressor]}
        )
        for serializer in SERIALIZERS
        for compressor in COMPRESSORS
    },
    **{
        f"pickle{version}": make_codec({"PICKLE_VERSION": version})
        for version in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}
OF_PICKLE = [name for name in FORMATS if name.startswith(("own", "pickle"))]


class Colour(enum.IntEnum):
    RED = 2
    ZERO = 48
    NINE = 57


class Marker(enum.IntFlag):
    A = 1
    B = 32


class Count(int):
    """An int subclass: Redis keeps its number alone."""


class Name(str):
    """A str subclass."""

    __slots__ = ()


class Zone(datetime.tzinfo):
    """A time zone of which nobody knows whether it is immutable."""

    def utcoffset(self, _: Any) -> datetime.timedelta:
        return datetime.timedelta(hours=1)

    def dst(self, _: Any) -> datetime.timedelta:
        return datetime.timedelta(0)

    def tzname(self, _: Any) -> str:
        return "X"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone)

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "Zone()"


class Moment(datetime.datetime):
    """A datetime subclass."""


class Pair(tuple):
    """A tuple subclass."""

    __slots__ = ()


NOON = datetime.datetime(2024, 5, 17, 12, 0, 0, 250)  # noqa: DTZ001 - one of each kind
ATOMS = [
    *(None, True, False, 0.5, -0.0, float("inf"), "", "text", "é😀"),
    *(b"", b"bytes", 1 + 2j, mark_safe("<b>"), decimal.Decimal("1.10"), uuid.UUID(int=5)),
    *(NOON.date(), NOON.time(), NOON, datetime.timedelta(days=1, microseconds=3)),
    NOON.replace(tzinfo=datetime.UTC),
    NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2), "two")),
    NOON.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Zurich"), fold=1),
    NOON.time().replace(tzinfo=datetime.UTC),
]
KEPT_IN_ALL = [None, True, False, 0.5, "text", ""]
GROUPS = [
    *((), (1, 2), ("a", (b"b", ((None,), True))), (NOON, frozenset({1, 2.5})), frozenset()),
    frozenset({(1, (2.5,)), decimal.Decimal(3)}),
]
MUTABLE_OR_ODD = [
    *([], {}, {"a": 1}, [1, "a"], set(), bytearray(b"x"), Colour.RED, Marker.A | Marker.B),
    *(Name("x"), Moment(2024, 1, 2), Pair((1, 2)), NOON.replace(tzinfo=Zone())),
    *(("a", []), (1, (2, ({},))), (Name("x"),), (Count(5),), (Colour.RED,), (Pair(),)),
    frozenset({Name("x")}),
]


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down."""
    return shown(one) == shown(other)


def shown(value: Any) -> Any:
    """A value spelled out, such that two are the same exactly if their spellings are equal."""
    kind = type(value).__qualname__
    if isinstance(value, dict):
        return kind, [(shown(key), shown(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return kind, [shown(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(shown(item)) for item in value)
    return kind, repr(value), getattr(value, "fold", None)


def opened(codec: Any, copy: Any) -> Any:
    return codec.loads(copy.held) if copy.form == SERIALIZED else copy.held


def is_carried(codec: Any, value: Any) -> bool:
    """Whether the serializer itself can carry it; the oldest pickle protocols cannot all."""
    try:
        codec._dumps(value)
    except RecursionError:
        return False
    return True


def tried(codec: Any, raw: bytes) -> Any:
    """What `unpack` gives: a value and its copy, or `Undecodable`."""
    try:
        return codec.unpack(raw)
    except Undecodable as exc:
        return exc


@pytest.fixture(params=FORMATS)
def codec(request: pytest.FixtureRequest) -> Any:
    """Each format in turn."""
    return FORMATS[request.param]


def of(name: str) -> Any:
    return FORMATS[name]


@pytest.mark.parametrize("value", KEPT_IN_ALL, ids=repr)
def test_what_every_serializer_carries_is_kept_as_it_is(codec: Any, value: Any) -> None:
    """A hit on such a value copies nothing: it is the very object."""
    copy = codec.pack(value).copy
    assert copy.form == PLAIN
    assert copy.held is value


@pytest.mark.parametrize("value", [*ATOMS, *GROUPS], ids=repr)
@pytest.mark.parametrize("name", ["own", "pickle-identity", "pickle-zlib", "pickle5"])
def test_what_is_immutable_is_kept_as_it_is_with_pickle(name: str, value: Any) -> None:
    """Atoms, and tuples and frozensets of them at any depth."""
    copy = of(name).pack(value).copy
    assert copy.form == PLAIN
    assert copy.held is value


@pytest.mark.parametrize("value", MUTABLE_OR_ODD, ids=repr)
@pytest.mark.parametrize("name", OF_PICKLE)
def test_what_may_change_is_kept_serialized(name: str, value: Any) -> None:
    """Mutable values, subclasses, and groups with one such member: each caller gets its own."""
    copy = of(name).pack(value).copy
    assert copy.form == SERIALIZED
    assert type(copy.held) is bytes
    first, second = opened(of(name), copy), opened(of(name), copy)
    assert same(first, value)
    assert same(second, value)
    assert first is second is value or first is not value or isinstance(value, enum.Enum)


@pytest.mark.parametrize(
    ("name", "kept", "serialized"),
    [
        ("json-zlib", [1.5, "x"], [(1,), [1], NOON, uuid.UUID(int=1), mark_safe("x"), Name("x")]),
        ("msgpack-lz4", [1.5, "x", b"x"], [(1,), [1], {"a": 1}, Name("x")]),
    ],
)
def test_what_a_serializer_changes_is_kept_serialized(
    name: str, kept: list[Any], serialized: list[Any]
) -> None:
    """JSON makes lists of tuples and texts of dates, so memory answers with lists and texts."""
    assert all(of(name).pack(value).copy.held is value for value in kept)
    for value in serialized:
        packed = of(name).pack(value)
        assert packed.copy.form == SERIALIZED
        assert same(opened(of(name), packed.copy), of(name).unpack(packed.raw)[0])


@pytest.mark.parametrize("value", [0, 5, -3, 2**63, -(2**80), Count(7)], ids=repr)
def test_an_integer_is_bare(codec: Any, value: int) -> None:
    """So INCR works on it; an int subclass comes back as an int, from both tiers."""
    packed = codec.pack(value)
    assert type(packed.raw) is int
    assert packed.raw == value
    for raw in (packed.raw, str(packed.raw).encode()):
        found, copy = codec.unpack(raw)
        assert type(found) is type(copy.held) is type(packed.copy.held) is int
        assert found == copy.held == packed.copy.held == value


@pytest.mark.parametrize("value", [True, False], ids=repr)
def test_a_bool_is_no_integer(codec: Any, value: bool) -> None:
    """It comes back as the bool that it was."""
    packed = codec.pack(value)
    assert type(packed.raw) is bytes
    assert codec.unpack(packed.raw)[0] is value
    assert packed.copy.held is value


@pytest.mark.parametrize("value", list(Colour), ids=repr)
def test_an_int_enum_is_what_its_serializer_makes_of_it(codec: Any, value: Colour) -> None:
    """And it is that from both tiers."""
    packed = codec.pack(value)
    assert same(opened(codec, packed.copy), codec.unpack(packed.raw)[0])


def test_a_safe_string_stays_safe() -> None:
    """A cached piece of HTML is not escaped again."""
    codec = of("pickle-identity")
    packed = codec.pack(mark_safe("<b>"))
    assert type(packed.copy.held) is type(codec.unpack(packed.raw)[0]) is SafeString


NESTED = {
    "json": st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.text(max_size=5), inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
        ),
        max_leaves=12,
    ),
    "msgpack": st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**63), 2**64 - 1),
            st.floats(),
            st.text(),
            st.binary(),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.text(max_size=5), inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
        ),
        max_leaves=12,
    ),
}
HASHABLE = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers()),
        *(st.text(max_size=8), st.binary(max_size=8), st.text(max_size=4).map(mark_safe)),
        *(st.text(max_size=4).map(Name), st.integers().map(Count), st.sampled_from(list(Colour))),
        *(st.uuids(), st.decimals(allow_nan=False), st.dates(), st.timedeltas(), st.times()),
        st.datetimes(timezones=st.none() | st.timezones() | st.just(datetime.UTC)),
        st.datetimes(),
        st.builds(NOON.replace, fold=st.integers(0, 1)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(Pair),
        st.frozensets(inner, max_size=3),
    ),
    max_leaves=8,
)
NESTED["own"] = NESTED["pickle"] = st.one_of(
    HASHABLE,
    st.lists(HASHABLE, max_size=3),
    st.dictionaries(HASHABLE, HASHABLE, max_size=3),
    st.tuples(HASHABLE, st.lists(HASHABLE, max_size=2)),
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_copy_is_what_a_round_trip_gives(name: str, data: st.DataObject) -> None:
    """For nested values of all kinds, in value and in type, whichever tier answers."""
    codec = of(name)
    value = data.draw(NESTED[name.split("-", maxsplit=1)[0].rstrip("012345")])
    assume(is_carried(codec, value))
    packed = codec.pack(value)
    raw = packed.raw if isinstance(packed.raw, bytes) else str(packed.raw).encode()
    found, filled = codec.unpack(raw)
    assert same(opened(codec, packed.copy), found)
    assert same(opened(codec, filled), found)
    assert filled.form == packed.copy.form


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("name", OF_PICKLE)
def test_an_hour_that_comes_twice_is_told_apart_alike_by_both_tiers(name: str, fold: int) -> None:
    """Old pickle protocols forget which of the two it was; then memory must forget it, too."""
    codec = of(name)
    for value in (NOON.replace(fold=fold), NOON.time().replace(fold=fold), (NOON,)):
        packed = codec.pack(value)
        assert same(opened(codec, packed.copy), codec.unpack(packed.raw)[0])


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.binary(max_size=60))
@example(raw=b"")
@example(raw=b" ")
@example(raw=b"+")
@example(raw=b"-_1")
@example(raw=b"9" * 5000)
@example(raw=b"\x80\x04.")
@example(raw=b"cno.such\nthing\n.")
@example(raw=b"x\x9c\x00")
@example(raw=b"\x1f\x8b\x08\x00")
@example(raw=b"(\xb5/\xfd\x00")
@example(raw=b"\x04\x22\x4d\x18\x00")
@example(raw=b"\xfd7zXZ\x00\x00")
@example(raw=b"\xdd\xff\xff\xff\xff")
@example(raw=b"[" * 5000)
@example(raw=b'"\xff"')
def test_garbage_is_undecodable_and_nothing_else(name: str, raw: bytes) -> None:
    """Bytes that are not this format's raise `Undecodable`, or happen to be a value."""
    # LONG_BINPUT makes room for the number that it names, which may be all there is.
    assume(b"r" not in raw)
    result = tried(of(name), raw)
    if isinstance(result, Undecodable):
        assert type(result.__cause__).__name__ in str(result)
    else:
        value, copy = result
        assert same(opened(of(name), copy), value)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_value_is_undecodable_and_nothing_else(name: str, data: st.DataObject) -> None:
    """A value cut short, or with one byte changed."""
    codec = of(name)
    raw = bytearray(codec.pack({"key": ["some", "longer text" * 30, 1.5]}).raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        del raw[at:]
    else:
        raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != ord("r")))
    result = tried(codec, bytes(raw))
    assert not isinstance(result, Undecodable) or result.__cause__ is not None


@pytest.mark.parametrize("name", ["own", "pickle-identity"])
def test_a_value_nested_too_deep_is_a_value_or_undecodable(name: str) -> None:
    """However deep: reading it raises nothing else, so it cannot break a page."""
    raw = b"\x80\x04)" + b"\x85" * 20_000 + b"."
    result = tried(of(name), raw)
    assert isinstance(result, Undecodable) or result[1].size > 0


@pytest.mark.parametrize("value", [*ATOMS, *GROUPS, *MUTABLE_OR_ODD, 5, 2**200], ids=repr)
def test_sizes_are_what_a_value_takes(value: Any) -> None:
    """At least what Python says of the object that is held, and no more than its parts."""
    copy = of("pickle-identity").pack(value).copy
    assert type(copy.size) is int
    assert getsizeof(copy.held) <= copy.size <= getsizeof(copy.held) + 1000


@pytest.mark.parametrize("value", ["x" * 10_000, ("x" * 5000, "y" * 5000)], ids=["text", "group"])
def test_a_large_value_has_a_large_size(codec: Any, value: Any) -> None:
    """The bytes of the parts of a group count as well, and compression does not hide them."""
    assert 10_000 <= codec.pack(value).copy.size <= 21_000


def test_a_value_that_cannot_be_carried_raises(codec: Any) -> None:
    """Whatever the serializer raises, before anything has been written."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        codec.pack(lambda: None)
