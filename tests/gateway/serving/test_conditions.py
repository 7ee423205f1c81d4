"""Conditional requests and ranges, answered from the cache (RFC 9110, 13 and 14)."""

from __future__ import annotations

import pytest

from tests.gateway.origin import Origin

from .conftest import Client

MODIFIED = "Mon, 02 Jan 2006 00:00:00 GMT"


@pytest.fixture(autouse=True)
def _stored(origin: Origin):
    origin.says(
        cache_control="max-age=60",
        etag='"1"',
        last_modified=MODIFIED,
        content_type="text/plain",
        body=b"0123456789",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"if-none-match": '"1"'},
        {"if-none-match": 'W/"1"'},
        {"if-none-match": '"0", "1"'},
        {"if-none-match": "*"},
        {"if-modified-since": MODIFIED},
        {"if-modified-since": "Tue, 03 Jan 2006 00:00:00 GMT"},
        {"if-none-match": '"1"', "if-modified-since": "Sun, 01 Jan 2006 00:00:00 GMT"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_has_it_is_told_so(
    client: Client, origin: Origin, fields: dict[str, str], method: str
):
    for _ in range(2):
        answer = await client(method=method, fields=fields)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.get("etag") == '"1"'
        assert answer.get("cache-control") == "max-age=60"
        assert answer.get("age") == "0"
        assert "content-type" not in answer.fields
        assert "content-length" not in answer.fields
    assert origin.count == 1
    assert "if-none-match" not in origin.asked[0].fields


@pytest.mark.parametrize(
    "fields",
    [
        {"if-none-match": '"2"'},
        {"if-none-match": "nonsense"},
        {"if-modified-since": "Sun, 01 Jan 2006 00:00:00 GMT"},
        {"if-modified-since": "nonsense"},
        {"if-none-match": '"2"', "if-modified-since": MODIFIED},
    ],
)
async def test_who_has_another_gets_it(client: Client, fields: dict[str, str]):
    answer = await client(fields=fields)
    assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("name", ["if-match", "if-unmodified-since"])
async def test_other_conditions_are_the_origins(client: Client, origin: Origin, name: str):
    await client()
    answer = await client(fields={name: MODIFIED})
    assert answer.told == "fwd=bypass; detail=condition"
    assert origin.asked[1].fields.get(name) == MODIFIED


@pytest.mark.parametrize(
    ("asked", "body", "extent"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=5-", b"56789", "bytes 5-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
async def test_a_part_is_cut_out_of_what_is_stored(
    client: Client, origin: Origin, asked: str, body: bytes, extent: str
):
    for _ in range(2):
        answer = await client(range=asked)
        assert (answer.status, answer.body) == (206, body)
        assert answer.get("content-range") == extent
        assert answer.get("content-length") == str(len(body))
    assert origin.count == 1
    assert "range" not in origin.asked[0].fields


async def test_what_cannot_be_cut_out_is_said_so(client: Client):
    answer = await client(range="bytes=10-")
    assert (answer.status, answer.get("content-range")) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=x", "bytes=3-1"])
async def test_other_ranges_get_the_whole(client: Client, asked: str):
    answer = await client(range=asked)
    assert (answer.status, answer.body) == (200, b"0123456789")


async def test_a_part_of_another_version_is_not_given(client: Client):
    right = await client(fields={"range": "bytes=0-1", "if-range": '"1"'})
    wrong = await client(fields={"range": "bytes=0-1", "if-range": '"2"'})
    assert (right.status, wrong.status) == (206, 200)


async def test_a_range_of_what_is_not_stored_is_the_origins(client: Client, origin: Origin):
    origin.says(status=206, cache_control="private", content_range="bytes 0-1/10", body=b"01")
    await client("/private")
    answer = await client("/private", range="bytes=0-1")
    assert (answer.status, answer.get("content-range")) == (206, "bytes 0-1/10")
    assert origin.asked[-1].fields.get("range") == "bytes=0-1"
