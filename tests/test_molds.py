"""Molds: as good as unpickling, or not used."""

from __future__ import annotations

import copy
import copyreg
import pickle
from dataclasses import dataclass, field
from decimal import Decimal
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.http import HttpResponse, JsonResponse
from django.utils.safestring import mark_safe

from tests.support.caches import settings_for
from tiercache.codec import make_codec, pickle_codec
from tiercache.entry import FIXED, MOLDED, SERIALIZED
from tiercache.molds import mold

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = pickle_codec()


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= attributes

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


class Registered(Plain):
    """Pickled by a function of its own."""


def _registered(value: Registered) -> Any:
    return Registered, ()


copyreg.pickle(Registered, _registered)


class Restored(Plain):
    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"restored": True}


class Reduced(Plain):
    def __reduce__(self) -> Any:
        return Reduced, ()


class WithArguments(Plain):
    def __new__(cls, number: int = 0, **_: Any) -> Any:
        new = super().__new__(cls)
        new.number = number
        return new

    def __getnewargs__(self) -> tuple[int]:
        return (7,)


class Slotted:
    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = [1]


class Counting(Plain):
    """Another state each time that it is pickled."""

    count = 0

    def __getstate__(self) -> dict[str, Any]:
        Counting.count += 1
        return vars(self) | {"count": Counting.count}


class ListLike(list):
    pass


class MadeAgain(Plain):
    """Remembers its instances, whose state anybody may change through it."""

    made: ClassVar[list[Any]] = []

    def __new__(cls, **_: Any) -> Any:
        new = super().__new__(cls)
        cls.made.append(new)
        return new


class Closing(Plain):
    """Changes itself when nobody needs it any more, as the value does that a mold was made of."""

    def __del__(self) -> None:
        self.__dict__.clear()


class RestoredOnItsOwn(Plain):
    def __getattr__(self, name: str) -> Any:
        if name != "__setstate__":
            raise AttributeError(name)
        return lambda state: self.__dict__.update(state, restored=True)


def response() -> HttpResponse:
    made = HttpResponse(b"x" * 5000, status=203, reason="because")
    made.headers["ETag"] = '"abc"'
    return made


def mold_of(value: Any) -> Any:
    return CODEC.mold(pickle.dumps(value))


MOLDABLE = {
    "a response": response,
    "a JSON response": lambda: JsonResponse({"a": [1, 2]}),
    "an object": lambda: Plain(a=1, b="text", c=None, d=Decimal("1.5"), e=(1, "a")),
    "objects in an object": lambda: Plain(a=Plain(b=[Plain(), {"c": Plain(d={})}])),
    "a dataclass": lambda: Point(1, ["a"]),
    "a list of objects": lambda: [Point(1), Point(2, ["b"])],
    "a dict of objects": lambda: {("a", 1): Point(1)},
    "safe text": lambda: Plain(text=mark_safe("<b>")),
}


@pytest.mark.parametrize("kind", MOLDABLE)
def test_what_a_mold_makes_is_what_unpickling_makes(kind: str) -> None:
    data = pickle.dumps(MOLDABLE[kind](), 5)
    mold = CODEC.mold(data)
    assert mold is not None
    assert pickle.dumps(mold.make(), 5) == pickle.dumps(pickle.loads(data), 5)
    assert type(mold.make()) is type(pickle.loads(data))


def mutable_parts(value: Any, found: dict[int, Any]) -> dict[int, Any]:
    """Return all that can be changed in a value, by identity."""
    parts: list[Any] = []
    if isinstance(value, dict):
        parts += [*value, *value.values()]
    elif isinstance(value, list | tuple):
        parts += value
    if hasattr(value, "__dict__"):
        parts.append(vars(value))
    if isinstance(value, dict | list) or hasattr(value, "__dict__"):
        found[id(value)] = value
    for part in parts:
        if id(part) not in found:
            mutable_parts(part, found)
    return found


