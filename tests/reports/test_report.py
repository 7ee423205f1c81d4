"""A node's report: written, read again, and never believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tiercache.reports.cluster import Top
from tiercache.reports.figures import STORE
from tiercache.reports.mishaps import LONGEST, Mishap, described
from tiercache.reports.report import LATE, Report, read, written


@pytest.fixture
def report() -> Report:
    return Report(
        id="a1",
        host="web-1",
        pid=42,
        started=1000.0,
        at=1600.5,
        interval=5.0,
        ended=False,
        versions={"python": "3.11.7"},
        entries=3,
        bytes=900,
        max_entries=10,
        max_bytes=10_000,
        policy="s3fifo",
        state="up",
        reason="",
        state_since=1000.0,
        backplane="joined",
        backplane_since=1001.0,
        joins=1,
        journaled=0,
        settings={"MAX_ENTRIES": "10"},
        errors=(Mishap(1500.0, "timeout", "no answer"),),
        totals={"default": {"memory_hits": 9}, STORE: {"read.57": 1}},
        recent={"default": {"memory_hits": 4}},
        recent_seconds=590.0,
        top=Top(keys=(("k\udcff", 0.5),), namespaces=(("n", 1.0),), sampled=2, seconds=60.0),
    )


def test_a_report_is_read_as_it_was_written(report: Report) -> None:
    assert read(written(report).encode()) == report


def test_it_says_of_one_cache_what_is_its_own_and_its_stores(report: Report) -> None:
    node = report.node("default", seen=2.0, here=False)
    assert (node.id, node.host, node.entries, node.up_for) == ("a1", "web-1", 3, 600.5)
    assert node.totals.requests == 9
    assert node.totals.store == {"read.57": 1}
    assert (node.recent.requests, node.recent.seconds) == (4, 590.0)
    assert report.node("other", seen=2.0, here=False).totals.requests == 0


@pytest.mark.parametrize(("seen", "gone"), [(LATE * 5.0 - 0.1, False), (LATE * 5.0 + 0.1, True)])
def test_a_node_that_has_not_reported_in_time_is_gone(
    report: Report, seen: float, *, gone: bool
) -> None:
    assert report.node("default", seen=seen, here=False).gone is gone


def test_one_that_said_farewell_is_not_missed(report: Report) -> None:
    node = replace(report, ended=True).node("default", seen=300.0, here=False)
    assert (node.ended, node.gone) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"pid": "x"},
        {"host": 5},
        {"errors": [[1, 2]]},
        {"totals": {"default": 5}},
        {"totals": {"default": {"memory_hits": "many"}}},
        {"top": None},
        {"versions": ["3.11"]},
        {"at": 10**400},
    ],
)
def test_what_is_no_report_is_none(report: Report, change: dict[str, Any]) -> None:
    assert read(json.dumps({**json.loads(written(report)), **change}).encode()) is None


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[]", b"null", b"{}", b"[" * 100_000])
def test_nor_is_anything_else(text: bytes) -> None:
    assert read(text) is None


def test_an_errors_words_are_cut() -> None:
    assert described(ValueError("no")) == "ValueError: no"
    assert len(described(ValueError("x" * 10_000))) == LONGEST
