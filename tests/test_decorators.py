"""`cached`: how calls are named, what is computed once, and what is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import functools
import inspect
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString

from tests.support.waiting import aeventually, eventually
from tiercache.decorators import cached
from tiercache.loading import current_load
from tiercache.naming import LONGEST

calls: list[Any] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


@cached(timeout=60)
def price(symbol: Any, places: int = 2) -> Any:
    """Return a price."""
    calls.append((symbol, places))
    return symbol, places


@cached(timeout=60)
async def aprice(symbol: Any, places: int = 2) -> Any:
    calls.append((symbol, places))
    return symbol, places


@cached(timeout=60)
def anything(first: Any, /, *rest: Any, only: Any = 1, **more: Any) -> Any:
    calls.append(first)
    return first


NAME = f"{__name__}."


# What is computed


def test_a_call_is_computed_once(cache: Any) -> None:
    assert price("EUR") == price("EUR") == ("EUR", 2)
    assert price("USD") == ("USD", 2)
    assert calls == [("EUR", 2), ("USD", 2)]


async def test_a_call_of_a_coroutine_function_is_computed_once(cache: Any) -> None:
    assert await aprice("EUR") == await aprice("EUR") == ("EUR", 2)
    assert calls == [("EUR", 2)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_none_is_a_result(cache: Any, kind: str) -> None:
    function = nothing if kind == "sync" else lambda: asyncio.run(anothing())
    assert function() is function() is None
    assert calls == ["nothing"]


@cached(timeout=60)
def nothing() -> None:
    calls.append("nothing")


@cached(timeout=60)
async def anothing() -> None:
    calls.append("nothing")


def test_threads_share_one_computation(make_cache: Any) -> None:
    make_cache()
    entered, leave = threading.Event(), threading.Event()

    @cached(timeout=60, key="slow:{number}")
    def slow(number: int) -> int:
        calls.append(number)
        entered.set()
        leave.wait(20)
        return number

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(slow(1))) for _ in range(5)]
    threads[0].start()
    assert entered.wait(20)
    for thread in threads[1:]:
        thread.start()
    leave.set()
    for thread in threads:
        thread.join(20)
    assert results == [1] * 5
    assert calls == [1]


async def test_tasks_share_one_computation(cache: Any) -> None:
    leave = asyncio.Event()

    @cached(timeout=60, key="slow")
    async def slow() -> int:
        calls.append(1)
        await leave.wait()
        return 1

    tasks = [asyncio.create_task(slow()) for _ in range(5)]
    await aeventually(lambda: calls)
    leave.set()
    assert await asyncio.gather(*tasks) == [1] * 5
    assert calls == [1]


def test_it_may_call_itself(cache: Any) -> None:
    @cached(timeout=60)
    def fibonacci(n: int) -> int:
        calls.append(n)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(20) == 6765
    # Memory alone keeps no result whose stripe was changed meanwhile, so a few are computed again.
    assert len(calls) < 40


def test_an_error_is_raised_and_not_kept(cache: Any) -> None:
    @cached(key="failing")
    def failing() -> int:
        calls.append(1)
        raise KeyError("no")

    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            failing()
    assert len(calls) == 2


# Evict, refresh, key_for


def test_evict_takes_arguments_in_any_form(cache: Any) -> None:
    price("EUR")
    assert price.evict(places=2, symbol="EUR") is True
    assert price.evict("EUR") is False
    price("EUR")
    assert len(calls) == 2


def test_refresh_computes_in_any_case(cache: Any) -> None:
    price("EUR")
    assert price.refresh(symbol="EUR") == ("EUR", 2)
    price("EUR")
    assert len(calls) == 2


async def test_evict_and_refresh_of_a_coroutine_function_are_awaited(cache: Any) -> None:
    await aprice("EUR")
    assert await aprice.evict("EUR", places=2) is True
    assert await aprice.evict("EUR") is False
    await aprice("EUR")
    assert await aprice.refresh("EUR") == ("EUR", 2)
    assert len(calls) == 3


def test_key_for_is_the_key_in_the_cache(cache: Any) -> None:
    price("EUR")
    assert cache.get(price.key_for("EUR")) == ("EUR", 2)
    assert price.key_for("EUR") == f"{NAME}price(symbol='EUR',places=2)"
    assert aprice.key_for("EUR") == f"{NAME}aprice(symbol='EUR',places=2)"


# Options


def test_tags_may_name_arguments(cache: Any) -> None:
    @cached(tags=("prices", "symbol:{symbol}"), key="tagged:{symbol}:{places}")
    def tagged(symbol: str, places: int = 2) -> None:
        calls.append(symbol)

    for symbol in ("EUR", "US D"):
        tagged(symbol)
    cache.evict_tags("symbol:US D")
    tagged("EUR")
    tagged("US D")
    assert calls == ["EUR", "US D", "US D"]
    cache.evict_tags("prices")
    tagged("EUR")
    assert len(calls) == 4


def test_tags_may_be_a_function_of_the_arguments(cache: Any) -> None:
    @cached(tags=lambda symbol, places: [f"{symbol}{places}"], key="tagged:{symbol}")
    def tagged(symbol: str, places: int = 2) -> None:
        calls.append(symbol)

    tagged(symbol="EUR")
    cache.evict_tags("EUR2")
    tagged("EUR")
    assert len(calls) == 2


def test_the_load_is_at_hand_inside(cache: Any) -> None:
    @cached(key="inside")
    def inside() -> None:
        calls.append(1)
        load = current_load()
        assert load is not None
        load.tag("from-inside")

    inside()
    inside()
    cache.evict_tags("from-inside")
    inside()
    assert len(calls) == 2


def test_a_stale_result_is_served_while_it_is_computed_anew(make_cache: Any) -> None:
    cache = make_cache()
    number = iter(range(1, 1000))

    @cached(timeout=0.05, grace=60, key="grace")
    def count() -> int:
        return next(number)

    assert count() == 1
    # Nobody waits for the new one: each call answers with what there is.
    eventually(lambda: count() > 1)
    assert cache.get_or_set("grace", 0, grace=60) > 1


def test_timeout_and_version_are_those_given(make_cache: Any) -> None:
    cache = make_cache()

    @cached(timeout=1000, version=7, key="versioned")
    def versioned() -> int:
        calls.append(1)
        return 1

    versioned()
    assert 900 < cache.ttl("versioned", version=7) <= 1000
    assert cache.get("versioned") is None
    assert versioned.evict() is True
    versioned()
    assert len(calls) == 2


def test_a_budget_bounds_the_wait(make_cache: Any) -> None:
    make_cache()
    leave = threading.Event()

    @cached(budget=0.05, key="slow")
    def slow() -> bool:
        return leave.wait(20)

    with pytest.raises(TimeoutError, match="slow"):
        slow()
    leave.set()
    eventually(lambda: slow() is True)


def test_the_cache_is_looked_up_at_each_call(make_cache: Any) -> None:
    for _ in range(2):
        make_cache("memory", LOCATION="memory://anew")
        price("EUR")
        price("EUR")
    assert len(calls) == 2


def test_another_backend_is_refused_when_it_is_called() -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    with override_settings(CACHES={"default": {"BACKEND": backend}}):
        with pytest.raises(
            ImproperlyConfigured, match=rf"price.*'default'.*{backend}.*TieredCache"
        ):
            price("EUR")
        with pytest.raises(ImproperlyConfigured, match="TieredCache"):
            asyncio.run(aprice("EUR"))


# Names


@pytest.mark.parametrize(
    "call",
    [
        lambda: price.key_for("EUR", 2),
        lambda: price.key_for("EUR", places=2),
        lambda: price.key_for(symbol="EUR"),
        lambda: price.key_for(places=2, symbol="EUR"),
    ],
)
def test_the_same_call_has_one_key_however_it_is_written(call: Any) -> None:
    assert call() == price.key_for("EUR")


class Color(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):  # noqa: UP042 - the old form is met as well
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Pair:
    x: Any
    y: int = 0


@dataclass(frozen=True)
class OtherPair(Pair):
    pass


class Shop:
    def __init__(self, name: Any) -> None:
        self.name = name

    def __cache_key__(self) -> Any:
        return self.name


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

APART = [
    None,
    1,
    "1",
    b"1",
    1.0,
    True,
    Decimal(1),
    Decimal("1.0"),
    "None",
    "True",
    "a b",
    "a\\x20b",
    "a_b",
    "a\nb",
    "ü",
    (),
    (1,),
    (1, 2),
    ((1,), 2),
    ("1,2",),
    frozenset({1}),
    frozenset({"1"}),
    dt.date(2026, 1, 1),
    dt.datetime(2026, 1, 1),  # noqa: DTZ001 - a naive one
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    NOON,
    dt.time(12),
    dt.timedelta(seconds=1),
    UUID(int=1),
    Color.RED,
    Word.RED,
    "red",
    Point(1, 2),
    Pair(1),
    Pair("1"),
    OtherPair(1),
    Shop("a"),
    Shop(1),
    Shop,
    Pair,
    User(pk=1, username="x"),
    Group(pk=1),
]


def test_different_values_have_different_keys_without_a_warning(make_cache: Any) -> None:
    cache = make_cache("memory")
    for value in APART:
        if isinstance(value, User | Group):
            value._state.adding = False
    keys = [price.key_for(value) for value in APART]
    assert len(set(keys)) == len(APART)
    for key in keys:
        assert key.startswith(f"{NAME}price(symbol=")
        cache.get(key)  # warnings are errors here


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NOON, NOON.astimezone(dt.timezone(dt.timedelta(hours=5)))),
        (frozenset(map(str, range(50))), frozenset(map(str, reversed(range(50))))),
        (Shop("a"), Shop("a")),
        (SafeString("a"), SafeString("a")),
        (User(pk=1, username="x"), User(pk=1, username="y")),
        (User(pk=1), SimpleLazyObject(lambda: User(pk=1))),
    ],
)
def test_equal_values_have_one_key(one: Any, other: Any) -> None:
    for value in (one, other):
        if isinstance(value, User):
            value._state.adding = False
    assert price.key_for(one) == price.key_for(other)


def test_places_names_and_the_rest_are_told_apart() -> None:
    keys = [
        anything.key_for(1),
        anything.key_for(1, 2),
        anything.key_for(1, only=2),
        anything.key_for(1, first=2),
        anything.key_for(1, a=1, b=2),
        anything.key_for(1, **{"a=1,b": 2}),
    ]
    assert len(set(keys)) == len(keys)
    assert anything.key_for(1, a=1, b=2) == anything.key_for(1, b=2, a=1, only=1)


def test_keys_are_the_same_in_every_process(make_cache: Any) -> None:
    code = (
        "from django.conf import settings; settings.configure()\n"
        "from tiercache.naming import text_of\n"
        "print(text_of((frozenset(map(str, range(40))), 'ü\\u0378', 1.1, True)))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert "'\\xfc\\u0378'" in texts.pop()


def test_a_long_key_begins_readably_and_ends_in_a_digest() -> None:
    one, other = price.key_for("x" * 500), price.key_for("x" * 499 + "y")
    assert len(one) == len(other) == LONGEST
    assert one != other
    assert one.startswith(f"{NAME}price(symbol='xxxx")


def test_a_key_of_ones_own_never_makes_django_warn(make_cache: Any) -> None:
    cache = make_cache("memory")

    @cached(key=lambda text: text)
    def named(text: str) -> str:
        return text

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("a b", "a\x00b", "a_b", "x" * 300, "ü"):
            assert named(text) == text
    assert cache.get("a_b") == "a_b"
    assert cache.get("ü") == "ü"
    assert named.key_for("a b").startswith("a_b~")


def test_a_key_may_be_a_template(cache: Any) -> None:
    @cached(key="price:{symbol}:{at:%Y-%m}:{places}")
    def at(symbol: str, at: dt.date, places: int = 2) -> int:
        return 1

    assert at.key_for("EUR", dt.date(2026, 5, 6)) == "price:EUR:2026-05:2"
    # A value cannot look like two fields.
    assert at.key_for("EUR:2", dt.date(2026, 5, 6)) == "price:EUR%3A2:2026-05:2"
    assert at.key_for("EUR%3A2", dt.date(2026, 5, 6)) == "price:EUR%253A2:2026-05:2"


def test_a_template_writes_values_as_one_would() -> None:
    @cached(key="{value}")
    def plain(value: Any) -> int:
        return 1

    number = UUID(int=1)
    written = {1: "1", None: "None", number: str(number), Color.RED: "red", Word.RED: "red"}
    assert {value: plain.key_for(value) for value in written} == written
    with pytest.raises(TypeError, match=r"'value' is of type builtins\.object"):
        plain.key_for(object())


def test_a_key_function_is_given_all_arguments() -> None:
    @cached(key=lambda symbol, places: f"{symbol}/{places}")
    def keyed(symbol: str, places: int = 2) -> int:
        return 1

    assert keyed.key_for(symbol="EUR") == "EUR/2"


# What is refused


class Opaque:
    pass


@dataclass
class Mutable:
    x: int


@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, {1}, (1, [2]), Opaque(), object(), Mutable(1), print, Pair([]), Shop([])],
    ids=lambda value: type(value).__name__,
)
def test_an_argument_without_a_stable_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"price\(\): the argument 'symbol' is .*allowed.*key="):
        price(value)
    with pytest.raises(TypeError, match=r"the argument 'extra' is .*key="):
        anything.key_for(1, extra=value)


def test_an_unsaved_model_instance_is_refused() -> None:
    for user in (User(), User(pk=5)):
        with pytest.raises(TypeError, match=r"auth\.User that has not been saved"):
            price(user)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match=r"price\(\): missing a required argument: 'symbol'"):
        price()
    with pytest.raises(TypeError, match=r"price\(\): .*'color'"):
        price.evict("EUR", color=1)


def generator() -> Any:
    yield 1


async def agenerator() -> Any:
    yield 1


@functools.wraps(generator)
def wrapped_generator() -> Any:
    return generator()


@pytest.mark.parametrize("function", [generator, agenerator, wrapped_generator])
def test_generators_are_refused(function: Any) -> None:
    with pytest.raises(TypeError, match=r"generator\(\) is a generator.*allowed"):
        cached()(function)


def of_one() -> None: ...


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"key": "{symbl}"}, "the key '{symbl}'.*names 'symbl'; allowed: symbol, places"),
        ({"key": "{}"}, "names ''"),
        ({"key": "{symbol!r}"}, "!r"),
        ({"key": "{symbol}{places}"}, "nothing between two fields"),
        ({"key": "{symbol"}, "the key '{symbol'"),
        ({"key": ""}, "not empty"),
        ({"key": 5}, "key is 5; allowed"),
        ({"tags": ("{x}",)}, "the tag '{x}'.*names 'x'"),
        ({"tags": "name"}, "tags is 'name'; allowed"),
        ({"ignore": ("x",)}, "ignore names 'x'; allowed: symbol, places"),
        ({"ignore": ("symbol",), "key": "x"}, "no meaning with a key"),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_decoration(options: Any, match: str) -> None:
    def function(symbol: str, places: int = 2) -> None: ...

    with pytest.raises((TypeError, ValueError), match=match):
        cached(**options)(function)


@pytest.mark.parametrize("function", [5, Shop, functools.partial(of_one)])
def test_what_is_no_function_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="allowed: a function"):
        cached()(function)


def test_a_function_that_its_name_does_not_tell_needs_a_key() -> None:
    for factor in (2, 3):

        def times(number: int) -> int:
            return number * factor  # noqa: B023 - which is the point

        with pytest.raises(TypeError, match=r"times\(\) depends on factor.*key="):
            cached()(times)
        cached(key=f"times{factor}:{{number}}")(times)
    with pytest.raises(TypeError, match="one of several"):
        cached()(lambda: 1)


def test_a_key_function_must_return_a_text() -> None:
    with pytest.raises(TypeError, match=r"its key function returned 5; allowed"):
        cached(key=lambda: 5)(of_one)()


def test_a_coroutine_from_a_plain_function_is_refused(make_cache: Any) -> None:
    make_cache("memory")

    async def inner() -> int:
        return 1

    @cached(key="hidden")
    def hidden() -> Any:
        return inner()

    with pytest.raises(TypeError, match=r"hidden\(\) returned coroutine.*async def"):
        hidden()


# Methods


class Rates:
    base = "CHF"

    def __init__(self, name: str = "x") -> None:
        self.name = name

    @cached()
    def refused(self) -> int:
        return 1

    @cached(ignore=("self",))
    def shared(self, symbol: str, places: int = 2) -> tuple[str, str]:
        """Return a rate."""
        calls.append(symbol)
        return self.name, symbol

    @cached(key="rate:{self.name}:{symbol}")
    def apart(self, symbol: str) -> tuple[str, str]:
        calls.append(symbol)
        return self.name, symbol

    @cached(ignore=("self",))
    async def ashared(self, symbol: str) -> str:
        calls.append(symbol)
        return symbol

    @cached()
    @classmethod
    def of_class(cls, symbol: str) -> tuple[str, str]:
        calls.append(symbol)
        return cls.base, symbol

    @classmethod
    @cached()
    def of_class_below(cls, symbol: str) -> tuple[str, str]:
        calls.append(symbol)
        return cls.base, symbol

    @cached()
    @staticmethod
    def static(symbol: str) -> str:
        calls.append(symbol)
        return symbol

    @staticmethod
    @cached()
    def static_below(symbol: str) -> str:
        calls.append(symbol)
        return symbol


class DollarRates(Rates):
    base = "USD"


def test_a_method_of_an_object_that_nothing_tells_apart_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Rates\.refused\(\): self is .*ignore=\('self',\).*key="):
        Rates().refused()


def test_self_may_be_left_out(cache: Any) -> None:
    assert Rates("one").shared("EUR") == Rates("two").shared(symbol="EUR") == ("one", "EUR")
    assert Rates().shared.key_for("EUR") == f"{NAME}Rates.shared(symbol='EUR',places=2)"
    assert Rates.shared.key_for(Rates(), "EUR") == Rates().shared.key_for("EUR")
    assert Rates().shared.evict("EUR") is True
    assert Rates("two").shared.refresh("EUR") == ("two", "EUR")


def test_self_may_be_used(cache: Any) -> None:
    assert Rates("one").apart("EUR") == ("one", "EUR")
    assert Rates("two").apart("EUR") == ("two", "EUR")
    assert Rates("two").apart.key_for("EUR") == "rate:two:EUR"


async def test_a_coroutine_method_is_awaited(cache: Any) -> None:
    assert await Rates().ashared("EUR") == await Rates().ashared("EUR") == "EUR"
    assert await Rates().ashared.evict("EUR") is True
    assert calls == ["EUR"]


@pytest.mark.parametrize("name", ["of_class", "of_class_below"])
def test_a_classmethod_tells_classes_apart(cache: Any, name: str) -> None:
    for _ in range(2):
        assert getattr(Rates, name)("EUR") == ("CHF", "EUR")
        assert getattr(DollarRates(), name)("EUR") == ("USD", "EUR")
    assert len(calls) == 2
    assert DollarRates.of_class.evict("EUR") is (name == "of_class")
    assert Rates().of_class.evict(symbol="EUR") is (name == "of_class")


@pytest.mark.parametrize("name", ["static", "static_below"])
def test_a_staticmethod_is_a_function(cache: Any, name: str) -> None:
    assert getattr(Rates, name)("EUR") == getattr(Rates(), name)("EUR") == "EUR"
    assert getattr(Rates, name).evict("EUR") is True
    assert calls == ["EUR"]


def test_a_model_instance_is_told_by_its_primary_key(make_cache: Any) -> None:
    make_cache("memory")

    @cached(key=None)
    def names(self: Any) -> str:
        return str(self.codename)

    record = Permission(pk=5, codename="x")
    record._state.adding = False
    assert names(record) == "x"
    assert "self=auth.Permission(5)" in names.key_for(record)


# What stays of the function


def test_it_looks_like_the_function() -> None:
    assert price.__name__ == "price"
    assert price.__doc__ == "Return a price."
    assert list(inspect.signature(price).parameters) == ["symbol", "places"]
    assert list(inspect.signature(Rates().shared).parameters) == ["symbol", "places"]
    assert not inspect.iscoroutinefunction(price)
    assert inspect.iscoroutinefunction(aprice)
    assert inspect.iscoroutinefunction(Rates().ashared)


def test_a_function_under_other_decorators_keeps_its_name(cache: Any) -> None:
    def noisy(function: Any) -> Any:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            calls.append("noise")
            return function(*args, **kwargs)

        return inner

    function = cached()(noisy(plain))
    assert function.key_for(number=1) == f"{NAME}plain(number=1,other=2)"
    assert function(1) == function(1, 2) == 1
    assert calls == ["noise"]


def plain(number: int, other: int = 2) -> int:
    return number
