"""Evictions in words: no more is said than is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tiercache.operations import wording
from tiercache.operations.evicting import Outcome, Preview, Selection

PREVIEW = Preview(1203, True, 5000, 5000, (), 2406, 4, True)
KEYS = Selection(pattern="user:*")
TAG = Selection(tag="news")
OUTCOME = Outcome(1203, None, ("a", "b"), (), 2, {}, 0.003, True, False, True)


def test_a_preview_says_what_would_go_and_that_nothing_has():
    assert wording.announced(PREVIEW, KEYS, "all") == (
        "This removes 1,203 keys from Redis and drops 2,406 copies in 4 nodes. "
        "Nothing has been removed yet."
    )


def test_a_preview_of_a_tag_and_of_memory_say_so():
    assert "evicts 1,203 keys with this tag" in wording.announced(PREVIEW, TAG, "all")
    assert "Redis keeps its keys" in wording.announced(PREVIEW, KEYS, "memory")


def test_what_was_not_counted_to_the_end_is_at_least():
    some = replace(PREVIEW, complete=False, all_copies=False, scanned=1000, reason="no SCAN")
    text = wording.announced(some, KEYS, "all")
    assert "at least 1,203 keys" in text
    assert "at least 2,406 copies" in text
    assert "Looked at 1,000 of about 5,000 keys." in text
    assert "no SCAN" in text


@pytest.mark.parametrize(
    ("outcome", "selection", "text"),
    [
        (OUTCOME, KEYS, "1,203 keys removed; 2 of 2 nodes confirmed in 3 ms."),
        (OUTCOME, TAG, "tag evicted; 2 of 2 nodes confirmed in 3 ms."),
        (
            replace(OUTCOME, removed=0),
            TAG,
            "no entry has this tag; 2 of 2 nodes confirmed in 3 ms.",
        ),
        (replace(OUTCOME, dropped=1), TAG, "1 copy dropped; 2 of 2 nodes confirmed in 3 ms."),
    ],
)
def test_an_outcome_says_how_many_have_confirmed(outcome: Outcome, selection: Selection, text: str):
    assert wording.done(outcome, selection) == text
    assert wording.undone(outcome) == []


def test_what_is_left_to_be_known_is_named():
    names = {"c": "host:7"}
    bad = replace(OUTCOME, silent=("c", "d"), asked=4, names=names, reached=False, reason="refused")
    text = "\n".join(wording.undone(replace(bad, journaled=True, audited="no table")))
    for part in ("refused", "once Redis is back", "host:7, d", "no table"):
        assert part in text
