"""What goes over a socket: framing that can be read in two ways, and all that HTTP/1 allows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import uvicorn

from tests.gateway.origin import Answer, Origin
from tests.gateway.support import HOST
from tests.support.waiting import eventually

NEXT = b"GET /next HTTP/1.1\r\nHost: testserver\r\n\r\n"
END = b"0\r\n\r\n"


class Wire(NamedTuple):
    """A gateway that listens."""

    port: int

    def says(self, *parts: bytes) -> bytes:
        """Return all that it says to these bytes until it closes the connection."""
        with socket.create_connection((HOST, self.port), timeout=10) as connection:
            for part in parts:
                connection.sendall(part)
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        return answer


@pytest.fixture
def wire(serve: Callable[[str], Any]) -> Iterator[Wire]:
    """Run the gateway by the server that it is run by."""
    listener = socket.create_server((HOST, 0))
    config = uvicorn.Config(
        serve(""),
        interface="asgi3",
        lifespan="off",
        http="h11",
        ws="none",
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    eventually(lambda: server.started, why="the gateway listens")
    yield Wire(listener.getsockname()[1])
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
    assert not thread.is_alive()


def get(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    """Return a request."""
    head = [f"{method} {path} HTTP/{version}", "Host: testserver", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    """Return the statuses of the answers that came, one after the other."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


TWO_WAYS = {
    "CL.TE": get(
        "/a", f"Content-Length: {len(END + NEXT)}", "Transfer-Encoding: chunked", method="POST"
    )
    + END
    + NEXT,
    "TE.CL": get("/a", "Transfer-Encoding: chunked", "Content-Length: 4", method="POST")
    + b"%x\r\n%b\r\n" % (len(NEXT), NEXT)
    + END
    + NEXT,
    "folded": get("/a", "Transfer-Encoding:\r\n chunked", "Content-Length: 3", method="POST")
    + END
    + NEXT,
    "two lengths": get("/a", "Content-Length: 3", f"Content-Length: {3 + len(NEXT)}", method="POST")
    + b"abc"
    + NEXT,
    "a length that is none": get("/a", "Content-Length: +3", method="POST") + b"abc" + NEXT,
    "an unknown coding": get("/a", "Transfer-Encoding: xchunked", method="POST") + END + NEXT,
    "two codings": get("/a", "Transfer-Encoding: chunked, identity", method="POST") + END + NEXT,
    "a coding in HTTP/1.0": get("/a", "Transfer-Encoding: chunked", version="1.0", method="POST")
    + END
    + NEXT,
    "a space behind the name": get("/a", f"Content-Length : {len(NEXT)}", method="POST") + NEXT,
    "a chunk that is too long": get("/a", "Transfer-Encoding: chunked", method="POST")
    + b"3\r\nabcXX"
    + END
    + NEXT,
    "a chunk of less than nothing": get("/a", "Transfer-Encoding: chunked", method="POST")
    + b"-3\r\nabc\r\n"
    + END
    + NEXT,
    "chunks without CR": get("/a", "Transfer-Encoding: chunked", method="POST")
    + b"3\nabc\n0\n\n"
    + NEXT,
    "two hosts": get("/a", "Host: testserver") + NEXT,
    "a name with an underscore": get("/a", "X_Api_Key: 1") + NEXT,
}


@pytest.mark.parametrize("sent", TWO_WAYS.values(), ids=TWO_WAYS)
def test_what_can_be_read_in_two_ways_ends_the_connection(wire: Wire, origin: Origin, sent: bytes):
    """What follows might be part of it, and is not answered (RFC 9112, 6.1 and 6.3)."""
    assert statuses(wire.says(sent)) == [400]
    assert origin.asked == []


def test_a_host_that_is_none_is_refused(wire: Wire, origin: Origin):
    sent = get("/a", "Connection: close").replace(b"testserver", b"testserver, evil.test")
    assert statuses(wire.says(sent)) == [400]
    assert origin.asked == []


@pytest.mark.parametrize("control", ["\r", "\0"])
def test_a_value_with_a_control_is_refused(wire: Wire, origin: Origin, control: str):
    assert statuses(wire.says(get("/a", f"Accept: a{control}b") + NEXT)) == [400]
    assert origin.asked == []


