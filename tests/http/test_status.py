"""Cache-Status: members as structured fields, and where they go."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import status
from tiercache.http.fields import Fields

VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
PARAMETER = re.compile(r'; ([a-z-]+)(?:=("(?:[^"\\]|\\["\\])*"|[^;" ]+))?')


def read(text: str) -> dict[str, str]:
    """The parameters of a member, strings without their quotes and escapes."""
    head = re.match(r'[A-Za-z*][^;" ]*|"(?:[^"\\]|\\["\\])*"', text)
    assert head is not None
    rest = text[head.end() :]
    assert PARAMETER.sub("", rest) == ""
    return {
        name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        for name, value in PARAMETER.findall(rest)
    }


@pytest.mark.parametrize(
    ("told", "member"),
    [
        ({"hit": True}, "tiercache; hit"),
        ({"hit": True, "ttl": 30, "detail": "memory"}, "tiercache; hit; ttl=30; detail=memory"),
        ({"hit": True, "ttl": -5}, "tiercache; hit; ttl=-5"),
        ({"hit": True, "ttl": 0}, "tiercache; hit; ttl=0"),
        ({"fwd": "uri-miss", "stored": True}, "tiercache; fwd=uri-miss; stored"),
        (
            {"fwd": "stale", "fwd_status": 304, "collapsed": True},
            "tiercache; fwd=stale; fwd-status=304; collapsed",
        ),
        ({"fwd": "bypass", "detail": "not now"}, 'tiercache; fwd=bypass; detail="not now"'),
        ({"hit": True, "key": "/a"}, 'tiercache; hit; key="/a"'),
        ({"hit": True, "key": 'a"\\'}, 'tiercache; hit; key="a\\"\\\\"'),
        ({"hit": True, "detail": ""}, 'tiercache; hit; detail=""'),
        ({}, "tiercache"),
        ({"name": "edge 1", "hit": True}, '"edge 1"; hit'),
        ({"name": "edge.example", "hit": True}, "edge.example; hit"),
    ],
)
def test_a_member_says_what_it_is_told(told: dict[str, Any], member: str) -> None:
    assert status.member(**told) == member


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"hit": True, "fwd": "miss"}, "either a hit or forwarded"),
        ({"hit": True, "stored": True}, "with fwd"),
        ({"collapsed": True}, "with fwd"),
        ({"fwd_status": 200}, "with fwd"),
        ({"fwd": "because"}, "allowed: bypass, method, miss, partial"),
        ({"hit": True, "key": "ü"}, "visible ASCII"),
        ({"hit": True, "detail": "a\r\nb"}, "visible ASCII"),
        ({"hit": True, "ttl": 10**15}, "at most 999999999999999"),
        ({"hit": True, "ttl": -(10**15)}, "at most 999999999999999"),
    ],
)
def test_a_member_that_cannot_be_is_a_mistake(told: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        status.member(**told)


def test_what_other_caches_said_stays_in_front() -> None:
    fields = Fields([("Cache-Status", "origin; hit"), ("etag", '"a"'), ("Cache-Status", "mid")])
    found = status.appended(fields, "tiercache; fwd=miss")
    assert found.get("cache-status") == "origin; hit, mid, tiercache; fwd=miss"
    assert found.lines("etag") == ('"a"',)


def test_the_first_cache_begins_the_list() -> None:
    assert status.appended(Fields(), "tiercache; hit").lines("cache-status") == ("tiercache; hit",)


@given(
    VISIBLE,
    st.sampled_from(sorted(status.FORWARDS)),
    st.integers(-status.LARGEST, status.LARGEST),
    VISIBLE,
    VISIBLE,
)
def test_a_member_is_read_as_it_was_told(
    name: str, fwd: Any, ttl: int, key: str, detail: str
) -> None:
    told = status.member(name, fwd=fwd, ttl=ttl, stored=True, key=key, detail=detail)
    expected = {"fwd": fwd, "ttl": str(ttl), "stored": "", "key": key, "detail": detail}
    assert read(told) == expected
