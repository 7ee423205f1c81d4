"""`OPTIONS` are parsed once, loudly: what is accepted, what it means, and how refusals read."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.support.caches import DEAD, settings_for, unique_prefix
from tiercache.options import (
    BACKPLANES,
    FALLBACKS,
    Options,
    Problem,
    is_memory_only,
    own,
    parse,
    problems,
)
from tiercache.policies import POLICIES

VALID = [
    ("MAX_ENTRIES", 1, "max_entries", 1),
    ("MAX_ENTRIES", 250_000, "max_entries", 250_000),
    ("MAX_BYTES", 1, "max_bytes", 1),
    ("MAX_BYTES", "4096", "max_bytes", 4096),
    ("MAX_BYTES", "512B", "max_bytes", 512),
    ("MAX_BYTES", "20kB", "max_bytes", 20_000),
    ("MAX_BYTES", "3MB", "max_bytes", 3_000_000),
    ("MAX_BYTES", "1GB", "max_bytes", 10**9),
    ("MAX_BYTES", "8KiB", "max_bytes", 8192),
    ("MAX_BYTES", "64MiB", "max_bytes", 64 * 2**20),
    ("MAX_BYTES", "2GiB", "max_bytes", 2**31),
    ("MAX_BYTES", " 1.5 mib ", "max_bytes", 3 * 2**19),
    ("MAX_ENTRY_BYTES", 1000, "max_entry_bytes", 1000),
    ("MAX_ENTRY_BYTES", "1MiB", "max_entry_bytes", 2**20),
    *(("POLICY", name, "policy", name) for name in POLICIES),
    ("MEMORY_TIMEOUT", 5, "memory_timeout", 5.0),
    ("MEMORY_TIMEOUT", 0.25, "memory_timeout", 0.25),
    ("MEMORY_TIMEOUT", None, "memory_timeout", math.inf),
    ("TIME_BUDGET", 2, "time_budget", 2.0),
    ("TIME_BUDGET", 0.05, "time_budget", 0.05),
    *(("BACKPLANE", name, "backplane", name) for name in BACKPLANES),
    ("GRACE", 0, "grace", 0.0),
    ("GRACE", 2.5, "grace", 2.5),
    ("JITTER", 0, "jitter", 0.0),
    ("JITTER", 0.1, "jitter", 0.1),
    ("LEASE", 5, "lease", 5.0),
    ("LOAD_RETRY", 0.5, "load_retry", 0.5),
    ("REPORT", 30, "report", 30.0),
    ("REPORT", None, "report", math.inf),
    ("ON_COMMIT", True, "on_commit", "default"),
    ("ON_COMMIT", False, "on_commit", None),
    ("ON_COMMIT", "other", "on_commit", "other"),
    ("FALLBACK", "memory", "raises", False),
    ("FALLBACK", "raise", "raises", True),
]

NOT_COUNTS = (0, -1, 1.0, 2.5, "10", "", None, True, [1], math.nan)
NOT_SIZES = (
    *(0, -1, 1.5, None, False, b"64MiB", [64], math.inf),
    *("", "MiB", "64 MiBs", "64M", "-1MiB", "0", "0.4", "1e6", "64,5MiB", "1 000", "0x10"),
    "9" * 400,
)
NOT_SECONDS = (0, 0.0, -1, -0.5, "1", "", True, [1], math.inf, -math.inf, math.nan)
NOT_NAMES = ("", "LRU!", "S3FIFO", None, True, 1, ["raise"], ("s3fifo",))

INVALID = [
    *(("MAX_ENTRIES", value, ["entries", "1 or more"]) for value in NOT_COUNTS),
    *(("MAX_BYTES", value, ["bytes", "1 or more", "MiB"]) for value in NOT_SIZES),
    *(("MAX_ENTRY_BYTES", value, ["bytes", "1 or more", "MiB"]) for value in NOT_SIZES),
    *(("POLICY", value, [repr(name) for name in POLICIES]) for value in NOT_NAMES),
    *(("MEMORY_TIMEOUT", value, ["seconds", "above 0", "None"]) for value in NOT_SECONDS),
    *(("TIME_BUDGET", value, ["seconds", "above 0"]) for value in (*NOT_SECONDS, None)),
    *(("BACKPLANE", value, [repr(name) for name in BACKPLANES]) for value in NOT_NAMES),
    *(("FALLBACK", value, [repr(name) for name in FALLBACKS]) for value in NOT_NAMES),
    *(("GRACE", value, ["seconds", "0 or more"]) for value in (*NOT_SECONDS[2:], False)),
    *(("JITTER", value, ["from 0 to below 1"]) for value in (-0.1, 1, 1.5, "0.1", None, True)),
    *(("LEASE", value, ["seconds", "above 0"]) for value in (*NOT_SECONDS, None)),
    *(("LOAD_RETRY", value, ["seconds", "above 0"]) for value in (*NOT_SECONDS, None)),
    *(("REPORT", value, ["seconds", "above 0", "None"]) for value in NOT_SECONDS),
    *(("ON_COMMIT", value, ["True", "False", "alias"]) for value in ("", None, 1, ["default"])),
]


def short(value: object) -> str:
    return repr(value)[:20]


@pytest.mark.parametrize(("name", "value", "field", "parsed"), VALID, ids=short)
def test_a_valid_value_is_read(name: str, value: Any, field: str, parsed: Any) -> None:
    """Each option has the meaning and the unit that its field says."""
    assert getattr(parse({name: value}), field) == parsed


def test_every_own_option_is_tried_here() -> None:
    """An option that is added has to be added to these tests."""
    names = frozenset(name for name, *_ in VALID)
    assert own(dict.fromkeys(names)) == names
    with pytest.raises(Problem) as caught:
        parse({"NO_SUCH_OPTION": 1})
    known = str(caught.value).partition("known:")[2].partition(";")[0]
    assert {part.strip(" '") for part in known.split(",")} == names


def test_no_options_are_the_defaults() -> None:
    """Nothing has to be set."""
    assert parse({}) == Options()
    assert Options() == Options(
        max_entries=10_000,
        max_bytes=64 * 2**20,
        max_entry_bytes=8 * 2**20,
        policy="s3fifo",
        memory_timeout=math.inf,
        time_budget=1.0,
        backplane="pubsub",
        raises=False,
    )


@pytest.mark.parametrize(
    ("max_bytes", "share"),
    [("64MiB", 8 * 2**20), (4096, 512), (15, 1), (7, 1), (1, 1)],
)
def test_one_entry_may_take_an_eighth_of_the_bytes(max_bytes: Any, share: int) -> None:
    """Without MAX_ENTRY_BYTES its default follows MAX_BYTES, and is never nothing."""
    assert parse({"MAX_BYTES": max_bytes}).max_entry_bytes == share
    assert parse({"MAX_BYTES": max_bytes, "MAX_ENTRY_BYTES": 99}).max_entry_bytes == 99


@pytest.mark.parametrize(("name", "value", "allowed"), INVALID, ids=short)
def test_an_impossible_value_is_refused(name: str, value: Any, allowed: list[str]) -> None:
    """The message names the option, the alias, the value and what is allowed."""
    with pytest.raises(ImproperlyConfigured) as caught:
        parse({name: value}, alias="shop")
    message = str(caught.value)
    assert caught.value.option == name
    before, _, after = message.partition("allowed:")
    assert name in before
    assert "'shop'" in before
    assert repr(value) in before
    for part in allowed:
        assert part in after


@pytest.mark.parametrize(("name", "value", "allowed"), INVALID[::7], ids=short)
def test_a_cache_with_an_impossible_option_is_not_made(
    make_caches: Any, name: str, value: Any, allowed: list[str]
) -> None:
    """The refusal reaches whoever asks Django for the cache, with the alias in it."""
    with pytest.raises(ImproperlyConfigured, match=r"of cache 'shop'"):
        make_caches(shop=settings_for("memory", "", OPTIONS={name: value}))


def test_every_problem_is_found() -> None:
    """All that is wrong can be shown at once, not the first alone."""
    found = {
        problem.option
        for problem in problems({"MAX_ENTRIES": 0, "POLICY": "x", "MAX_ENTRYS": 5, "TIMEOUT": 1})
    }
    assert found == {"MAX_ENTRIES", "POLICY", "MAX_ENTRYS", "TIMEOUT"}


@pytest.mark.parametrize("name", ["MAX_ENTRYS", "max_entries", "POOL", "TIMEOUT", ""])
def test_an_unknown_option_is_refused(name: str) -> None:
    """The message names it, the alias and all valid names, django-redis's among them."""
    with pytest.raises(Problem) as caught:
        parse({name: 1}, alias="shop")
    message = str(caught.value)
    for part in (repr(name), "'shop'", "'MAX_ENTRIES'", "'FALLBACK'", "'COMPRESSOR'"):
        assert part in message


