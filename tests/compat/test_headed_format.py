"""What entries with grace or tags look like in Redis, to us, to its scripts and to django-redis."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import eventually
from tiercache.header import Meta, split, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compat.conftest import Pair
    from tests.support.servers import Valkey


def raw(pair: Pair, valkey: Valkey, key: str = "key") -> bytes:
    return valkey.client.get(pair.ours.make_key(key))


def test_without_grace_and_tags_there_is_no_header(pair: Pair, valkey: Valkey) -> None:
    """Byte for byte what django-redis stores, loaded or set."""
    for value in (5, True, None, "text", ["list"]):
        pair.ours.get_or_set("loaded", value)
        pair.ours.set("set", value, grace=0, tags=())
        pair.ours.set("forever", value, None, grace=60)
        pair.theirs.set("theirs", value)
        expected = raw(pair, valkey, "theirs")
        assert raw(pair, valkey, "loaded") == expected
        assert raw(pair, valkey, "set") == expected
        # What never goes stale needs no grace.
        assert raw(pair, valkey, "forever") == expected
        assert pair.theirs.get("loaded") == value
        pair.ours.delete("loaded")


def test_the_header_byte_for_byte(pair: Pair, valkey: Valkey) -> None:
    """0xC1, version, grace, cost, count, and for each tag number, length and key."""
    pair.ours.set("key", 42, 100, grace=2.5, tags=("a",))
    tag = pair.ours.make_key("tiercache.tag:a").encode()
    number = int(valkey.client.get(tag))
    assert raw(pair, valkey) == (
        b"\xc1\x01"
        + struct.pack(">QIH", 2500, 0, 1)
        + struct.pack(">QH", number, len(tag))
        + tag
        + b"42"
    )
    assert 102_000 < valkey.client.pttl(pair.ours.make_key("key")) <= 102_500


def test_behind_the_header_are_django_rediss_bytes(pair: Pair, valkey: Valkey) -> None:
    for value in (5, True, None, "text", ["list"]):
        pair.ours.set("key", value, grace=1)
        pair.theirs.set("theirs", value)
        assert split(raw(pair, valkey)) == (Meta(1000), raw(pair, valkey, "theirs"))


def test_a_load_notes_what_it_cost(pair: Pair, valkey: Valkey) -> None:
    pair.ours.get_or_set("key", lambda: 1, grace=1)
    meta, _ = split(raw(pair, valkey))
    assert meta is not None
    assert 1 <= meta.cost < 60_000


@pytest.mark.parametrize(
    "serializer",
    [
        "django_redis.serializers.pickle.PickleSerializer",
        "django_redis.serializers.json.JSONSerializer",
    ],
)
def test_django_redis_cannot_read_it_and_says_so(
    make_pair: Callable[..., Pair], serializer: str
) -> None:
    """An error of its serializer, never a wrong value: use grace and tags when all have moved."""
    pair = make_pair(OPTIONS={"SERIALIZER": serializer})
    pair.ours.set("key", "value", grace=60)
    with pytest.raises(Exception, match=r"(?i)pickle|decode|load key"):
        pair.theirs.get("key")
    pair.theirs.set("key", "theirs")
    assert pair.theirs.get("key") == "theirs"


def test_a_tag_lives_as_long_as_what_bears_it(pair: Pair, valkey: Valkey) -> None:
    """Extended by whatever lives longer, and by touch; never shortened."""
    tag = pair.ours.make_key("tiercache.tag:a")
    day = 86_400

    def left() -> int:
        return int(valkey.client.ttl(tag))

    pair.ours.set("short", 1, 10, tags=("a",))
    assert left() <= day
    pair.ours.set("long", 1, 2 * day, grace=day, tags=("a",))
    assert 3 * day - 5 <= left() <= 3 * day
    pair.ours.set("another", 1, 10, tags=("a",))
    pair.ours.get_or_set("loaded", lambda: 1, 10, tags=("a",))
    assert 3 * day - 5 <= left() <= 3 * day
    pair.ours.touch("short", 5 * day)
    assert 5 * day - 5 <= left() <= 5 * day
    pair.ours.expire("short", 6 * day)
    assert 6 * day - 5 <= left() <= 6 * day
    pair.ours.get_or_set("forever", lambda: 1, None, tags=("a",))
    assert left() == -1
    pair.ours.set("short", 1, 10, tags=("a",))
    assert left() == -1


def test_a_persisted_entry_keeps_its_tag(pair: Pair, valkey: Valkey) -> None:
    pair.ours.set("key", 1, 10, tags=("a",))
    assert pair.ours.persist("key")
    assert valkey.client.ttl(pair.ours.make_key("tiercache.tag:a")) == -1


@pytest.mark.parametrize("lost", ["count", "all but the entry", "tag"])
def test_numbers_of_tags_are_never_given_twice(pair: Pair, valkey: Valkey, lost: str) -> None:
    """Not even when the counts are lost: an entry that was evicted stays so."""
    pair.ours.set("key", 1, tags=("a",))
    pair.ours.evict_tags("a")
    names = {
        "count": ["tiercache:tags"],
        "all but the entry": [key for key in valkey.client.scan_iter() if b":key" not in key],
        "tag": [pair.ours.make_key("tiercache.tag:a")],
    }[lost]
    valkey.client.delete(*names)
    pair.ours._node.memory.invalidate_all()
    pair.ours.set("new", 2, tags=("a",))
    assert pair.ours.get("key") is None
    assert pair.ours.get("new") == 2
    pair.ours._node.memory.invalidate_all()
    assert pair.ours.get("key") is None
    assert pair.ours.get("new") == 2


def test_an_eviction_is_told_though_redis_has_lost_the_tag(pair: Pair, valkey: Valkey) -> None:
    """As a server does that is short of memory: nodes may know the tag's number all the same."""
    pair.ours.set("key", 1, tags=("a",))
    assert pair.ours.get("key") == 1
    tag = pair.ours.make_key("tiercache.tag:a")
    valkey.client.delete(tag)
    with valkey.client.pubsub() as ear:
        ear.subscribe("tiercache:1:0")
        eventually(lambda: ear.get_message(timeout=1))
        pair.ours.evict_tags("a")
        message = eventually(lambda: ear.get_message(timeout=1))
    assert tag.encode() in message["data"]


