"""The site hears of what is trusted, in order, beside its calls and outside every lock."""

from __future__ import annotations

import ast
import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal

import tiercache
from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache import signals
from tiercache.signals import backplane_changed, breaker_changed

MODULES = sorted(Path(tiercache.__file__).parent.rglob("*.py"))


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What receivers of both signals were told, and on which thread."""
    told: list[tuple[str, dict[str, Any]]] = []

    def of_breaker(sender: type, signal: Signal, **facts: Any) -> None:
        told.append((sender.__name__, facts | {"thread": threading.current_thread()}))

    def of_backplane(sender: type, signal: Signal, **facts: Any) -> None:
        told.append((sender.__name__, facts | {"thread": threading.current_thread()}))

    breaker_changed.connect(of_breaker)
    backplane_changed.connect(of_backplane)
    yield told
    breaker_changed.disconnect(of_breaker)
    backplane_changed.disconnect(of_backplane)


def facts_of(sender: str, heard: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [facts for who, facts in heard if who == sender]


def test_an_outage_and_its_end_are_told_in_order(
    make_caches: Any, own_valkey: Any, heard: Any
) -> None:
    server = own_valkey()
    cache = make_caches(default=settings_for("tiered", server.url))["default"]
    server.kill()
    eventually(lambda: cache.get("k") is None and cache.stats().state == "away")
    server.start()

    def states() -> Any:
        told = facts_of("Node", heard)
        assert [facts["state"] for facts in told][-1:] == ["up"]
        return told

    told = eventually(states, within=10)
    assert told[0]["state"] == "away"
    assert told[0]["reason"] in ("closed", "refused")
    assert told[0]["store"] == f"{server.url}/0"
    assert told[-1]["reason"] == ""


def test_a_lost_subscription_and_the_next_one_are_told(
    make_cache: Any, valkey: Any, heard: Any
) -> None:
    make_cache()
    eventually(lambda: facts_of("Backplane", heard))
    valkey.client.client_kill_filter(_type="pubsub")

    def told() -> bool:
        return [facts["state"] for facts in facts_of("Backplane", heard)] == [
            "joined",
            "lost",
            "joined",
        ]

    eventually(told)


def test_a_receiver_runs_on_no_callers_thread(make_cache: Any, heard: Any) -> None:
    cache = make_cache("away")
    cache.get("k")
    (facts,) = eventually(lambda: facts_of("Node", heard))
    assert facts["thread"] is not threading.current_thread()


async def test_a_receiver_does_not_run_on_the_event_loop(make_cache: Any) -> None:
    """An asynchronous one is awaited on a loop of its own; a synchronous one may wait."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def receiver(**_: Any) -> None:
        loops.append(asyncio.get_running_loop())

    cache = make_cache("away")
    breaker_changed.connect(receiver)
    try:
        await cache.aget("k")
        await asyncio.to_thread(eventually, lambda: loops)
    finally:
        breaker_changed.disconnect(receiver)
    assert loops[0] is not asyncio.get_running_loop()


def test_a_receiver_that_raises_hurts_neither_the_call_nor_the_next_receiver(
    make_cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def broken(**_: Any) -> None:
        raise RuntimeError("of the site's own")

    def receiver(state: str, **_: Any) -> None:
        told.append(state)

    breaker_changed.connect(broken)
    breaker_changed.connect(receiver)
    try:
        with caplog.at_level(logging.ERROR, "django.dispatch"):
            assert make_cache("away").get("k", "fallback") == "fallback"
            eventually(lambda: told == ["away"])
    finally:
        breaker_changed.disconnect(broken)
        breaker_changed.disconnect(receiver)
    assert "of the site's own" in caplog.text


def test_signals_are_told_in_the_order_in_which_things_happened() -> None:
    """Whichever threads tell them, and however long a receiver takes."""
    told: list[int] = []
    begun, go_on = threading.Event(), threading.Event()
    signal = Signal()

    def receiver(number: int, **_: Any) -> None:
        if not number:
            begun.set()
            assert go_on.wait(5)
        told.append(number)

    signal.connect(receiver)
    signals.tell(signal, object, number=0)
    assert begun.wait(5)
    for number in range(1, 50):
        signals.tell(signal, object, number=number)
    go_on.set()
    eventually(lambda: len(told) == 50)
    assert told == list(range(50))


def test_nothing_is_kept_while_nobody_listens() -> None:
    signals.tell(Signal(), object, number=1)
    assert not signals._news


# Logging


def logged_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "logger"
            ):
                yield f"{path.name}:{node.lineno}", node


def test_every_line_that_is_logged_has_its_event() -> None:
    """A program that reads the log asks for `event`, and never takes a text apart."""
    without = [
        place
        for place, call in logged_calls()
        if "extra" not in {keyword.arg for keyword in call.keywords}
    ]
    assert not without


def test_an_event_is_what_its_text_begins_with(
    make_cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "tiercache"):
        make_cache("away").get("k")
        make_cache()
        # A cache has joined a moment before it says so.
        eventually(
            lambda: (
                {"tiercache.redis.away", "tiercache.backplane.joined"}
                <= {getattr(record, "event", None) for record in caplog.records}
            )
        )
    records = [record for record in caplog.records if record.name == "tiercache"]
    for record in records:
        assert record.getMessage().startswith(f"{record.event}:")  # type: ignore[attr-defined]