@pytest.mark.parametrize("kind", MOLDABLE)
def test_what_a_mold_makes_shares_nothing_that_can_be_changed(kind: str) -> None:
    mold = mold_of(MOLDABLE[kind]())
    one, two = mold.make(), mold.make()
    parts, others = mutable_parts(one, {}), mutable_parts(two, {})
    shared = parts.keys() & others.keys()
    assert not [parts[each] for each in shared if not isinstance(parts[each], str)]


def shared_list() -> Any:
    both = [1]
    return Plain(a=both, b=both)


def cycle() -> Any:
    value = Plain()
    value.me = value
    return value


def with_cookies() -> Any:
    made = response()
    made.set_cookie("a", "b")
    return made


NOT_MOLDABLE: dict[str, Callable[[], Any]] = {
    "one list in two places": shared_list,
    "a cycle": cycle,
    "a response with cookies": with_cookies,
    "what restores itself": lambda: Restored(a=1),
    "what is registered with copyreg": lambda: Registered(a=1),
    "what reduces itself": lambda: Reduced(a=1),
    "what is made with arguments": lambda: WithArguments(a=1),
    "what makes its instances itself": lambda: MadeAgain(a=1),
    "what is finalized": lambda: Closing(a=[1]),
    "what restores itself by an attribute of the instance": lambda: RestoredOnItsOwn(a=1),
    "many small objects, which would take far more": lambda: [Point(n) for n in range(100)],
    "what has slots": lambda: Plain(a=Slotted()),
    "what is another each time": lambda: Counting(a=1),
    "a list with a class of its own": lambda: Plain(a=ListLike([1])),
    "a dict with items and a class of its own": lambda: Plain(a=SimpleCookie({"a": "b"})),
    "a set": lambda: Plain(a={1, 2}),
    "a class": lambda: Plain(a=Plain),
    "plain containers": lambda: {"a": [1, 2, {"b": None}]},
    "what is nested too deeply": lambda: deep(100),
}


def deep(levels: int) -> Any:
    value = Plain()
    for _ in range(levels):
        value = Plain(a=value)
    return value


@pytest.mark.parametrize("kind", NOT_MOLDABLE)
def test_there_is_no_mold_for(kind: str) -> None:
    assert mold_of(NOT_MOLDABLE[kind]()) is None


def test_a_response_with_many_headers_has_a_mold() -> None:
    made = response()
    made.content = b"{}"
    for number in range(40):
        made.headers[f"X-Header-{number}"] = f"some value of header {number}"
    assert mold_of(made) is not None


def test_a_pickle_without_objects_is_not_even_read() -> None:
    """A site's rows are lists and dicts: each time, they would cost more than many hits."""
    read: list[bytes] = []
    rows = pickle.dumps([{"name": str(number)} for number in range(100)])
    assert mold(rows, read.append, pickle.dumps, CODEC._size_if_immutable) is None
    assert not read


def test_there_is_no_mold_with_a_serializer_other_than_pickle() -> None:
    """Whose bytes have no class in them, whatever they look like."""
    codec = make_codec({"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"})
    codec.loads = None
    assert codec.mold(pickle.dumps(response())) is None


def test_what_cannot_be_unpickled_again_has_no_mold() -> None:
    data = pickle.dumps(response()).replace(b"HttpResponse", b"NttpResponse")
    assert CODEC.mold(data) is None


def test_a_mold_accounts_for_more_than_its_bytes() -> None:
    assert mold_of(response()).__sizeof__() > len(pickle.dumps(response()))


# In the cache


@pytest.fixture
def cache(make_caches: Callable[..., Any]) -> Any:
    return make_caches(default=settings_for("memory", ""))["default"]


def held(cache: Any) -> Any:
    return cache._node.memory.entries[cache.make_key("key")]


def hit_until(cache: Any, form: int) -> None:
    for _ in range(10_000):
        cache.get("key")
        if held(cache).form & form:
            return
    raise AssertionError(f"of 10,000 hits none has made the form {form}")