DAMAGED = {
    "cut in the fixed part": b"\xc1\x01\x00\x00",
    "no tag where one should be": b"\xc1\x01" + struct.pack(">QIH", 0, 0, 1),
    "cut in a tag": wrap(Meta(0, 0, (("tag", 1),)), b"")[:-1],
    "more tags than there are": b"\xc1\x01" + struct.pack(">QIH", 0, 0, 65_535) + b"x" * 40,
    "another version": b"\xc1\x02" + b"x" * 40,
    "only the mark": b"\xc1",
    "no value": wrap(Meta(5), b""),
    "a value that is none": wrap(Meta(5), b"\xff\xff"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_header_is_a_miss_and_never_an_error(
    pair: Pair, valkey: Valkey, damage: str
) -> None:
    """To each of the operations, those that scripts decide among them."""
    cache, full = pair.ours, pair.ours.make_key("key")

    def begin() -> Any:
        valkey.client.set(full, DAMAGED[damage], px=60_000)
        cache._node.memory.invalidate(full)
        return cache

    assert begin().get("key") is None
    assert begin().get_many(["key"]) == {}
    assert begin().get_or_set("key", "value") == "value"
    assert cache.get("key") == "value"
    assert begin().add("key", 1) in (True, False)
    assert begin().touch("key", 60) in (True, False)
    assert begin().set("key", 1, xx=True) in (True, False)
    assert begin().has_key("key") in (True, False)
    assert begin().set("key", 2, tags=("a",)) is True
    assert cache.get("key") == 2
    assert begin().delete("key") is True


def test_integers_beyond_53_bits_and_keys_beyond_ascii(pair: Pair) -> None:
    pair.ours.set("key", 2**60, grace=60, tags=("ß 鍵",))
    assert pair.ours.incr("key") == 2**60 + 1
    assert pair.ours.touch("key", 60)
    pair.ours._node.memory.invalidate_all()
    assert pair.ours.get("key") == 2**60 + 1
    assert pair.ours.evict_tags("ß 鍵") == 1
    assert pair.ours.get("key") is None
