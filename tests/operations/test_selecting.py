"""What may be selected, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from tiercache.operations.evicting import BadSelection, Selection


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ({}, "nothing; allowed: exactly one"),
        ({"pattern": "a", "tag": "b"}, "pattern and tag"),
        ({"keys": (b"a",), "everything": True}, "keys and everything"),
        ({"keys": (b"a",), "version": 2}, "version 2 is given with keys"),
        ({"everything": True, "version": 2}, "version 2 is given with everything"),
        ({"pattern": ""}, "the pattern is empty"),
        ({"tag": ""}, "the tag is empty"),
        ({"pattern": "\udcff"}, "not UTF-8"),
    ],
)
def test_what_cannot_be_is_refused(said: Any, because: str):
    with pytest.raises(BadSelection, match=because):
        Selection(**said)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"keys": (b"p:1:a", b"p:1:a", b"p:1:b")}, "keys p:1:a, p:1:b"),
        ({"keys": (b"p:1:\xff\n",)}, "keys 0x703a313aff0a"),
        ({"keys": ("p:1:a\n\u202e".encode(),)}, r"keys p:1:a\n\u202e"),
        ({"keys": tuple(b"%d" % n for n in range(25))}, " and 5 more"),
        ({"pattern": "a*"}, "pattern a*"),
        ({"pattern": "a*", "version": 2}, "pattern a* in version 2"),
        ({"tag": "news"}, "tag news"),
        ({"version": 2}, "version 2"),
        ({"everything": True}, "everything"),
    ],
)
def test_it_is_shown_in_one_line(said: Any, shown: str):
    text = Selection(**said).shown
    assert text.endswith(shown)
    assert text.isprintable()


def test_selections_have_one_digest_each():
    selections = [
        Selection(keys=(b"a",)),
        Selection(keys=(b"a", b"b")),
        Selection(pattern="a"),
        Selection(tag="a"),
        Selection(tag="a", version=1),
        Selection(version=1),
        Selection(everything=True),
    ]
    assert len({each.digest for each in selections}) == len(selections)
    assert Selection(tag="a").digest == Selection(tag="a").digest


@pytest.mark.parametrize("name", ["a", "a b", "ü", "/?#%2F", "<b>", "😀", "-x", "\udcff"])
def test_any_text_names_a_key(make_cache: Any, name: str):
    cache = make_cache("memory")
    (key,) = Selection.of_names(cache, [name], version=3).keys
    assert key == f"{cache.key_prefix}:3:{name}".encode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("key", "because"),
    [
        ("other:1:key", "no key of cache 'default'"),
        ("{prefix}:1:tiercache.tag:x", "tiercache's own"),
        ("{prefix}:1:key:tiercache.lease", "tiercache's own"),
        ("tiercache:tags", "tiercache's own"),
        ("tiercache:reply/0", "tiercache's own"),
    ],
)
def test_others_keys_are_refused(make_cache: Any, key: str, because: str):
    cache = make_cache("memory")
    selection = Selection(keys=(key.format(prefix=cache.key_prefix).encode(),))
    with pytest.raises(BadSelection, match=because):
        selection.check(cache)


@pytest.mark.parametrize("said", [{"pattern": "a*"}, {"version": 1}, {"everything": True}])
def test_a_key_function_that_hashes_leaves_keys_and_tags(make_cache: Any, said: Any):
    cache = make_cache("memory", KEY_FUNCTION="tests.operations.test_selecting.hashed")
    with pytest.raises(BadSelection, match="allowed are keys and tags"):
        Selection(**said).check(cache)
    Selection.of_names(cache, ["a"]).check(cache)
    Selection(tag="a").check(cache)


def hashed(key: str, prefix: str, version: int) -> str:
    return f"{prefix}{hash((key, version))}"
