"""What a hit in memory takes, in executed instructions: a slower one fails, on any machine.

Times depend on what else a machine does; how many bytecode instructions Python executes does not.
The limits are what it takes now, and a little more. Who needs more of them changes them here, and
says in the commit why that is worth it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpResponse

from tests.support.caches import settings_for
from tiercache.entry import MOLDED

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1.05

LIMITS = {
    "get, text": 52,
    "get, text, by its full key": 113,
    "get, dict": 120,
    "get, response": 224,
    "get_many of 10": 449,
    "get_or_set, text": 79,
    "aget, text": 74,
    "has_key": 88,
}
"""Executed instructions, the most of any supported Python."""


def executed(call: Callable[[], Any]) -> int:
    """Count the bytecode instructions that a call executes."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def least(call: Callable[[], Any]) -> int:
    """Count what a hit executes that neither learns a name nor looks for a mold."""
    return min(executed(call) for _ in range(20))


def awaited(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return what runs a coroutine that never waits, without an event loop."""

    def run() -> Any:
        try:
            call().send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a hit in memory has waited for something")

    return run


@pytest.fixture
def calls(make_caches: Any) -> dict[str, Callable[[], Any]]:
    cache = make_caches(default=settings_for("memory", ""))["default"]
    keys = [f"key:{number}" for number in range(10)]
    cache.set_many(dict.fromkeys(keys, "x" * 100))
    cache.set("dict", {"symbol": "AAPL", "days": [1, 2, 3]})
    cache.set("response", HttpResponse("x" * 5000))
    while not cache._node.memory.entries[cache.make_key("response")].form & MOLDED:
        cache.get("response")
    return {
        "get, text": lambda: cache.get("key:1"),
        "get, text, by its full key": lambda: cache.get("key:1", version=1),
        "get, dict": lambda: cache.get("dict"),
        "get, response": lambda: cache.get("response"),
        "get_many of 10": lambda: cache.get_many(keys),
        "get_or_set, text": lambda: cache.get_or_set("key:1", "y"),
        "aget, text": awaited(lambda: cache.aget("key:1")),
        "has_key": lambda: cache.has_key("key:1"),
    }


@pytest.mark.parametrize("name", LIMITS)
def test_a_hit_takes_no_more_instructions_than_it_did(
    calls: dict[str, Callable[[], Any]], name: str
) -> None:
    count = least(calls[name])
    assert count > 10, "nothing was counted"
    assert count <= LIMITS[name] * TOLERANCE


def test_more_instructions_are_noticed(calls: dict[str, Callable[[], Any]]) -> None:
    """The count is of what is executed, and the same each time."""
    once = least(calls["get, text"])
    assert least(calls["get, text"]) == once
    assert least(lambda: (calls["get, text"](), calls["get, text"]())) > 1.8 * once
