"""How old an answer may be: nothing is served that is older than it says, or was evicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway_project.serving.places import upstream_tag
from tests.gateway.origin import Answer, Origin
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import aeventually

from .conftest import Client, until_answered
from .support import FRESH, STALE, trickling


async def test_a_caller_who_says_no_cache_gets_nothing_stale(
    make_client: Callable[..., Client], origin: Origin
):
    """Where the route obeys callers (RFC 9111, 5.2.1.4)."""
    client = make_client("obey_callers = true")
    origin.says(cache_control=STALE, age="11", body=b"old")
    await client()
    origin.says(cache_control=FRESH, body=b"new")
    assert (await client(cache_control="no-cache")).body == b"new"


async def test_the_time_that_a_body_takes_counts_as_age(make_client: Callable[..., Client]):
    """Holds the freshness that was given, and not more (RFC 9111, 4.2.3)."""
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\n"
    async with trickling(head, 4, 0.4) as url:
        client = make_client(servers=(url,))
        assert int((await client()).get("age") or 0) >= 1


async def test_a_load_has_the_routes_budget_to_the_last_byte(make_client: Callable[..., Client]):
    """As `Route.budget` says; nobody waits longer for a body that trickles in."""
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 20\r\n\r\n"
    async with trickling(head, 20, 0.1) as url:
        client = make_client("budget = 0.3", servers=(url,))
        with Stopwatch() as watch:
            await client()
        assert watch.seconds < 1.0


async def test_what_is_confirmed_but_no_longer_storable_is_not_served_again(
    client: Client, origin: Origin
):
    """The origin was asked, and said that nothing of it may be kept."""
    origin.says(cache_control=STALE, age="11", etag='"1"', body=b"old")
    await client()
    no_store: dict[str, Any] = {"ETag": '"1"', "Cache-Control": "no-store"}
    origin.script = lambda asked: (
        Answer(304, no_store) if "if-none-match" in asked.fields else Answer(200, no_store, b"new")
    )
    await until_answered(client, b"new")


async def test_a_hard_eviction_leaves_nothing_to_serve_while_the_origin_fails(
    make_client: Callable[..., Client], origin: Origin
):
    """Holds: stale-if-error does not count for what was evicted."""
    client = make_client("stale_if_error = 600")
    origin.says(cache_control=FRESH, surrogate_key="red", etag='"1"')
    await client()
    await client.gateway._cache.aevict_tags(upstream_tag("red"))
    origin.says(status=503)
    assert (await client()).status == 502


async def test_after_a_soft_eviction_the_windows_begin_with_it(client: Client, origin: Origin):
    """As if its timeout were over: a second of stale-while-revalidate is a second."""
    origin.says(cache_control="max-age=60, stale-while-revalidate=1", surrogate_key="red")
    await client()
    await client.gateway._cache.aevict_tags(upstream_tag("red"), soft=True)
    origin.says(status=503)

    async def is_refused() -> bool:
        return (await client()).status == 502

    await aeventually(is_refused, within=4.0)


async def test_a_soft_eviction_of_what_must_be_revalidated_serves_nothing_stale(
    make_client: Callable[..., Client], origin: Origin
):
    """Holds: must-revalidate counts for what was evicted softly as well."""
    client = make_client("stale_if_error = 600\nstale_while_revalidate = 600")
    origin.says(cache_control="max-age=60, must-revalidate", surrogate_key="red", etag='"1"')
    await client()
    await client.gateway._cache.aevict_tags(upstream_tag("red"), soft=True)
    origin.says(status=503)
    assert (await client()).status == 502
