"""Each system check appears exactly when it should.

Django's own checks of the tag "caches" make every cache, so where one cannot be made they raise
before any error could be shown. What is asked for by name (`shown`) does not depend on that.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django_redis.serializers.json import JSONSerializer

from tests.support.caches import DEAD, DJANGO_REDIS, TIERED
from tiercache.backend import TieredCache
from tiercache.checks import check_caches

JSON = "django_redis.serializers.json.JSONSerializer"
MSGPACK = "django_redis.serializers.msgpack.MSGPackSerializer"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
LEVELS = {"E": checks.Error, "W": checks.Warning, "I": checks.Info}


class Own(JSONSerializer):
    """A serializer of which we know nothing."""


class Derived(TieredCache):
    """A site's own class on ours."""


def conf(**overrides: Any) -> dict[str, Any]:
    """Settings with which nothing is wrong."""
    return {
        "BACKEND": TIERED,
        "LOCATION": f"{DEAD}/0",
        "KEY_PREFIX": "shop",
        "OPTIONS": {"SERIALIZER": JSON},
    } | overrides


def options(**more: Any) -> dict[str, Any]:
    return conf(OPTIONS={"SERIALIZER": JSON, **more})


def shown(**aliases: dict[str, Any]) -> list[Any]:
    with override_settings(CACHES={"default": {"BACKEND": DUMMY}, **aliases}):
        return check_caches()


def found(**aliases: dict[str, Any]) -> list[Any]:
    """Ask as `manage.py check` does."""
    with override_settings(CACHES={"default": {"BACKEND": DUMMY}, **aliases}):
        messages = checks.run_checks(tags=["caches"])
    return [message for message in messages if message.id.startswith("tiercache.")]


@pytest.mark.parametrize(
    "clean",
    [
        conf(),
        options(MAX_BYTES="64MiB", FALLBACK="raise", IGNORE_EXCEPTIONS=False),
        conf(OPTIONS={"SERIALIZER": MSGPACK}),
        {"BACKEND": TIERED},
        {"BACKEND": TIERED, "LOCATION": "memory://shop", "TIMEOUT": None},
        {"BACKEND": TIERED, "OPTIONS": {"MAX_ENTRIES": 5}},
        conf(LOCATION=[f"{DEAD}/0"]),
        conf(TIMEOUT=None, OPTIONS={"SERIALIZER": JSON, "MEMORY_TIMEOUT": 60}),
    ],
    ids=lambda clean: repr(sorted(clean)),
)
def test_clean_settings_give_nothing(clean: dict[str, Any]) -> None:
    """Neither an error nor advice."""
    assert found(shop=clean) == []


CASES = [
    ("E001", options(MAX_ENTRYS=5), ["'MAX_ENTRYS'", "known:"]),
    ("E001", options(CULL_FREQUENCY=3), ["'CULL_FREQUENCY'", "POLICY"]),
    ("E002", options(MAX_ENTRIES=0), ["MAX_ENTRIES", "allowed:"]),
    ("E002", options(POLICY="lifo"), ["'lifo'", "'s3fifo'"]),
    ("E002", options(FALLBACK="raise", IGNORE_EXCEPTIONS=True), ["IGNORE_EXCEPTIONS"]),
    ("E002", options(CLIENT_CLASS="django_redis.client.HerdClient"), ["HerdClient"]),
    ("E002", conf(LOCATION=5), ["LOCATION", "allowed:"]),
    ("E002", conf(LOCATION="http://127.0.0.1/0"), ["LOCATION"]),
    ("E002", conf(BACKEND=f"{__name__}.Derived", LOCATION=5), ["LOCATION"]),
    ("W001", conf(TIMEOUT=None), ["never expire", "MEMORY_TIMEOUT"]),
    ("W002", conf(KEY_PREFIX=""), ["KEY_PREFIX", "clear()"]),
    ("I002", conf(OPTIONS={}), ["unpickles", "SERIALIZER"]),
    ("I002", conf(OPTIONS={"SERIALIZER": f"{__name__}.Own"}), ["unpickles"]),
    ("I003", conf(LOCATION=[f"{DEAD}/0", f"{DEAD}/1"]), ["replica"]),
    ("I003", conf(LOCATION=f"{DEAD}/0,{DEAD}/1"), ["replica"]),
    ("I001", {"BACKEND": TIERED, "OPTIONS": {"FALLBACK": "raise"}}, ["FALLBACK", "no Redis tier"]),
]


