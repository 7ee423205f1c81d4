"""Connections to upstream servers: when one serves the next request as well (RFC 9112, 9.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .raw import RawOrigin, Says

FIELDS = b'Cache-Control: no-cache\r\nETag: "1"\r\n'


def whole(body: bytes, fields: bytes = FIELDS) -> bytes:
    """Return a response with this body."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


@pytest.fixture
def make_raw() -> Iterator[Callable[[Says], RawOrigin]]:
    """Start origins that say these bytes."""
    started: list[RawOrigin] = []

    def make(says: Says) -> RawOrigin:
        started.append(RawOrigin(says))
        return started[-1]

    yield make
    for origin in started:
        origin.close()


@pytest.mark.parametrize(
    ("method", "end"),
    [
        ("GET", b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % FIELDS),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ],
    ids=["304", "204", "HEAD"],
)
async def test_a_response_without_a_body_leaves_its_connection_to_the_next(
    make_client: Callable[..., Any], make_raw: Callable[[Says], RawOrigin], method: str, end: bytes
):
    """No revalidation costs a connection, and with TLS a handshake."""
    raw = make_raw(
        lambda head: end if b"no-body" in head or b"if-none" in head else whole(b"hello")
    )
    client = make_client('store_anyway = []\npass_headers = ["authorization"]', servers=(raw.url,))
    await client("/a")
    for number in range(3):
        # HEAD is passed on where it is not for the cache.
        fields = {"authorization": "no-body"} if method == "HEAD" else {}
        await client("/a" if b"304" in end else f"/no-body{number}", method, fields=fields)
    assert raw.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        whole(b"hello"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
    ],
    ids=["whole", "204", "304"],
)
async def test_what_a_server_says_too_much_is_no_answer_to_the_next_request(
    make_client: Callable[..., Any], make_raw: Callable[[Says], RawOrigin], first: bytes
):
    """Or whoever can make it say too much answers for others (RFC 9112, 9.2)."""
    good = whole(b"good", b"Cache-Control: max-age=60\r\n")
    evil = whole(b"evil", b"Cache-Control: max-age=60\r\n")
    raw = make_raw(lambda head: first + evil if b"/liar" in head else good)
    client = make_client(servers=(raw.url,))
    await client("/liar")
    assert (await client("/victim")).body == b"good"
