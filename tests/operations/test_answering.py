"""What a node answers: about its own memory, in bounded time, and without losing its ear."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.coherence.nodes import caught_up, in_memory
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import answering
from tiercache.listener import Listener
from tiercache.operations.asking import ask
from tiercache.questions import LONGEST, Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey


def answered(cache: Any, kind: str, **details: Any) -> Any:
    return cache._node.answer(Question.make(kind, details))


# What is held


def test_it_tells_what_is_held_under_a_key(make_cache: Any):
    cache = make_cache("memory")
    cache.set("plain", 7, 60)
    cache.set("rich", [1], 60, grace=30, tags=["a"])
    cache.set("endless", 7, None)
    keys = [cache.make_key(name) for name in ("plain", "rich", "endless", "nothing")]
    held = answered(cache, "holds", keys=keys)["held"]
    assert list(held) == keys[:3]
    plain, rich, endless = held.values()
    assert 59 < plain["left"] <= 60
    assert (plain["grace"], plain["form"], plain["tags"]) == (0, "value", {})
    assert rich["grace"] == pytest.approx(30, abs=0.01)
    assert rich["form"] == "serialized"
    assert list(rich["tags"]) == [cache.make_key("tiercache.tag:a")]
    assert rich["bytes"] > plain["bytes"] > 0
    assert (endless["left"], endless["grace"]) == (None, 0)


def test_looking_marks_nothing_as_used(make_cache: Any):
    cache = make_cache("memory")
    cache.set("key", 7)
    full = cache.make_key("key")
    entry = cache._node.memory.entries[full]
    entry.used = False
    answered(cache, "holds", keys=[full])
    answered(cache, "bearing", glob="*")
    assert not entry.used


@pytest.mark.parametrize("most", [answering.LONGEST_ANSWER, 100])
def test_an_answer_that_is_too_long_leaves_the_tags_out(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch, most: int
):
    cache = make_cache()
    monkeypatch.setattr(answering, "LONGEST_ANSWER", most)
    cache.set("rich", 7, tags=["a"])
    full = cache.make_key("rich")
    (answer,) = ask(cache, "holds", keys=[full]).answers
    assert bool(answer["held"][full]["tags"]) is (most > 100)


# How many there are


def test_copies_are_counted_by_keys_glob_and_tag(make_cache: Any):
    cache = make_cache("memory")
    cache.set_many({"a": 1, "b": 2})
    cache.set("c", 3, tags=["x"])
    full = cache.make_key
    assert answered(cache, "bearing", keys=[full("a"), full("z")])["copies"] == 1
    assert answered(cache, "bearing", glob=full("*"))["copies"] == 3
    answer = answered(cache, "bearing", tag=full("tiercache.tag:x"))
    assert (answer["copies"], answer["complete"], answer["examples"]) == (1, True, [full("c")])


def test_counting_ends_in_time_and_says_so(make_cache: Any, monkeypatch: pytest.MonkeyPatch):
    cache = make_cache("memory")
    cache.set_many({f"k{number}": 1 for number in range(1000)})
    monkeypatch.setattr(answering, "LOOK", -1.0)
    answer = answered(cache, "bearing", glob="*")
    assert 0 < answer["copies"] < 1000
    assert not answer["complete"]


# Dropping


@pytest.mark.parametrize("by", ["keys", "glob", "tag"])
def test_what_is_dropped_is_in_redis_still(make_cache: Any, by: str):
    cache = make_cache()
    cache.set("key", 7, tags=["x"])
    full = cache.make_key("key")
    chosen = {"keys": [full], "glob": full, "tag": cache.make_key("tiercache.tag:x")}
    ticket = cache._node.memory.ticket(full)
    assert answered(cache, "drop", **{by: chosen[by]})["dropped"] == 1
    assert not in_memory(cache, "key")
    assert cache._node.memory.ticket(full) != ticket
    assert cache.get("key") == 7


def test_copies_that_do_not_fit_stay(make_cache: Any):
    cache = make_cache("memory")
    cache.set_many({"a": 1, "b": 2})
    assert answered(cache, "drop", glob=cache.make_key("a*"))["dropped"] == 1
    assert cache.get("b") == 2


def test_a_glob_with_many_stars_takes_no_time(make_cache: Any):
    cache = make_cache("memory")
    cache.set("a" * 200, 1)
    assert answered(cache, "drop", glob="*a" * 30 + "*b")["dropped"] == 0


# Whatever is asked, changes are heard


@pytest.mark.parametrize("kind", ["pubsub", "tracking"])
@pytest.mark.parametrize("data", [b"\xff", b"[]", b"{" * 50_000, b"x" * (LONGEST + 1)])
def test_nonsense_costs_nothing(
    make_cache: Any, caplog: pytest.LogCaptureFixture, data: bytes, kind: str
):
    cache = make_cache(OPTIONS={"BACKPLANE": kind})
    joins = cache._node.meter.joins
    with caplog.at_level(logging.DEBUG, "tiercache"):
        cache.client.get_client().publish(cache._node.asked_on(), data)
        assert len(ask(cache, "ping").answers) == 1
    assert "tiercache.question.ignored" in caplog.text
    assert cache._node.meter.joins == joins


def test_a_question_that_fails_is_not_answered(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    cache = make_cache()

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(answering, "matcher", fail)
    question = Question.make("drop", {"glob": "*"})
    cache.client.get_client().publish(cache._node.asked_on(), question.said())
    assert ask(cache, "ping").asked == 1
    assert "tiercache.question.failed" in caplog.text
    assert cache.stats().backplane == "joined"


@pytest.fixture
def restricted(own_valkey: Callable[..., Valkey], make_caches: Any) -> Callable[..., Any]:
    """A cache whose Redis user has the rights given."""

    def make(*rights: str) -> Any:
        server = own_valkey()
        server.client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", *rights)
        conf = settings_for("tiered", server.url.replace("//", "//app:pw@"))
        return make_caches(default=conf)["default"]

    return make


def test_who_may_not_listen_for_questions_hears_of_changes(restricted: Any):
    cache = restricted("+@all", "resetchannels", "&tiercache:1:*", "&tiercache:ask-not")
    assert cache.stats().backplane == "joined"
    cache.set("key", 7)
    cache.get("key")
    assert in_memory(cache, "key")
    caught_up(cache)
    answers = ask(cache, "ping", wait=0.1)
    assert not answers.reached
    assert "PUBLISH" in answers.reason


class Notes:
    """Notes what a listener tells."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def joined(self) -> None:
        self.told.append("joined")

    def lost(self) -> None:
        self.told.append("lost")

    def heard(self, origin: str | None, keys: Any) -> None:
        self.told.append((origin, keys))


