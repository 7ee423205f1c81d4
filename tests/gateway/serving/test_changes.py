"""Methods that change something, and evictions by address and by tag (RFC 9111, 4.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway_project.serving.places import address_tag, upstream_tag
from tests.gateway.origin import Answer, Origin, Request
from tests.support.waiting import aeventually

from .conftest import Client


async def cached(client: Client, *targets: str, **headers: str) -> None:
    for target in targets:
        await client(target, **headers)
        assert "hit" in (await client(target, **headers)).told


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_change_evicts_all_variants_of_its_address(
    client: Client, origin: Origin, method: str
):
    origin.says(cache_control="max-age=60", vary="Accept-Language")
    for language in ("de", "en"):
        await cached(client, "/a?b=1", accept_language=language)
    await cached(client, "/a", "/other")
    origin.says(status=204, body=b"")
    changed = await client("/a?b=1", method, b"new")
    assert (changed.status, changed.told) == (204, "fwd=method")
    assert (origin.asked[-1].method, origin.asked[-1].body) == (method, b"new")

    origin.says(cache_control="max-age=60", vary="Accept-Language", body=b"new")
    assert (await client("/a?b=1", accept_language="de")).body == b"new"
    assert (await client("/a?b=1", accept_language="en")).body == b"new"
    assert (await client("/other")).told == "hit; detail=memory"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_one_that_failed_evicts_nothing(client: Client, origin: Origin, status: int):
    origin.says(cache_control="max-age=60")
    await cached(client, "/a")
    origin.says(status=status, body=b"no")
    refused = await client("/a", "PUT")
    assert (refused.status, refused.body) == (status, b"no")
    assert (await client("/a")).told == "hit; detail=memory"


@pytest.mark.parametrize("name", ["location", "content-location"])
@pytest.mark.parametrize(
    ("value", "evicted"),
    [
        ("/other", True),
        ("other", True),
        ("http://gateway.test/other", True),
        ("http://elsewhere.test/other", False),
        ("https://gateway.test/other", False),
        ("/../other", True),
        ("", False),
    ],
)
async def test_it_evicts_what_it_names_here_and_nothing_elsewhere(
    client: Client, origin: Origin, name: str, value: str, evicted: bool
):
    origin.says(cache_control="max-age=60")
    await cached(client, "/other")
    origin.script = lambda _: Answer(201, {name: value})
    await client("/a", "POST")
    origin.says(cache_control="max-age=60")
    assert ("hit" not in (await client("/other")).told) == evicted


async def test_a_change_during_a_load_wins(client: Client, origin: Origin):
    """What was asked for before it is handed on, and not stored."""
    tags = client.gateway.table.routes[0]

    def script(asked: Request) -> Answer:
        return Answer(headers={"Cache-Control": "max-age=60"}, body=b"old")

    origin.script = script
    release = origin.hold()
    asking = asyncio.create_task(client("/a"))
    await aeventually(lambda: origin.count == 1)
    tag = address_tag(tags, {"rest": "a"}, ())
    await client.gateway._cache.aevict_tags(tag)
    release.set()
    assert (await asking).body == b"old"
    origin.held = None
    origin.says(cache_control="max-age=60", body=b"new")
    assert (await client("/a")).body == b"new"


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ({"surrogate_key": "red blue"}, "blue"),
        ({"cache_tag": "red, blue"}, "red"),
    ],
)
async def test_the_upstreams_tags_evict_and_are_shown_to_nobody(
    client: Client, origin: Origin, headers: dict[str, str], tag: str
):
    origin.says(cache_control="max-age=60", **headers)
    first = await client("/a")
    await cached(client, "/a")
    assert not {"surrogate-key", "cache-tag"} & {name for name, _ in first.fields}

    await client.gateway._cache.aevict_tags(upstream_tag(tag))
    assert (await client("/a")).told == "fwd=uri-miss; stored"


async def test_a_soft_eviction_leaves_it_stale(make_client: Callable[..., Client], origin: Origin):
    client = make_client("stale_while_revalidate = 60")
    origin.says(cache_control="max-age=60", surrogate_key="red", body=b"old")
    await cached(client, "/a")
    release = origin.hold()
    await client.gateway._cache.aevict_tags(upstream_tag("red"), soft=True)
    stale = await client("/a")
    assert (stale.body, stale.told) == (b"old", "hit; detail=stale-while-revalidate")
    release.set()


async def test_the_routes_own_tags_evict(make_client: Callable[..., Client], origin: Origin):
    client = make_client('tags = ["all:{rest}"]')
    origin.says(cache_control="max-age=60")
    await cached(client, "/a", "/b")
    await client.gateway._cache.aevict_tags(upstream_tag("all:a"))
    assert "hit" not in (await client("/a")).told
    assert "hit" in (await client("/b")).told


async def test_a_confirmed_response_keeps_its_tags(client: Client, origin: Origin):
    origin.says(cache_control="max-age=10", age="10", etag='"1"', surrogate_key="red")
    await client("/a")
    origin.says(status=304, cache_control="max-age=60", etag='"1"')
    await cached(client, "/a")
    await client.gateway._cache.aevict_tags(upstream_tag("red"))
    origin.says(cache_control="max-age=60")
    assert (await client("/a")).told == "fwd=uri-miss; stored"


async def is_fresh(client: Client, language: str) -> bool:
    return "stale" not in (await client("/a", accept_language=language)).told


async def test_a_soft_eviction_leaves_each_variant_stale(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client("stale_while_revalidate = 60")
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": "max-age=60", "Vary": "Accept-Language", "Cache-Tag": "red"},
        body=(asked.fields.get("accept-language") or "none").encode(),
    )
    for language in ("de", "en"):
        await cached(client, "/a", accept_language=language)
    await client.gateway._cache.aevict_tags(upstream_tag("red"), soft=True)
    for language in ("de", "en"):
        stale = await client("/a", accept_language=language)
        assert (stale.body, stale.told) == (language.encode(), "hit; detail=stale-while-revalidate")
    route = client.gateway.table.routes[0]
    for language in ("de", "en"):
        # Stored, not only asked for: an eviction in between would leave that to the next caller.
        await aeventually(lambda language=language: is_fresh(client, language))
    assert origin.count == 4
    await client.gateway._cache.aevict_tags(address_tag(route, {"rest": "a"}, ()), soft=True)
    assert "stale" in (await client("/a", accept_language="de")).told
    await aeventually(lambda: origin.count == 5)
