"""Questions as they are said: read as they were meant, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tiercache.questions import (
    LONGEST,
    LONGEST_GLOB,
    MOST_KEYS,
    MOST_SHOWN,
    Question,
    channel,
    parse,
    read_answer,
)

ID = "0123456789abcdef" * 2


def said(*parts: Any) -> bytes:
    return json.dumps(parts).encode()


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("ping", {}),
        ("holds", {"keys": ["a", "ü", "\udcff"]}),
        ("bearing", {"glob": "p:1:*"}),
        ("bearing", {"tag": "p:1:tiercache.tag:x"}),
        ("drop", {"keys": ["a"] * MOST_KEYS}),
    ],
)
def test_a_question_is_read_as_it_was_said(kind: str, details: Any):
    question = Question.make(kind, details)
    assert parse(question.said()) == question


def test_no_two_questions_have_their_answers_in_one_place():
    keys = {Question.make("ping", {}).reply_key for _ in range(100)}
    assert len(keys) == 100


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        said(ID, "ping"),
        said(ID, "ping", []),
        said(ID, "flush", {}),
        said(ID, 7, {}),
        said("../key", "ping", {}),
        said(ID + "\n", "ping", {}),
        said(None, "ping", {}),
        said(ID, "drop", {}),
        said(ID, "drop", {"glob": "*", "tag": "x"}),
        said(ID, "drop", {"glob": 7}),
        said(ID, "drop", {"keys": "key"}),
        said(ID, "drop", {"keys": [1]}),
        said(ID, "drop", {"keys": ["a"] * (MOST_KEYS + 1)}),
        said(ID, "holds", {"glob": "*"}),
        said(ID, "holds", {"keys": ["a"] * (MOST_SHOWN + 1)}),
        said(ID, "drop", {"tag": "x" * LONGEST}),
        said(ID, "drop", {"glob": "x" * (LONGEST_GLOB + 1)}),
    ],
)
def test_what_is_no_question_is_not_read(data: bytes):
    assert parse(data) is None


@pytest.mark.parametrize(
    ("kind", "details", "allowed"),
    [
        ("flush", {}, "ping, holds, bearing, drop"),
        ("drop", {}, "keys, glob, tag"),
        ("holds", {"tag": "x"}, "allowed: keys"),
        ("holds", {"keys": ["a"] * (MOST_SHOWN + 1)}, "at most 200"),
    ],
)
def test_what_nobody_would_answer_is_not_asked(kind: str, details: Any, allowed: str):
    with pytest.raises(ValueError, match=allowed):
        Question.make(kind, details)


def test_databases_and_sites_are_asked_apart():
    assert len({channel(0, "a"), channel(1, "a"), channel(0, "b")}) == 3


WHO = {"node": "a", "host": "b", "pid": 1}


@pytest.mark.parametrize(
    ("kind", "answer", "fits"),
    [
        ("ping", WHO, True),
        ("ping", {**WHO, "more": 1}, True),
        ("drop", {**WHO, "dropped": 1}, True),
        ("drop", WHO, False),
        ("drop", {**WHO, "dropped": "1"}, False),
        ("holds", {**WHO, "held": []}, False),
        ("bearing", {**WHO, "copies": 1}, False),
        ("ping", {"node": "a"}, False),
        ("ping", [], False),
    ],
)
def test_only_answers_that_can_be_used_are_read(kind: str, answer: Any, fits: bool):
    assert (read_answer(kind, json.dumps(answer).encode()) is not None) is fits


def test_what_is_no_json_is_no_answer():
    assert read_answer("ping", b"\xff") is None
