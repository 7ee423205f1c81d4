"""Requests that could fool a gateway: none of them reaches an upstream, or another's answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.gateway.origin import Answer, Origin

from .conftest import Client

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    "target",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/..%2fb",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/a//b",
        "//evil.test/a",
        "/a%00",
        "/a%0d%0aX: y",
        "/a b",
        "/ä",
        "/%zz",
        "/%",
        "/a;/../b/..;/c",
        "http://evil.test/a",
        "*",
        "",
        "/" + "a" * 5000,
        "/a?" + "b" * 9000,
        "/a?b=%zz",
        "/a?b=\x00",
    ],
)
async def test_targets_with_two_readings_are_refused(client: Client, origin: Origin, target: str):
    path, _, query = target.encode("utf-8").partition(b"?")
    answer = await ask_raw(client, path, query)
    assert answer.status in (400, 414)
    assert answer.get("content-type") == PROBLEM
    assert answer.get("cache-control") == "no-store"
    assert json.loads(answer.body)["detail"]
    assert origin.count == 0


async def ask_raw(client: Client, path: bytes, query: bytes, lines=()):
    from gateway_project.serving.asked import Asked
    from tiercache.http.fields import Fields

    from .conftest import Answered

    async def read(_limit: int) -> bytes:
        return b""

    fields = Fields([("host", "gateway.test"), *lines])
    asked = Asked("GET", path, query, fields)
    return await Answered.of(await client.gateway.answer(asked, read))


@pytest.mark.parametrize(
    "lines",
    [
        [("host", "other.test")],
        [("content-length", "1"), ("content-length", "2")],
        [("content-length", "1"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "chunked, identity")],
        [("content-length", "+1")],
        [("x_api_key", "1")],
        [("x-a", "b\r\nx-c: d")],
        [("x-a", "b\x00")],
        [("x a", "b")],
        [("x-a", "b" * 40_000)],
        [(f"x-{n}", "b") for n in range(120)],
    ],
    ids=str,
)
async def test_fields_with_two_readings_are_refused(
    client: Client, origin: Origin, lines: list[tuple[str, str]]
):
    answer = await ask_raw(client, b"/a", b"", lines)
    assert answer.status in (400, 431)
    assert origin.count == 0


async def test_a_method_that_no_route_has_is_refused(client: Client, origin: Origin):
    answer = await client(method="TRACE")
    assert answer.status == 405
    assert set((answer.get("allow") or "").split(", ")) >= {"GET", "HEAD"}
    assert origin.count == 0


async def test_a_path_that_no_route_has_is_refused(
    make_client: Callable[..., Client], origin: Origin
):
    text = """
[pools.origin]
servers = ["{url}"]
[[routes]]
name = "one"
path = "/api/one"
pool = "origin"
query = ["a"]
ignore_query = ["utm_*"]
{options}
"""
    client = make_client(text=text)
    missing = await client("/api/on")
    assert (missing.status, missing.get("content-type")) == (404, PROBLEM)
    assert "/api/one" in json.loads(missing.body)["detail"]
    unknown = await client("/api/one?b=1")
    assert unknown.status == 400
    assert json.loads(unknown.body)["parameter"] == "b"
    assert origin.count == 0
    origin.says(cache_control="max-age=60")
    await client("/api/one?utm_source=x&a=1")
    assert (await client("/api/one?a=1&utm_campaign=y")).told == "hit; detail=memory"
    assert origin.asked[0].target == "/api/one?a=1"


async def test_spellings_of_one_target_are_one(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60")
    await client("/%61?b=%7e&a=1")
    assert (await client("/a?a=1&b=~")).told == "hit; detail=memory"
    assert origin.asked[0].target == "/a?a=1&b=~"


async def test_hop_by_hop_fields_go_no_further(client: Client, origin: Origin):
    origin.script = lambda _: Answer(
        headers={
            "Cache-Control": "max-age=60",
            "Connection": "x-secret, close",
            "X-Secret": "1",
            "Keep-Alive": "timeout=5",
            "Proxy-Authenticate": "Basic",
        }
    )
    for _ in range(2):
        answer = await client(
            fields={"connection": "x-mine, keep-alive", "te": "gzip", "upgrade": "h2c"}
        )
        shown = {name for name, _ in answer.fields}
        assert not shown & {"connection", "x-secret", "keep-alive", "proxy-authenticate"}
    sent = {name for name, _ in origin.asked[0].fields}
    assert not sent & {"connection", "te", "upgrade", "x-mine"}


async def test_the_connection_field_takes_no_part_of_the_key_away(client: Client, origin: Origin):
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": "max-age=60", "Vary": "Accept-Language"},
        body=(asked.fields.get("accept-language") or "none").encode(),
    )
    fields = {"accept-language": "de", "connection": "accept-language, authorization"}
    assert (await client(fields=fields)).body == b"de"
    assert (await client()).body == b"none"


async def test_a_request_in_a_circle_ends(client: Client, origin: Origin):
    assert (await client(via="1.1 tiercache, 1.1 tiercache")).status == 200
    answer = await client(via="1.1 tiercache, 1.1 tiercache, 2 tiercache")
    assert answer.status == 508
    assert origin.count == 1


async def test_an_answer_that_is_not_for_everybody_reaches_one(client: Client, origin: Origin):
    """Set-Cookie reaches the caller it is for, and is stored nowhere."""
    numbers = iter(range(10))
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "max-age=60", "Set-Cookie": [f"id={next(numbers)}", "b=c"]}
    )
    cookies = [(await client()).fields.lines("set-cookie") for _ in range(3)]
    assert cookies == [("id=0", "b=c"), ("id=1", "b=c"), ("id=2", "b=c")]
