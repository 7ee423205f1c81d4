"""The operations of a cache: the same answers over every combination of tiers, sync and async."""

from __future__ import annotations

import enum
import math
import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache.backends.base import CacheKeyWarning

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.caches import Face


class Colour(enum.IntEnum):
    RED = 1


VALUES = {
    "text": "text",
    "empty text": "",
    "digits": "42",
    "bytes": b"\x00\xff",
    "digit bytes": b"42",
    "int": 42,
    "negative int": -1,
    "zero": 0,
    "int beyond 64 bits": 2**80,
    "true": True,
    "false": False,
    "float": 1.5,
    "infinity": math.inf,
    "none": None,
    "list": [1, [2]],
    "dict": {"a": {"b": 1}},
    "tuple": (1, (2, "x")),
    "tuple around a list": (1, [2]),
    "set": {1, 2},
    "frozenset": frozenset({1}),
    "datetime": datetime(2026, 1, 2, tzinfo=UTC),
    "timedelta": timedelta(days=1),
    "decimal": Decimal("1.10"),
    "enum": Colour.RED,
    "complex": 1j,
    "range": range(3),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_get_answers_what_was_set_with_its_type(face: Face, value: Any) -> None:
    """A value comes back equal and of its own type, a bool as a bool, from either tier."""
    face.set("key", value)
    answer = face.get("key", "nothing")
    assert answer == value
    assert type(answer) is type(value)


def test_get_of_a_missing_key_answers_the_default(face: Face) -> None:
    """A miss answers None, or the default given."""
    assert face.get("missing") is None
    assert face.get("missing", "default") == "default"


def test_none_is_a_value(face: Face) -> None:
    """A cached None is a hit for every operation."""
    face.set("key", None)
    assert face.get("key", "default") is None
    assert face.has_key("key") is True
    assert face.add("key", 1) is False
    assert face.get_many(["key"]) == {"key": None}
    assert face.get_or_set("key", "computed") is None


def test_set_replaces(face: Face) -> None:
    """The last value set counts."""
    face.set("key", 1)
    face.set("key", 2)
    assert face.get("key") == 2


def test_add_keeps_what_is_there(face: Face) -> None:
    """Add stores only where there is nothing, and says whether it did."""
    assert face.add("key", 1) is True
    assert face.add("key", 2) is False
    assert face.get("key") == 1


def test_delete_says_whether_there_was_something(face: Face) -> None:
    """Delete answers True once."""
    face.set("key", 1)
    assert face.delete("key") is True
    assert face.delete("key") is False
    assert face.get("key") is None


def test_has_key(face: Face) -> None:
    """A key is there from set to delete."""
    assert face.has_key("key") is False
    face.set("key", 1)
    assert face.has_key("key") is True
    face.delete("key")
    assert face.has_key("key") is False


def test_in(cache: Any) -> None:
    """The operator `in` asks for the key."""
    cache.set("key", None)
    assert "key" in cache
    assert "other" not in cache


@pytest.mark.parametrize("start", [41, 2**53, 2**63 - 1, 2**80, -(2**63), 0, 1.5])
def test_incr_and_decr_add_like_python(face: Face, start: Any) -> None:
    """Incr and decr give Python's sum: beyond 64 bits, below nought, and of floats."""
    face.set("key", start)
    assert face.incr("key") == start + 1
    assert face.get("key") == start + 1
    assert face.incr("key", 10) == start + 11
    assert face.decr("key", 12) == start - 1
    assert face.incr("key", -1) == start - 2
    assert face.get("key") == start - 2


@pytest.mark.parametrize("operation", ["incr", "decr"])
def test_incr_of_a_missing_key_names_it(face: Face, operation: str) -> None:
    """A missing key is a ValueError that says which."""
    with pytest.raises(ValueError, match="missing"):
        getattr(face, operation)("missing")
    assert face.get("missing") is None


@pytest.mark.parametrize("value", [None, "text", [1]])
def test_incr_of_something_else_raises_and_changes_nothing(face: Face, value: Any) -> None:
    """What cannot be added to is a TypeError, and stays."""
    face.set("key", value)
    with pytest.raises(TypeError):
        face.incr("key")
    assert face.get("key") == value


def test_incr_keeps_the_timeout(face: Face) -> None:
    """A counter runs out when it was told to, however often it is counted up."""
    face.set("key", 1, timeout=0.3)
    face.incr("key")
    eventually(lambda: face.get("key") is None, within=1)


def test_get_many_answers_what_is_there(face: Face) -> None:
    """Missing keys are left out; any iterable of keys will do."""
    face.set_many({"a": 1, "b": None})
    assert face.get_many(["a", "b", "c"]) == {"a": 1, "b": None}
    assert face.get_many(key for key in "ab") == {"a": 1, "b": None}
    assert face.get_many([]) == {}
    assert face.get_many(["a", "a"]) == {"a": 1}


def test_set_many_answers_the_failed_keys(face: Face) -> None:
    """Set_many answers a list of keys that could not be stored: empty."""
    assert face.set_many({"a": 1, "b": 2}, timeout=60) == []
    assert face.set_many({}) == []
    assert face.get_many(["a", "b"]) == {"a": 1, "b": 2}


def test_delete_many(face: Face) -> None:
    """Delete_many removes what is named, and takes any iterable, an empty one too."""
    face.set_many({"a": 1, "b": 2, "c": 3, "d": 4})
    face.delete_many(["a"])
    face.delete_many(key for key in "bc")
    face.delete_many([])
    face.delete_many(key for key in "")
    assert face.get_many("abcd") == {"d": 4}


def test_get_or_set_computes_once(face: Face) -> None:
    """The default, or what it answers when called, is stored and then found."""
    calls: list[int] = []

    def compute() -> str:
        calls.append(1)
        return "computed"

    assert face.get_or_set("key", compute) == "computed"
    assert face.get_or_set("key", compute) == "computed"
    assert face.get_or_set("other", 5) == 5
    assert face.get("other") == 5
    assert len(calls) == 1


def test_get_or_set_passes_an_error_on(face: Face) -> None:
    """What the computation raises reaches the caller; nothing is stored."""

    def fail() -> None:
        raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        face.get_or_set("key", fail)
    assert face.has_key("key") is False


def test_clear(face: Face) -> None:
    """Nothing of this cache is there after clear, of any version."""
    face.set("key", 1)
    face.set("key", 2, version=2)
    face.clear()
    assert face.get("key") is None
    assert face.get("key", version=2) is None


def test_versions_are_apart(face: Face) -> None:
    """Each version of a key is a key of its own."""
    face.set("key", 1)
    face.set("key", 2, version=2)
    assert (face.get("key"), face.get("key", version=2)) == (1, 2)
    assert face.delete("key", version=2) is True
    assert (face.get("key"), face.get("key", version=2)) == (1, None)
    assert face.get_many(["key"], version=1) == {"key": 1}


def test_incr_version_moves_the_value(face: Face) -> None:
    """Incr_version and decr_version answer the new version, where the value is found alone."""
    face.set("key", "value")
    assert face.incr_version("key") == 2
    assert (face.get("key"), face.get("key", version=2)) == (None, "value")
    assert face.decr_version("key", version=2) == 1
    assert (face.get("key"), face.get("key", version=2)) == ("value", None)
    assert face.incr_version("key", delta=3) == 4


def test_incr_version_of_a_missing_key_names_it(face: Face) -> None:
    """A missing key is a ValueError that says which."""
    with pytest.raises(ValueError, match="missing"):
        face.incr_version("missing")


def test_incr_version_moves_none_too(face: Face) -> None:
    """None is a value here as well."""
    face.set("key", None)
    assert face.incr_version("key") == 2
    assert face.has_key("key", version=2) is True


class TestTimeouts:
    """What a timeout may be, and what becomes of each."""

    @pytest.mark.parametrize("timeout", [0.2, 0.5])
    def test_a_fraction_of_a_second_counts(self, face: Face, timeout: float) -> None:
        """Half a second is neither nought nor a whole one."""
        face.set("key", 1, timeout=timeout)
        assert face.get("key") == 1
        eventually(lambda: face.get("key") is None, within=timeout + 0.3)

    @pytest.mark.parametrize("timeout", [0, -1, -0.5])
    def test_nought_or_less_stores_nothing(self, face: Face, timeout: float) -> None:
        """Such a value has run out already; an older one goes with it."""
        face.set("key", "old")
        face.set("key", "new", timeout=timeout)
        assert face.get("key") is None
        assert face.add("other", 1, timeout=timeout) is True
        assert face.get("other") is None
        face.set_many({"many": 1}, timeout=timeout)
        assert face.get("many") is None

    def test_none_is_for_ever(self, make_cache: Any, tiers: str, make_face: Any) -> None:
        """None outlives the cache's own timeout."""
        face = make_face(make_cache(tiers, TIMEOUT=0.1))
        face.set("default", 1)
        face.set("ever", 1, timeout=None)
        eventually(lambda: face.get("default") is None, within=1)
        assert face.get("ever") == 1

    def test_touch_sets_a_new_one(self, face: Face) -> None:
        """Touch lengthens, shortens, ends or removes the timeout of what is there."""
        assert face.touch("missing", 10) is False
        face.set_many({"short": 1, "long": 1, "ended": 1, "ever": 1}, timeout=0.3)
        assert face.touch("long", 60) is True
        assert face.touch("ended", 0) is True
        assert face.touch("ever", None) is True
        assert face.get("ended") is None
        eventually(lambda: face.get("short") is None, within=1)
        assert face.get_many(["long", "ever"]) == {"long": 1, "ever": 1}

    def test_touch_without_one_means_the_default(self, face: Face) -> None:
        """The cache's own timeout begins anew."""
        face.set("key", 1, timeout=0.2)
        face.set("other", 1, timeout=0.2)
        assert face.touch("key") is True
        eventually(lambda: face.get("other") is None, within=1)
        assert face.get("key") == 1

    @pytest.mark.parametrize("timeout", [math.nan, "60", "soon", [1]])
    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("set", ("key", "new")),
            ("add", ("key", "new")),
            ("touch", ("key",)),
            ("set_many", ({"key": "new"},)),
            ("get_or_set", ("other", "new")),
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(
        self, face: Face, operation: str, arguments: tuple[Any, ...], timeout: Any
    ) -> None:
        """What is no number of seconds is refused by name; the old value stays."""
        face.set("key", "old")
        with pytest.raises((TypeError, ValueError, OverflowError), match=r"(?i)time"):
            getattr(face, operation)(*arguments, timeout=timeout)
        assert face.get("key") == "old"
        assert face.has_key("other") is False


class TestKeys:
    """What a key may be."""

    @pytest.mark.parametrize("key", ["ключ", "鍵", "é" * 20, 1, 1.5, (1,), None, True, b"b"])
    def test_any_key_that_can_be_written(self, face: Face, key: Any) -> None:
        """Numbers, tuples and unicode text are keys like others."""
        face.set(key, "value")
        assert face.get(key) == "value"
        assert face.get_many([key]) == {key: "value"}
        assert face.has_key(key) is True
        assert face.delete(key) is True
        assert face.get(key) is None

    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("get", ()),
            ("set", (1,)),
            ("add", (1,)),
            ("touch", ()),
            ("incr", ()),
            ("decr", ()),
            ("has_key", ()),
            ("get_or_set", (1,)),
            ("incr_version", ()),
            ("delete", ()),
        ],
    )
    @pytest.mark.parametrize("key", ["with spaces", "x" * 260, "control\x01"])
    def test_a_key_that_memcached_refuses_warns(
        self, face: Face, key: str, operation: str, arguments: tuple[Any, ...]
    ) -> None:
        """Every operation warns, also when the value is in memory already."""
        with pytest.warns(CacheKeyWarning):
            face.set(key, 1)
        with pytest.warns(CacheKeyWarning):
            assert face.get(key) == 1
        with pytest.warns(CacheKeyWarning):
            getattr(face, operation)(key, *arguments)

    @pytest.mark.parametrize("key", ["with spaces", "x" * 260])
    def test_many_such_keys_warn(self, face: Face, key: str) -> None:
        """The operations on many keys warn as well."""
        with pytest.warns(CacheKeyWarning):
            face.set_many({key: 1, "good": 2})
        with pytest.warns(CacheKeyWarning):
            assert face.get_many([key, "good"]) == {key: 1, "good": 2}
        with pytest.warns(CacheKeyWarning):
            face.delete_many([key])