def test_what_is_said_between_the_two_subscriptions_is_told(valkey: Valkey):
    """It comes before the second acknowledgement, and must not be taken for that."""
    notes, asked = Notes(), []

    class Late(redis.Connection):
        def send_command(self, *words: Any, **options: Any) -> None:
            if words == ("SUBSCRIBE", "questions"):
                valkey.client.publish("changes", json.dumps(["somebody", ["key"]]))
            super().send_command(*words, **options)

    def answer(data: bytes) -> list[Any]:
        asked.append(data)
        return []

    listener = Listener(
        lambda: Late(host="127.0.0.1", port=valkey.port, protocol=3),
        lambda: [("SUBSCRIBE", "changes")],
        notes,
        questions=("questions", answer),
    )
    listener.start()
    try:
        eventually(lambda: len(notes.told) == 2)
        assert notes.told == ["joined", ("somebody", ["key"])]
        valkey.client.publish("questions", "who?")
        eventually(lambda: asked == [b"who?"])
    finally:
        listener.close()


def test_who_may_not_answer_hears_of_changes(restricted: Any):
    cache = restricted("+@all", "-rpush")
    joins = cache._node.meter.joins
    question = Question.make("ping", {})
    assert cache.client.get_client().publish(cache._node.asked_on(), question.said()) == 1
    caught_up(cache)
    eventually(lambda: cache.stats().backplane == "joined")
    assert cache._node.meter.joins == joins
