"""``POST /api/v1/purge``: by address and by tag, hard and soft, by those who may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.coherence.nodes import caught_up, pair_settings, settled
from tests.gateway.origin import Answer, Origin, Request
from tests.support.waiting import aeventually
from tiercache.models import Eviction

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)

PROBLEM = "application/problem+json"
PURGE = "/api/v1/purge"
ROUTES = """
[pools.origin]
servers = ["{url}"]

[[routes]]
name = "items"
path = "/api/v1/items/{number}"
pool = "origin"
tags = ["item:{number}"]
query = ["page"]
"""


def variants(asked: Request) -> Answer:
    """Answer in the language that is asked for, tagged with two of the upstream's own tags."""
    language = asked.fields.get("accept-language") or "none"
    headers: dict[str, Any] = {
        "Cache-Control": "max-age=60, stale-while-revalidate=60",
        "Vary": "Accept-Language",
        "Surrogate-Key": "shop everything",
    }
    return Answer(headers=headers, body=language.encode())


@pytest.fixture
def purge(
    gateway: httpx.AsyncClient,
    use_routes: Callable[[str], None],
    origin: Origin,
    make_key: Callable[..., Any],
):
    """Purge with a key that may; gives the response."""
    use_routes(ROUTES)
    origin.script = variants
    _, key = make_key(may_purge=True)

    async def ask(body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {key}", **headers}
        return await gateway.post(PURGE, content=content, headers=sent)

    return ask


@pytest.fixture
def readers_key(make_key: Callable[..., Any]) -> str:
    """A key that may not purge."""
    return str(make_key()[1])


@pytest.fixture
def revoked_key(make_key: Callable[..., Any]) -> str:
    """A key that might purge until it was revoked."""
    row, key = make_key(may_purge=True)
    row.revoke()
    return str(key)


async def told(gateway: httpx.AsyncClient, path: str, language: str = "de") -> str:
    """Ask for a path; return what Cache-Status says, without the ttl."""
    response = await gateway.get(path, headers={"accept-language": language})
    assert response.status_code == 200
    parts = response.headers["Cache-Status"].split("; ")[1:]
    return "; ".join(part for part in parts if not part.startswith("ttl="))


async def keep(gateway: httpx.AsyncClient, *paths: str) -> None:
    """Have two variants of each path in memory."""
    for path in paths:
        for language in ("de", "en"):
            await told(gateway, path, language)
            assert await told(gateway, path, language) == "hit; detail=memory"


async def test_an_address_is_purged_with_all_its_variants_and_nothing_else(purge, gateway):
    await keep(gateway, "/api/v1/items/1?page=2", "/api/v1/items/1", "/api/v1/items/2")

    response = await purge({"urls": ["/api/v1/items/1?page=2"]})

    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == {"soft": False, "purged": ["/api/v1/items/1?page=2"], "unknown": []}
    assert "no-store" in response.headers["Cache-Control"]
    for language in ("de", "en"):
        assert "fwd=" in await told(gateway, "/api/v1/items/1?page=2", language)
    assert await told(gateway, "/api/v1/items/1") == "hit; detail=memory"
    assert await told(gateway, "/api/v1/items/2") == "hit; detail=memory"


@pytest.mark.parametrize(
    "url", ["https://any.example/api/v1/items/1", "/api/v1/%69tems/1", "/api/v1/items/1#part"]
)
async def test_another_spelling_of_an_address_purges_it_as_well(purge, gateway, url: str):
    await keep(gateway, "/api/v1/items/1")

    assert (await purge({"urls": [url]})).json()["purged"] == [url]
    assert "fwd=" in await told(gateway, "/api/v1/items/1")


@pytest.mark.parametrize(("tag", "both"), [("item:1", False), ("shop", True), ("everything", True)])
async def test_a_tag_of_the_route_or_of_the_upstream_is_purged(
    purge, gateway, tag: str, both: bool
):
    await keep(gateway, "/api/v1/items/1", "/api/v1/items/2")

    assert (await purge({"tags": [tag]})).json()["purged"] == [tag]
    assert "fwd=" in await told(gateway, "/api/v1/items/1")
    assert ("fwd=" in await told(gateway, "/api/v1/items/2")) is both


async def test_the_upstreams_tags_are_not_shown_to_callers(purge, gateway):
    response = await gateway.get("/api/v1/items/1")

    assert "Surrogate-Key" not in response.headers


async def test_purged_softly_it_is_served_once_more_while_it_is_loaded(purge, gateway, origin):
    await keep(gateway, "/api/v1/items/1")
    before = origin.count

    assert (await purge({"urls": ["/api/v1/items/1"], "soft": True})).json()["soft"] is True

    assert await told(gateway, "/api/v1/items/1") == "hit; detail=stale-while-revalidate"

    async def is_loaded() -> bool:
        return bool(await told(gateway, "/api/v1/items/1") == "hit; detail=memory")

    await aeventually(is_loaded)
    assert origin.count == before + 1


async def test_what_is_not_stored_is_told_as_unknown(purge, gateway):
    await keep(gateway, "/api/v1/items/1")

    response = await purge({"urls": ["/api/v1/items/7"], "tags": ["item:1", "nobody's"]})

    assert response.json() == {
        "soft": False,
        "purged": ["item:1"],
        "unknown": ["/api/v1/items/7", "nobody's"],
    }


async def test_an_address_and_a_tag_of_one_spelling_are_both_purged(purge, gateway):
    await keep(gateway, "/api/v1/items/1")

    response = await purge({"urls": ["/api/v1/items/1"], "tags": ["/api/v1/items/1"]})

    assert response.json()["purged"] == response.json()["unknown"] == ["/api/v1/items/1"]
    assert "fwd=" in await told(gateway, "/api/v1/items/1")


async def test_another_node_does_not_serve_what_was_purged(
    purge, gateway, valkey: Valkey, make_caches: Callable[..., Any]
):
    made = make_caches(**pair_settings(valkey.url))
    settled(*made.values())
    await keep(gateway, "/api/v1/items/1")
    other, key = made["other"], "http:items:/api/v1/items/1"
    assert other.get(key) is not None
    assert other.peek(key) is not None

    await purge({"urls": ["/api/v1/items/1"]})
    caught_up(other)

    assert other.peek(key) is None
    assert other.get(key) is None


@pytest.mark.parametrize(
    ("body", "said", "member"),
    [
        (b"{", "The body is no JSON", None),
        (b"\xff", "The body is no JSON", None),
        (b"[" * 100_000, "The body is no JSON", None),
        ([], "The body is no JSON object", None),
        ({}, "There is nothing to purge", None),
        ({"urls": [], "tags": []}, "There is nothing to purge", None),
        ({"url": ["/"]}, "'url' is unknown", "url"),
        ({"urls": "/api/v1/items/1"}, "urls must be a list of texts", "urls"),
        ({"tags": [1]}, "tags must be a list of texts", "tags"),
        ({"tags": [""]}, "tags must be a list of texts", "tags"),
        ({"tags": ["\ud800"]}, "tags must be a list of texts", "tags"),
        ({"tags": ["a"] * 1001}, "tags has 1001 members; allowed are 1000", "tags"),
        ({"tags": ["a"], "soft": 1}, "soft is 1", "soft"),
        ({"urls": ["/nowhere"]}, "'/nowhere' is no address here", "urls"),
        ({"urls": ["/api/v1/items/1?other=1"]}, "Unknown query parameter 'other'", "urls"),
        ({"urls": ["/api/v1/items/%zz"]}, "is no address here", "urls"),
        ({"urls": ["http://[/"]}, "is no address here", "urls"),
        ({"urls": ["http://host"]}, "is no address here", "urls"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_cannot_be_purged_is_refused(purge, body: Any, said: str, member: str | None):
    response = await purge(body)

    assert (response.status_code, response.headers["Content-Type"]) == (400, PROBLEM)
    assert said in response.json()["detail"]
    assert response.json().get("member") == member


async def test_a_purge_that_is_refused_in_part_purges_nothing(purge, gateway):
    await keep(gateway, "/api/v1/items/1")

    assert (await purge({"urls": ["/api/v1/items/1", "/nowhere"]})).status_code == 400
    assert await told(gateway, "/api/v1/items/1") == "hit; detail=memory"


async def test_a_body_that_is_too_large_is_refused(purge):
    response = await purge(b" " * (256 * 1024 + 1))

    assert (response.status_code, response.headers["Content-Type"]) == (413, PROBLEM)


async def test_without_a_key_nothing_is_purged(purge, gateway):
    await keep(gateway, "/api/v1/items/1")

    response = await gateway.post(PURGE, json={"urls": ["/api/v1/items/1"]})

    assert (response.status_code, response.headers["Content-Type"]) == (401, PROBLEM)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="gateway"'
    assert await told(gateway, "/api/v1/items/1") == "hit; detail=memory"


async def test_a_key_that_may_not_purge_is_refused(readers_key: str, purge, gateway):
    await keep(gateway, "/api/v1/items/1")

    response = await purge({"urls": ["/api/v1/items/1"]}, authorization=f"Bearer {readers_key}")

    assert (response.status_code, response.json()["detail"]) == (403, "This key may not purge.")
    assert await told(gateway, "/api/v1/items/1") == "hit; detail=memory"


async def test_a_revoked_key_purges_no_more(revoked_key: str, purge):
    response = await purge({"tags": ["a"]}, authorization=f"Bearer {revoked_key}")

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_it_takes_post_alone(gateway, method: str):
    response = await gateway.request(method, PURGE)

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.headers["Content-Type"] == PROBLEM


async def test_who_has_purged_what_is_in_the_audit(purge):
    answer = await purge({"tags": ["shop"], "urls": ["/api/v1/items/1"], "soft": True})
    assert answer.status_code == 200
    row = await Eviction.objects.alatest("id")
    assert (row.origin, row.cache, row.tier) == ("API", "default", "all")
    assert row.selection == "soft purge: /api/v1/items/1, shop"
    assert row.actor.startswith("API key ")
    assert row.removed == len(answer.json()["purged"])