def test_a_response_that_is_hit_often_is_molded_and_stays_each_caller_s_own(cache: Any) -> None:
    cache.set("key", response())
    hit_until(cache, MOLDED)
    one, two = cache.get("key"), cache.get("key")
    one.headers["X"] = "changed"
    one.content = b"changed"
    assert (two.content, dict(two.headers)) == (response().content, dict(response().headers))
    assert cache.get("key").status_code == 203
    assert cache.get("key").reason_phrase == "because"


def test_what_has_no_mold_is_not_tried_again(cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("key", {"a": [1]})
    hit_until(cache, FIXED)
    monkeypatch.setattr(cache._node.codec, "mold", None)
    for _ in range(200):
        assert cache.get("key") == {"a": [1]}


def test_a_molded_entry_keeps_deadline_bytes_grace_and_tags(cache: Any) -> None:
    cache.get_or_set("key", response, timeout=60, grace=60, tags=["t"])
    before, held_before = cache.ttl("key"), held(cache).held
    bytes_before = cache.stats().bytes
    hit_until(cache, MOLDED)
    assert before - 5 <= cache.ttl("key") <= before
    assert (held(cache).held.until, held(cache).held.meta) == (held_before.until, held_before.meta)
    assert cache.stats().bytes > bytes_before
    assert cache.get("key").status_code == 203
    cache.evict_tags("t")
    assert cache.get("key") is None


def test_a_mold_for_which_there_is_no_room_is_not_held(make_caches: Callable[..., Any]) -> None:
    bounds = {"MAX_BYTES": 12_000, "MAX_ENTRY_BYTES": 6_000}
    cache = make_caches(default=settings_for("memory", "", OPTIONS=bounds))["default"]
    cache.set("key", response())
    hit_until(cache, FIXED)
    assert held(cache).form & SERIALIZED
    assert cache.get("key").status_code == 203


def test_an_incremented_version_and_a_copy_of_a_molded_value_are_right(cache: Any) -> None:
    cache.set("key", Point(1, ["a"]), timeout=60)
    hit_until(cache, MOLDED)
    assert copy.deepcopy(cache.get("key")) == Point(1, ["a"])
    cache.incr_version("key")
    assert cache.get("key", version=2) == Point(1, ["a"])
    assert cache.touch("key", 30, version=2)
    assert cache.get("key", version=2) == Point(1, ["a"])


@pytest.fixture
def molded_before_a_write(cache: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a hit of another thread recast the entry between its look-up and the next write."""
    put = cache._node.memory.put

    def recast_and_put(*args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        cache._local.cast(held(cache))
        assert held(cache).form & MOLDED
        return put(*args, **options)

    def begin() -> None:
        monkeypatch.setattr(cache._node.memory, "put", recast_and_put)

    return begin


def test_what_is_molded_meanwhile_can_be_touched(cache: Any, molded_before_a_write: Any) -> None:
    cache.set("key", response(), 60, tags=["t"])
    molded_before_a_write()
    assert cache.touch("key", 30)
    assert 25 <= cache.ttl("key") <= 30


def test_what_is_molded_meanwhile_is_no_obstacle_to_a_new_entry(
    cache: Any, molded_before_a_write: Any
) -> None:
    cache.set("key", response(), 60, tags=["t"])
    cache.evict_tags("t")
    molded_before_a_write()
    assert cache.add("key", "new")
    assert cache.get("key") == "new"


@pytest.mark.parametrize("value", [("text",) * 100 + ("x" * 1000,), response(), {"a": [1]}])
def test_a_touched_entry_accounts_for_as_much_as_before(cache: Any, value: Any) -> None:
    cache.set("key", value, 60, tags=["t"])
    before = cache.stats().bytes
    for _ in range(3):
        assert cache.touch("key", 30)
    assert cache.stats().bytes == before