@pytest.mark.parametrize("path", ["/%0d%0aX-Injected:%201", "//evil.test/x", "/a/%2e%2e/b", "/a#b"])
def test_a_path_that_others_may_read_otherwise_is_refused(wire: Wire, origin: Origin, path: str):
    assert statuses(wire.says(get(path, "Connection: close"))) == [400]
    assert origin.asked == []


def test_line_ends_in_a_query_stay_encoded(wire: Wire, origin: Origin):
    origin.says(cache_control="max-age=60")
    wire.says(get("/a?b=%0d%0aX-Injected:1", "Connection: close"))
    assert origin.asked[0].target == "/a?b=%0D%0AX-Injected%3A1"
    assert "x-injected" not in origin.asked[0].fields


@pytest.mark.parametrize("length", ["chunked", "counted"])
def test_a_body_that_get_need_not_have_is_not_the_next_request(
    wire: Wire, origin: Origin, length: str
):
    origin.says(cache_control="max-age=60")
    framed = {
        "chunked": get("/a", "Transfer-Encoding: chunked")
        + b"%x\r\n%b\r\n" % (len(NEXT), NEXT)
        + END,
        "counted": get("/a", f"Content-Length: {len(NEXT)}") + NEXT,
    }
    answer = wire.says(framed[length] + get("/b", "Connection: close"))
    assert statuses(answer) == [200, 200]
    assert [asked.target for asked in origin.asked] == ["/a", "/b"]


def test_requests_in_a_row_are_answered_in_their_order(wire: Wire, origin: Origin):
    lasting = {"Cache-Control": "max-age=60"}
    origin.script = lambda asked: Answer(headers=lasting, body=asked.target.encode())
    sent = [get("/a"), get("/b"), get("/c", "Connection: close")]
    answer = wire.says(b"".join(sent))
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"/a", b"/b", b"/c"]


def test_http_1_0_gets_an_answer_and_its_end(wire: Wire, origin: Origin):
    origin.says(cache_control="max-age=60", body=b"hello")
    for _ in range(2):
        answer = wire.says(get("/a", version="1.0"))
        assert answer.endswith(b"\r\n\r\nhello")
        assert b"transfer-encoding" not in answer.lower()


def test_a_body_in_chunks_is_handed_on_whole(wire: Wire, origin: Origin):
    head = get("/a", "Transfer-Encoding: chunked", "Connection: close", method="PUT")
    answer = wire.says(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\nX-Forwarded-Host: evil\r\n\r\n")
    assert statuses(answer) == [200]
    asked = origin.asked[0]
    assert (asked.body, asked.fields.get("content-length")) == (b"abcde", "5")
    assert "transfer-encoding" not in asked.fields
    assert asked.fields.get("x-forwarded-host") == "testserver"


def test_who_waits_to_be_told_to_go_on_is_told(wire: Wire, origin: Origin):
    head = get("/a", "Expect: 100-continue", "Content-Length: 3", "Connection: close", method="PUT")
    assert statuses(wire.says(head, b"abc")) == [100, 200]
    assert (origin.asked[0].body, "expect" in origin.asked[0].fields) == (b"abc", False)


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_no_other_protocol_is_taken_up(wire: Wire, origin: Origin, protocol: str):
    lines = [f"Upgrade: {protocol}", "Connection: Upgrade, close"]
    assert statuses(wire.says(get("/a", *lines))) == [200]
    assert "upgrade" not in origin.asked[0].fields


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("lines", [(), ('If-None-Match: "1"',)], ids=["whole", "known"])
def test_head_and_304_end_with_their_head(
    wire: Wire, origin: Origin, method: str, lines: tuple[str, ...]
):
    """By each of both paths; the next answer begins where it should."""
    origin.says(cache_control="max-age=60", etag='"1"', body=b"hello")
    has_body = method == "GET" and not lines
    last = get("/a", "Connection: close")
    answer = wire.says(get("/a", *lines, method=method) * 2 + last)
    assert statuses(answer) == [304 if lines else 200] * 2 + [200]
    assert answer.count(b"hello") == (3 if has_body else 1)
