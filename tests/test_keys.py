"""Keys: which Django warns about, which fit a glob, and which glob finds a cache's keys."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.cache.backends.base import default_key_func, memcache_key_warnings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support import servers
from tests.support.caches import settings_for, unique_prefix
from tiercache.exceptions import CannotEnumerate
from tiercache.keys import escape, glob, matcher, namespace, warns

SPECIAL = "*?[]^-\\"
PIECES = st.one_of(
    st.sampled_from([*SPECIAL, "ab", "[a-c]", "[^a]", "[^]", "[]", "[", "[a-", "[^a-c", r"\*"]),
    st.sampled_from("abcd"),
)
GLOBS = st.lists(PIECES, min_size=1, max_size=7).map("".join)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
TEXTS = st.text(alphabet=f"abcd{SPECIAL}\n ", min_size=1, max_size=6)
ANY_TEXTS = st.text(alphabet=f"abé€😀{SPECIAL}", min_size=1, max_size=5)


@settings(deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="ab \x7f\x00é\t~!", max_size=300)))
@example("x" * 250)
@example("x" * 251)
@example("é" * 250)
@example("a b")
@example("\x7f")
@example("\xa0\u2028")
def test_warnings_are_those_of_django(key: str) -> None:
    """For every text, the quick answer is the answer of Django's own function."""
    assert warns(key) is bool(list(memcache_key_warnings(key)))


@pytest.fixture(scope="module")
def server() -> Any:
    """A database of its own on the shared server, since patterns see all keys."""
    client = servers.shared().client
    client.execute_command("SELECT", 0)
    return client


def told(server: Any, pattern: str, keys: list[str]) -> tuple[set[str], set[str]]:
    """Which of the keys Redis finds, by KEYS and by SCAN MATCH."""
    mark = unique_prefix()
    names = {f"{mark}{key}": key for key in keys}
    server.mset(dict.fromkeys(names, 1))
    by_keys = {names[found.decode()] for found in server.keys(f"{mark}{pattern}")}
    by_scan = {names[found.decode()] for found in server.scan_iter(f"{mark}{pattern}", 1000)}
    server.delete(*names)
    return by_keys, by_scan


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(pattern=GLOBS, keys=st.lists(TEXTS, min_size=1, max_size=12, unique=True))
@example(pattern="[a-", keys=["a", "b", "-"])
@example(pattern="a\\", keys=["a\\", "a"])
@example(pattern="[c-a]", keys=["a", "b", "c", "d", "-"])
@example(pattern="[]a]", keys=["a", "]", "a]"])
@example(pattern="[^]", keys=["a", "]", "ab"])
@example(pattern=r"[\]-]", keys=["]", "-", "\\"])
@example(pattern="[a-]]", keys=["a", "]", "-", "_"])
@example(pattern="*a**", keys=["a", "ba", "ab", "b"])
@example(pattern="?", keys=["\n", "a", "ab"])
def test_a_glob_fits_what_it_fits_in_redis(
    server: Any, valkey: Any, pattern: str, keys: list[str]
) -> None:
    """For generated globs and keys, memory and a real server agree."""
    fits = matcher(pattern)
    by_keys, by_scan = told(server, pattern, keys)
    assert by_keys == by_scan == {key for key in keys if fits(key)}


@settings(max_examples=75, deadline=None, suppress_health_check=SLOW)
@given(
    pattern=st.lists(st.one_of(PIECES, ANY_TEXTS), min_size=1, max_size=5).map("".join),
    keys=st.lists(ANY_TEXTS, min_size=1, max_size=8, unique=True),
)
@example(pattern="?", keys=["é", "a"])
@example(pattern="??", keys=["é", "ab"])
@example(pattern="[é]", keys=["é", "a"])
@example(pattern="[^a]*", keys=["é", "a", "b"])
@example(pattern="[[-é", keys=["?", "[", "\\", "z"])
@example(pattern="[é-a]?", keys=["é", "a!", "b!", "ü", "zz"])
def test_a_glob_fits_letters_beyond_ascii_as_in_redis(
    server: Any, valkey: Any, pattern: str, keys: list[str]
) -> None:
    """Redis compares bytes, so `?` is one of the bytes of an é: what memory drops is the same."""
    fits = matcher(pattern)
    by_keys, _ = told(server, pattern, keys)
    assert by_keys == {key for key in keys if fits(key)}


@settings(deadline=None)
@given(text=st.text(), other=st.text())
def test_an_escaped_text_fits_itself_alone(text: str, other: str) -> None:
    """Whatever signs it is made of."""
    fits = matcher(escape(text))
    assert fits(text)
    assert fits(other) is (other == text)


@settings(max_examples=75, deadline=None, suppress_health_check=SLOW)
@given(keys=st.lists(st.one_of(TEXTS, ANY_TEXTS), min_size=1, max_size=8, unique=True))
def test_redis_reads_an_escaped_text_so_too(server: Any, valkey: Any, keys: list[str]) -> None:
    """Of many keys it finds exactly the one."""
    by_keys, by_scan = told(server, escape(keys[0]), keys)
    assert by_keys == by_scan == {keys[0]}