@pytest.mark.parametrize(
    ("name", "wrong", "words"), CASES, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]
)
def test_each_mistake_has_its_id(name: str, wrong: dict[str, Any], words: list[str]) -> None:
    """One message, of its level, about its alias, that says what to do."""
    (message,) = shown(shop=wrong) if name[0] == "E" else found(shop=wrong)
    assert message.id == f"tiercache.{name}"
    assert isinstance(message, LEVELS[name[0]])
    assert message.obj == "shop"
    assert "'shop'" in message.msg or "LOCATION" in message.msg
    for word in words:
        assert word in f"{message.msg} {message.hint}"


def test_several_mistakes_are_all_shown() -> None:
    """Every one of every alias, in one run."""
    messages = shown(a=options(MAX_ENTRIES=0, POOL=5), b=conf(LOCATION=5), c=conf(KEY_PREFIX=""))
    assert sorted((message.obj, message.id) for message in messages) == [
        ("a", "tiercache.E001"),
        ("a", "tiercache.E002"),
        ("b", "tiercache.E002"),
        ("c", "tiercache.W002"),
    ]


def test_aliases_that_contradict_each_other_are_an_error() -> None:
    """E003 names both aliases and the option."""
    (message,) = shown(a=options(MAX_ENTRIES=5), b=options(MAX_ENTRIES=6))
    assert message.id == "tiercache.E003"
    assert isinstance(message, checks.Error)
    for word in ("'a'", "'b'", "'MAX_ENTRIES'"):
        assert word in message.msg


@pytest.mark.parametrize(
    "other",
    [
        conf(KEY_PREFIX="other", VERSION=2, TIMEOUT=5),
        options(TIME_BUDGET=0.1),
        options(FALLBACK="raise"),
        conf(LOCATION=f"{DEAD}/1", OPTIONS={"SERIALIZER": JSON, "MAX_ENTRIES": 6}),
        conf(OPTIONS={"SERIALIZER": MSGPACK, "MAX_ENTRIES": 6}),
    ],
    ids=["names", "budget", "fallback", "database", "serializer"],
)
def test_aliases_that_may_differ_are_no_error(other: dict[str, Any]) -> None:
    """What is the alias's own may differ, and so may everything on another store."""
    assert found(a=conf(), b=other) == []


@pytest.mark.parametrize("name", ["E001", "E002"])
def test_an_error_ends_the_check_command(name: str) -> None:
    """With the words of the check, whether ours is reached or a check of Django's raises."""
    for each, wrong, words in CASES:
        if each != name:
            continue
        try:
            text = " ".join(f"{message.msg} {message.hint}" for message in found(shop=wrong))
        except ImproperlyConfigured as exc:
            text = str(exc)
        assert all(word in text for word in words)


def test_an_alias_with_errors_gets_no_advice() -> None:
    """First things first."""
    (message,) = shown(shop=conf(KEY_PREFIX="", TIMEOUT=None, OPTIONS={"MAX_ENTRIES": 0}))
    assert message.id == "tiercache.E002"


@pytest.mark.parametrize(
    "backend",
    [DJANGO_REDIS, "django.core.cache.backends.locmem.LocMemCache", "no.such.Backend", DUMMY],
)
def test_other_backends_are_ignored(backend: str) -> None:
    """Whatever their settings look like."""
    assert shown(theirs={"BACKEND": backend, "LOCATION": "x", "OPTIONS": {"MAX_ENTRYS": 0}}) == []


@pytest.mark.parametrize("part", ["KEY_PREFIX", "TIMEOUT"])
def test_a_message_shows_no_password(part: str) -> None:
    """Check output ends up in build logs."""
    wrong = conf(LOCATION="redis://:hunter2@127.0.0.1:port/0")
    wrong.pop(part, None)
    for message in shown(shop=wrong):
        assert "hunter2" not in f"{message.msg} {message.hint}"