class Unpicklable:
    def __reduce__(self) -> Any:
        raise pickle.PicklingError("never")


class TestValues:
    """What happens to a value between set and get."""

    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("set", ("key", Unpicklable())),
            ("add", ("other", Unpicklable())),
            ("set_many", ({"third": 3, "key": Unpicklable()},)),
            ("get_or_set", ("other", Unpicklable())),
        ],
    )
    def test_an_unpicklable_value_changes_nothing(
        self, face: Face, operation: str, arguments: tuple[Any, ...]
    ) -> None:
        """It raises before either tier is touched."""
        face.set("key", "old")
        with pytest.raises(pickle.PicklingError, match="never"):
            getattr(face, operation)(*arguments)
        assert face.get_many(["key", "other", "third"]) == {"key": "old"}

    @pytest.mark.parametrize(
        ("value", "change"),
        [
            ([1], lambda value: value.append(2)),
            ({"a": 1}, lambda value: value.clear()),
            ({"a": [1]}, lambda value: value["a"].append(2)),
            ((1, [2]), lambda value: value[1].append(3)),
            (bytearray(b"a"), lambda value: value.extend(b"b")),
            ({1}, lambda value: value.add(2)),
        ],
        ids=["list", "dict", "nested list", "list in a tuple", "bytearray", "set"],
    )
    def test_callers_do_not_see_each_other(
        self, face: Face, value: Any, change: Callable[[Any], None]
    ) -> None:
        """Changing what was set, or what was got, changes nothing in the cache."""
        before = repr(value)
        face.set("key", value)
        change(value)
        for _ in range(2):
            for answer in (face.get("key"), face.get_many(["key"])["key"]):
                assert repr(answer) == before
                change(answer)

    def test_get_or_set_hands_out_no_shared_value(self, face: Face) -> None:
        """What get_or_set answers is the caller's own as well."""
        first = face.get_or_set("key", lambda: [1])
        first.append(2)
        assert face.get_or_set("key", lambda: [9]) == [1]


class Unreadable:
    """A class of the site's whose objects can be stored, and not be made again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def test_a_value_that_cannot_be_made_again_is_a_miss(face: Face) -> None:
    """Also where memory holds its bytes: it is counted, and never an exception."""
    face.set("key", Unreadable())
    assert face.get("key", "default") == "default"
    assert face.get_many(["key"]) == {}
    assert face.cache.stats().undecodable >= 1