def test_cull_frequency_is_refused_with_its_reason() -> None:
    """Who comes from LocMemCache learns that nothing is culled, and what to look at instead."""
    with pytest.raises(Problem, match=r"CULL_FREQUENCY.*does not cull.*POLICY"):
        parse({"CULL_FREQUENCY": 3})


@pytest.mark.parametrize(
    "options",
    [
        {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
        {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"},
        {"CONNECTION_POOL_KWARGS": {"max_connections": 5}, "PASSWORD": "x", "USERNAME": "y"},
        {"SOCKET_TIMEOUT": 0.5, "SOCKET_CONNECT_TIMEOUT": None, "PICKLE_VERSION": 4},
        {"IGNORE_EXCEPTIONS": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_options_of_django_redis_are_accepted(options: dict[str, Any]) -> None:
    """They are not ours to judge, and change none of ours."""
    assert parse(options) == Options()


@pytest.mark.parametrize(
    "options",
    [{"SOCKET_TIMEOUT": 0}, {"SOCKET_CONNECT_TIMEOUT": "1"}, {"IGNORE_EXCEPTIONS": "yes"}],
    ids=lambda options: next(iter(options)),
)
def test_an_option_that_both_read_is_checked(options: dict[str, Any]) -> None:
    """What decides how long a call takes, or whether it raises, cannot be nonsense."""
    (name,) = options
    with pytest.raises(Problem, match=f"{name}.*allowed"):
        parse(options)


@pytest.mark.parametrize("name", ["SERIALIZER", "COMPRESSOR", "CLIENT_CLASS", "CONNECTION_FACTORY"])
def test_a_class_of_ones_own_may_have_options_of_its_own(name: str) -> None:
    """Only with such a class is an unknown name not a mistake; ours are checked all the same."""
    foreign = {name: "shop.cache.Own", "SECRET_SAUCE": 1}
    assert parse(foreign) == Options()
    with pytest.raises(Problem, match="MAX_ENTRIES"):
        parse({**foreign, "MAX_ENTRIES": 0})
    with pytest.raises(Problem, match="SECRET_SAUCE"):
        parse({name: "django_redis.anything.Known", "SECRET_SAUCE": 1})


@pytest.mark.parametrize(
    "path",
    [
        "django_redis.client.HerdClient",
        "django_redis.client.herd.HerdClient",
        "django_redis.client.ShardClient",
        "django_redis.client.sharded.ShardClient",
    ],
)
def test_clients_of_another_format_are_refused(path: str) -> None:
    """The message says why, and which clients do."""
    with pytest.raises(Problem, match=r"'shop'.*cannot sit on.*allowed: .*DefaultClient") as caught:
        parse({"CLIENT_CLASS": path}, alias="shop")
    assert path in str(caught.value)
    assert caught.value.option == "CLIENT_CLASS"


@pytest.mark.parametrize(
    ("options", "raises"),
    [
        ({}, False),
        ({"IGNORE_EXCEPTIONS": True}, False),
        ({"IGNORE_EXCEPTIONS": False}, True),
        ({"IGNORE_EXCEPTIONS": False, "FALLBACK": "raise"}, True),
        ({"IGNORE_EXCEPTIONS": True, "FALLBACK": "memory"}, False),
    ],
    ids=repr,
)
def test_ignore_exceptions_is_understood(options: dict[str, Any], raises: bool) -> None:
    """Who says explicitly that exceptions are not to be ignored gets them."""
    assert parse(options).raises is raises


@pytest.mark.parametrize(("fallback", "ignored"), [("raise", True), ("memory", False)], ids=repr)
def test_a_contradiction_is_refused(fallback: str, ignored: bool) -> None:
    """FALLBACK and IGNORE_EXCEPTIONS cannot say opposite things, in either direction."""
    with pytest.raises(Problem, match=r"'shop'.*IGNORE_EXCEPTIONS.*contradict"):
        parse({"FALLBACK": fallback, "IGNORE_EXCEPTIONS": ignored}, alias="shop")


@pytest.mark.parametrize("location", [None, "", "memory://", "memory://shop"])
def test_a_location_without_a_server_is_memory_alone(location: Any) -> None:
    """No LOCATION, or one of our own scheme."""
    assert is_memory_only(location)


@pytest.mark.parametrize(
    "location",
    ["redis://127.0.0.1:6379/0", "unix:///run/redis.sock", ["redis://a/0", "redis://b/0"]],
    ids=repr,
)
def test_a_location_with_a_server_is_not(location: Any) -> None:
    """A URL, or several of which the first is the primary."""
    assert not is_memory_only(location)


@pytest.mark.parametrize(
    "location", [5, b"redis://a/0", [], {}, ["redis://a/0", 5], [""], object], ids=repr
)
def test_a_location_of_another_kind_is_refused(make_caches: Any, location: Any) -> None:
    """Neither text nor a list of texts: the message says what is allowed."""
    with pytest.raises(ImproperlyConfigured, match=r"LOCATION.*allowed"):
        make_caches(shop={**settings_for("memory", ""), "LOCATION": location})


@pytest.mark.parametrize(
    "location", ["localhost:6379", "http://127.0.0.1/0", "redis:127.0.0.1", "redis://h:port/0"]
)
def test_a_url_that_cannot_be_is_refused(make_caches: Any, location: str) -> None:
    """What redis-py would not understand is found when the cache is made, not when it is used."""
    with pytest.raises(ImproperlyConfigured, match="LOCATION"):
        make_caches(shop={**settings_for("memory", ""), "LOCATION": location})


def test_options_reach_the_memory_tier(make_caches: Any) -> None:
    """What is parsed is what holds."""
    conf = settings_for("memory", "", OPTIONS={"MAX_ENTRIES": 10, "POLICY": "fifo"})
    cache = make_caches(shop=conf)["shop"]
    for number in range(30):
        cache.set(f"key{number}", number)
    assert cache.stats().entries == 10
    assert [cache.get(f"key{number}") for number in range(20, 30)] == list(range(20, 30))


def test_a_budget_is_the_socket_timeout_unless_one_is_given(make_caches: Any) -> None:
    """A socket of django-redis's own calls waits no longer than any other call."""
    base = {"BACKEND": settings_for("memory", "")["BACKEND"], "LOCATION": f"{DEAD}/0"}
    made = make_caches(
        ours={**base, "KEY_PREFIX": unique_prefix(), "OPTIONS": {"TIME_BUDGET": 0.3}},
        theirs={
            **base,
            "LOCATION": f"{DEAD}/1",
            "OPTIONS": {"TIME_BUDGET": 0.3, "SOCKET_TIMEOUT": 7, "SOCKET_CONNECT_TIMEOUT": 8},
        },
    )
    kwargs = {
        alias: cache.client.get_client(write=True).connection_pool.connection_kwargs
        for alias, cache in made.items()
    }
    names = ("socket_timeout", "socket_connect_timeout")
    assert [kwargs["ours"][name] for name in names] == [0.3, 0.3]
    assert [kwargs["theirs"][name] for name in names] == [7, 8]