def spaced(key: Any, prefix: str, version: Any) -> str:
    return f"{key} of {prefix} [{version}]"


def numbered(key: Any, prefix: str, version: Any) -> str:
    return "%s/%d/%s" % (prefix, version, key)  # noqa: UP031 - a version must be a number here


def padded(key: Any, prefix: str, version: Any) -> str:
    return f"{prefix}|{version:012d}|{key}"


def timeless(key: Any, prefix: str, version: Any) -> str:
    return f"{prefix}~{key}"


def hashed(key: Any, prefix: str, version: Any) -> str:
    return hashlib.sha256(f"{prefix}:{version}:{key}".encode()).hexdigest()


def half_hashed(key: Any, prefix: str, version: Any) -> str:
    """As sites do to keep long keys short and distinct."""
    return f"{prefix}:{version}:{key[:40]}:{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def version_hashed(key: Any, prefix: str, version: Any) -> str:
    return f"{prefix}:{version:x}:{key}"


def particular(key: Any, prefix: str, version: Any) -> str:
    """Made for keys of one kind alone."""
    kind, number = key
    return f"{prefix}:{version}:{kind}:{number}"


READABLE = [default_key_func, spaced, numbered, padded, timeless]


@pytest.mark.parametrize("function", READABLE, ids=lambda function: function.__name__)
@pytest.mark.parametrize("prefix", ["shop", "", "s*p", "[a]", "s\\p", "pré"], ids=repr)
def test_the_namespace_is_all_keys_of_a_prefix(function: Any, prefix: str) -> None:
    """Every key of every version, and none of another prefix, however odd the prefix."""
    fits = matcher(namespace(function, prefix))
    for key in ("a", "", "a:b", "*", "4711", "x\ny"):
        for version in (1, 2, 99):
            assert fits(function(key, prefix, version))
            assert not fits(function(key, f"{prefix}x", version))
            assert not fits(function(key, "other", version))


@pytest.mark.parametrize("function", READABLE, ids=lambda function: function.__name__)
def test_a_glob_of_keys_is_one_of_full_keys(function: Any) -> None:
    """The glob's own signs keep their meaning, the prefix's lose theirs, the version holds."""
    fits = matcher(glob(function, "user:*", "s*p", 2))
    assert fits(function("user:1", "s*p", 2))
    assert not fits(function("item:1", "s*p", 2))
    assert not fits(function("user:1", "soup", 2))
    if function is not timeless:
        assert not fits(function("user:1", "s*p", 3))


@pytest.mark.parametrize(
    "function", [hashed, half_hashed, particular], ids=lambda function: function.__name__
)
def test_a_key_function_that_hides_the_key_is_said_so(function: Any) -> None:
    """A pattern that finds nothing, or only some, is worse than an error that says why."""
    for find in (lambda: namespace(function, "shop"), lambda: glob(function, "*", "shop", 1)):
        with pytest.raises(CannotEnumerate, match=f"KEY_FUNCTION .*{function.__name__}.*clear"):
            find()


def test_a_key_function_that_hides_the_version_has_no_namespace() -> None:
    """All versions cannot be told by one pattern then, and clear() must not find nothing."""
    try:
        pattern = namespace(version_hashed, "shop")
    except CannotEnumerate:
        return
    for version in (1, 10, 255):
        assert matcher(pattern)(version_hashed("key", "shop", version))


@pytest.mark.parametrize("tiers", ["memory", "tiered"])
@pytest.mark.parametrize(
    "function", [hashed, half_hashed, particular], ids=lambda function: function.__name__
)
def test_a_cache_works_with_a_key_function_that_has_no_pattern(
    make_cache: Any, tiers: str, function: Any
) -> None:
    """All but the calls that need a pattern, and those say so."""
    cache = make_cache(tiers, KEY_FUNCTION=function)
    key = ("kind", 1) if function is particular else "key"
    cache.set(key, 5)
    assert cache.get(key) == 5
    assert cache.delete(key)
    for call in (cache.clear, cache.keys, lambda: cache.delete_pattern("*")):
        with pytest.raises(CannotEnumerate, match="KEY_FUNCTION"):
            call()


@pytest.mark.filterwarnings("ignore::django.core.cache.backends.base.CacheKeyWarning")
@pytest.mark.parametrize("tiers", ["memory", "tiered"])
@pytest.mark.parametrize("function", READABLE, ids=lambda function: function.__name__)
def test_clear_takes_all_versions_and_no_other_prefix(
    make_caches: Any, valkey: Any, tiers: str, function: Any
) -> None:
    """Through the cache, with each kind of key function."""
    base = {**settings_for(tiers, valkey.url), "KEY_FUNCTION": function}
    made = make_caches(default=base, other={**base, "KEY_PREFIX": unique_prefix()})
    for version in (1, 2, 12):
        made["default"].set("key", version, version=version)
    made["other"].set("key", "kept")
    made["default"].clear()
    assert [made["default"].get("key", version=version) for version in (1, 2, 12)] == [None] * 3
    assert made["other"].get("key") == "kept"
