"""The walk over Redis's keys, step by step."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from tiercache.exceptions import RedisAway
from tiercache.operations.cursors import Place
from tiercache.operations.looking import Look
from tiercache.operations.searching import MOST_AT_ONCE, Found, walk


def walked(replies: list[tuple[int, list[bytes]]], **options: Any) -> tuple[Found, list[Any]]:
    """Drive a walk with these answers; return what it found and the commands that it sent."""
    arguments: dict[str, Any] = {"place": Place(), "size": 10, "seconds": 60.0, **options}
    flow, sent, answers = walk(Look(), b"*", **arguments), [], iter(replies)
    step = next(flow)
    try:
        while True:
            (command,) = step.commands
            sent.append(command)
            at, keys = next(answers)
            step = flow.send([[str(at).encode(), keys]])
    except StopIteration as stop:
        return stop.value, sent


def keys(count: int, start: int = 0) -> list[bytes]:
    return [f"k{number}".encode() for number in range(start, start + count)]


def counts(sent: list[Any]) -> list[int]:
    return [command[-1] for command in sent]


def test_steps_grow_while_little_is_found_up_to_a_bound() -> None:
    _, sent = walked([(9, [])] * 9 + [(0, [])])
    assert counts(sent)[:3] == [10, 20, 40]
    assert max(counts(sent)) == MOST_AT_ONCE


def test_a_step_that_brings_too_many_is_taken_again_in_a_smaller_one() -> None:
    found, sent = walked([(5, []), (6, keys(500)), (7, keys(10))])
    assert [command[1] for command in sent] == [0, 5, 5]
    assert counts(sent) == [10, 20, 10]
    assert found.keys == tuple(keys(10))
    assert found.next == Place(7, scanned=20, found=10)


def test_a_smallest_step_is_taken_as_it_is() -> None:
    found, _ = walked([(5, keys(500))])
    assert len(found.keys) == 500


def test_what_comes_twice_is_found_once() -> None:
    found, _ = walked([(5, keys(3)), (0, keys(4))])
    assert found.keys == tuple(keys(4))


def test_it_goes_on_from_where_it_stopped() -> None:
    found, sent = walked([(8, keys(10))], place=Place(5, scanned=100, found=7))
    assert sent[0][1] == 5
    assert found.next == Place(8, scanned=110, found=17)


def test_a_server_that_is_busy_is_away() -> None:
    flow = walk(Look(), b"*", Place(), 10, 60.0)
    next(flow)
    with pytest.raises(RedisAway) as away:
        flow.send([ResponseError("BUSY Redis is busy running a script.")])
    assert away.value.kind == "busy"


def test_a_right_that_is_not_there_ends_the_walk() -> None:
    look = Look()
    flow = walk(look, b"*", Place(), 10, 60.0)
    next(flow)
    with pytest.raises(StopIteration):
        flow.send([NoPermissionError("this user has no permissions to run the 'scan' command")])
    assert look.missing == ("SCAN",)


def test_it_stops_when_its_time_is_over() -> None:
    found, sent = walked([(5, [])], seconds=0.0)
    assert len(sent) == 1
    assert found.next == Place(5, scanned=10, found=0)
