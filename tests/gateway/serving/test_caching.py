"""What is stored, for how long, and what callers get of it (RFC 9111, 5861)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.origin import Answer, Origin, Request
from tests.gateway.support import HOST
from tests.support.servers import dead_port
from tests.support.waiting import aeventually

from .conftest import Client, until_answered

# Storing and freshness


async def test_a_fresh_response_is_served_again_without_the_origin(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60", body=b"hello", content_type="text/plain")

    first, second = await client(), await client()

    assert origin.count == 1
    assert (first.status, first.body, first.told) == (200, b"hello", "fwd=uri-miss; stored")
    assert (second.status, second.body, second.told) == (200, b"hello", "hit; detail=memory")
    assert second.get("content-type") == "text/plain"
    assert second.get("age") == "0"
    assert second.get("content-length") == "5"
    assert second.get("date")


async def test_what_memory_has_lost_comes_from_redis(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60")
    await client()
    client.gateway._cache._node.memory.invalidate_all()

    assert (await client()).told == "hit; detail=redis"
    assert origin.count == 1


async def test_its_age_counts_from_where_the_origin_says(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60", age="40")

    await client()
    again = await client()

    assert again.get("age") == "40"
    assert "ttl=20" in (again.get("cache-status") or "") or "ttl=19" in str(again.fields)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"cache_control": "no-store"}, "no-store"),
        ({"cache_control": "private"}, "private"),
        ({"cache_control": "max-age=60", "set_cookie": "a=b"}, "set-cookie"),
        ({"cache_control": "max-age=60", "vary": "*"}, "vary-star"),
        ({"cache_control": "max-age=0"}, "no-lifetime"),
        ({}, "no-lifetime"),
    ],
)
async def test_what_must_not_be_stored_is_not(
    client: Client, origin: Origin, headers: dict[str, str], reason: str
):
    origin.says(**headers)

    answers = [await client() for _ in range(3)]

    assert origin.count == 3
    assert {answer.told for answer in answers} == {f"fwd=miss; detail={reason}"}
    assert {answer.body for answer in answers} == {b"body"}


async def test_unless_the_route_says_so(make_client: Callable[..., Client], origin: Origin):
    client = make_client('store_anyway = ["set-cookie", "private"]')
    origin.says(cache_control="private, max-age=60", set_cookie="secret=1")

    first, second = await client(), await client()

    assert origin.count == 1
    assert "set-cookie" not in first.fields
    assert "set-cookie" not in second.fields


async def test_the_route_gives_a_lifetime_to_what_says_nothing(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client("lifetime = 60")
    origin.says(body=b"1")
    await client()
    assert (await client()).told == "hit; detail=memory"

    origin.says(cache_control="no-store")
    assert (await client("/other")).told == "fwd=miss; detail=no-store"


async def test_an_error_is_not_stored(client: Client, origin: Origin):
    origin.says(status=418, cache_control="max-age=60")
    await client()
    assert (await client()).status == 418
    assert origin.count == 2


async def test_head_is_answered_from_get(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60", body=b"hello")

    head = await client(method="HEAD")
    get = await client()

    assert (head.status, head.body, head.get("content-length")) == (200, b"", "5")
    assert (get.body, get.told) == (b"hello", "hit; detail=memory")
    assert [request.method for request in origin.asked] == ["GET"]


async def test_a_request_with_authorization_goes_by_the_cache(client: Client, origin: Origin):
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": "max-age=60, public"},
        body=(asked.fields.get("authorization") or "nobody").encode(),
    )
    await client()
    other = await client(authorization="Basic x")
    assert (other.body, other.told) == (b"Basic x", "fwd=bypass; detail=authorization")
    assert (await client()).body == b"nobody"


# Variants


async def test_variants_are_told_apart(client: Client, origin: Origin):
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": "max-age=60", "Vary": "Accept-Language"},
        body=(asked.fields.get("accept-language") or "none").encode(),
    )
    for language in ("de", "en", "de", "en", "fr", None):
        fields = {} if language is None else {"accept-language": language}
        for _ in range(2):
            answer = await client(fields=fields)
            assert answer.body == (language or "none").encode()
    assert origin.count == 4
    assert (await client(accept_language="EN")).told == "hit; detail=memory"


async def test_compressed_variants_are_told_apart_by_what_counts(client: Client, origin: Origin):
    def script(asked: Request) -> Answer:
        gzip = "gzip" in (asked.fields.get("accept-encoding") or "")
        headers: dict[str, Any] = {"Cache-Control": "max-age=60", "Vary": "Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return Answer(headers=headers, body=b"zipped" if gzip else b"plain")

    origin.script = script
    spellings = ["gzip", "gzip, deflate", "x-gzip;q=0.5", "deflate", "", "gzip;q=0"]
    bodies = [(await client(accept_encoding=spelling)).body for spelling in spellings]

    assert bodies == [b"zipped", b"zipped", b"zipped", b"plain", b"plain", b"plain"]
    assert origin.count == 2


async def test_what_the_key_leaves_out_never_reaches_the_origin(client: Client, origin: Origin):
    """No caller decides by a field that is not in the key what others get."""
    origin.says(cache_control="max-age=60")
    await client(
        fields={
            "x-forwarded-host": "evil.test",
            "x-original-url": "/admin",
            "user-agent": "x",
            "cookie": "session=1",
            "x-anything": "1",
            "range": "bytes=0-1",
            "if-none-match": '"x"',
            "accept": "text/html",
        }
    )
    names = {name for name, _ in origin.asked[0].fields}
    assert names == {"host", "accept", "via"}
    assert origin.asked[0].fields.get("host") == origin.name


# Revalidation


async def test_a_stale_response_is_revalidated(client: Client, origin: Origin):
    """A 304 refreshes it: the body stays, the fields are updated."""
    origin.says(cache_control="max-age=10", age="10", etag='"1"', x_version="1", body=b"hello")
    assert (await client()).told == "fwd=uri-miss; stored"
    origin.says(status=304, cache_control="max-age=60", etag='"1"', x_version="2", body=b"")

    answer = await client()

    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.told == "fwd=stale; fwd-status=304; stored"
    assert answer.get("x-version") == "2"
    assert origin.asked[1].fields.get("if-none-match") == '"1"'
    assert (await client()).told == "hit; detail=memory"
    assert (await client()).body == b"hello"
    assert origin.count == 2


async def test_a_new_response_takes_its_place(client: Client, origin: Origin):
    origin.says(cache_control="max-age=10", age="10", last_modified="Mon, 02 Jan 2006 00:00:00 GMT")
    await client()
    origin.says(cache_control="max-age=60", body=b"new")
    assert (await client()).told == "fwd=stale; stored"
    assert (await client()).body == b"new"
    since = origin.asked[1].fields.get("if-modified-since")
    assert since == "Mon, 02 Jan 2006 00:00:00 GMT"


async def test_no_cache_is_revalidated_by_each_use(client: Client, origin: Origin):
    def script(asked: Request) -> Answer:
        headers: dict[str, Any] = {"Cache-Control": "no-cache", "ETag": '"1"'}
        return Answer(304 if "if-none-match" in asked.fields else 200, headers, b"hello")

    origin.script = script
    for _ in range(3):
        answer = await client()
        assert (answer.status, answer.body) == (200, b"hello")
    assert [("if-none-match" in one.fields) for one in origin.asked] == [False, True, True]


async def test_a_304_about_something_else_is_not_believed(client: Client, origin: Origin):
    origin.says(cache_control="max-age=10", age="10", etag='"1"', body=b"old")
    await client()

    def script(asked: Request) -> Answer:
        if "if-none-match" in asked.fields:
            return Answer(304, {"ETag": '"2"'})
        return Answer(200, {"ETag": '"2"', "Cache-Control": "max-age=60"}, b"new")

    origin.script = script
    assert (await client()).body == b"new"


async def test_a_304_that_forbids_storing_is_used_once(client: Client, origin: Origin):
    origin.says(cache_control="max-age=10", age="10", etag='"1"', body=b"old")
    await client()
    origin.says(status=304, etag='"1"', cache_control="no-store")
    answer = await client()
    assert (answer.body, answer.told) == (b"old", "fwd=stale; fwd-status=304; detail=no-store")
    origin.says(cache_control="max-age=60", body=b"new")
    assert (await client()).body in (b"new", b"old")


# Stale


STALE = "max-age=10, stale-while-revalidate=60"


async def test_while_it_is_revalidated_the_stale_one_is_served(client: Client, origin: Origin):
    origin.says(cache_control=STALE, age="11", body=b"old")
    await client()
    origin.says(cache_control="max-age=60", body=b"new")
    release = origin.hold()

    answers = [await client() for _ in range(10)]

    assert {answer.told for answer in answers} == {"hit; detail=stale-while-revalidate"}
    assert {answer.body for answer in answers} == {b"old"}
    release.set()
    await until_answered(client, b"new")
    assert origin.count == 2


@pytest.mark.parametrize("fault", ["503", "refused", "silent"])
async def test_while_the_origin_fails_the_stale_one_is_served(
    make_client: Callable[..., Client], origin: Origin, fault: str
):
    client = make_client("stale_if_error = 600", timeout=1.0)
    origin.says(cache_control="max-age=10", age="11", body=b"old", etag='"1"')
    assert (await client()).status == 200
    if fault == "503":
        origin.says(status=503)
    elif fault == "silent":
        origin.hold()
    else:
        with dead_port() as port:
            dead = f"http://{HOST}:{port}"
        cache = client.gateway._cache
        client = make_client("stale_if_error = 600", servers=(dead,), cache=cache)
    for _ in range(5):
        answer = await client()
        assert (answer.status, answer.body) == (200, b"old")
        assert answer.told == "fwd=stale; detail=stale-if-error"


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10"])
async def test_but_not_where_it_must_be_revalidated(
    make_client: Callable[..., Client], origin: Origin, directive: str
):
    client = make_client("stale_if_error = 600\nstale_while_revalidate = 600")
    origin.says(cache_control=f"max-age=10, {directive}", age="11", etag='"1"')
    await client()
    origin.says(status=503)
    for _ in range(3):
        answer = await client()
        assert answer.status == 502
        assert answer.get("content-type") == "application/problem+json"
    origin.says(cache_control="max-age=60", body=b"new")
    await until_answered(client, b"new")


async def test_beyond_stale_if_error_there_is_an_error(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client("stale_if_error = 5")
    origin.says(cache_control="max-age=10", age="16", etag='"1"')
    await client()
    origin.says(status=500)
    assert (await client()).status == 502


# One load


async def test_one_load_for_all_who_ask_at_once(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60", body=b"hello")
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(50)]
    await aeventually(lambda: origin.count == 1)
    release.set()

    answers = await asyncio.gather(*asking)

    assert origin.count == 1
    assert {answer.body for answer in answers} == {b"hello"}
    told = [answer.told for answer in answers]
    assert told.count("fwd=uri-miss; stored") == 1
    assert told.count("fwd=uri-miss; stored; collapsed") == 49


async def test_what_must_not_be_stored_is_nobody_elses_and_is_not_queued_for(
    client: Client, origin: Origin
):
    """Each caller gets an answer of their own, and all of them at the same time."""
    numbers = iter(range(100))
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "private"}, body=str(next(numbers)).encode()
    )
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(20)]
    await aeventually(lambda: origin.count == 1)
    release.set()
    answers = await asyncio.gather(*asking)

    assert len({answer.body for answer in answers}) == 20
    origin.held = None
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(5)]
    await aeventually(lambda: origin.count == 25)
    release.set()
    await asyncio.gather(*asking)


async def test_a_caller_who_leaves_takes_no_answer_away(client: Client, origin: Origin):
    origin.says(cache_control="max-age=60", body=b"hello")
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(3)]
    await aeventually(lambda: origin.count == 1)
    asking[0].cancel()
    await asyncio.wait([asking[0]])
    release.set()
    assert [(await one).body for one in asking[1:]] == [b"hello", b"hello"]
    assert origin.count == 1


async def test_what_a_caller_leaves_behind_is_let_go(client: Client, origin: Origin):
    """A private answer that nobody waits for any more keeps no connection."""
    origin.says(cache_control="private", body=b"x" * 100_000)
    release = origin.hold()
    asking = asyncio.create_task(client())
    await aeventually(lambda: origin.count == 1)
    asking.cancel()
    await asyncio.wait([asking])
    release.set()
    origin.held = None
    pool = client.gateway._pools("origin")
    await aeventually(lambda: pool.snapshot().servers[0].failures == 0)
    assert (await client()).status == 200


# Large bodies


async def test_a_large_body_is_streamed_and_not_stored(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client('largest_stored = "1 KiB"')
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "max-age=60"}, body=b"x" * 1000, parts=100
    )
    for _ in range(2):
        answer = await client()
        assert len(answer.body) == 100_000
        assert answer.told == "fwd=miss; detail=too-large"


async def test_a_body_that_breaks_off_is_not_stored(client: Client, origin: Origin):
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "max-age=60", "Content-Length": "100"}, body=b"x"
    )
    answer = await client()
    assert answer.status == 502
    origin.says(cache_control="max-age=60", body=b"whole")
    await until_answered(client, b"whole")


async def test_an_error_that_one_caller_gets_is_not_in_the_way_of_others(
    client: Client, origin: Origin
):
    """Who asks for a media type that there is not must not switch caching off for everybody."""

    def script(asked: Request) -> Answer:
        if asked.fields.get("accept") == "nonsense":
            return Answer(406)
        return Answer(headers={"Cache-Control": "max-age=60", "Vary": "Accept"}, body=b"hello")

    origin.script = script
    assert (await client(accept="nonsense")).status == 406
    assert (await client()).told == "fwd=uri-miss; stored"
    assert (await client(accept="nonsense")).status == 406
    assert (await client()).told == "hit; detail=memory"


async def test_a_load_has_its_budget_for_the_body_too(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client("budget = 0.3")
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "max-age=60"}, body=b"x", parts=100, pause=0.05
    )
    async with asyncio.timeout(2):
        answer = await client()
    assert answer.status == 504
