"""Routes for callers with keys, through all of the gateway: who gets in, how often, to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway_project.kinds import Kind, Kinds
from gateway_project.serving import current
from tests.gateway.origin import Answer, Origin, Request

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)

PROBLEM = "application/problem+json"
ROUTES = """
[pools.origin]
servers = ["{url}"]

[defaults]
pool = "origin"

[[routes]]
name = "closed"
path = "/closed/{rest*}"
requires_key = true

[[routes]]
name = "limited"
path = "/limited/{rest*}"
rate = "2/1h"

[[routes]]
name = "apart"
path = "/apart/{rest*}"
requires_key = true
tenant = "key"

[[routes]]
name = "open"
path = "/open/{rest*}"
"""


class Counted:
    """An origin's script: each answer is another one, kept for a minute."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, _: Request) -> Answer:
        self._number += 1
        headers: dict[str, Any] = {"Cache-Control": "max-age=60"}
        return Answer(headers=headers, body=f"answer {self._number}".encode())


@pytest.fixture
def keys(make_key: Callable[..., Any]) -> dict[str, str]:
    """Keys of two tenants, a second one of the first tenant, and one with a rate of its own."""
    return {
        "acme": make_key(tenant="acme")[1],
        "acme-2": make_key(tenant="acme")[1],
        "other": make_key(tenant="other")[1],
        "slow": make_key(rate="1/1h")[1],
    }


@pytest.fixture
def ask(
    keys: dict[str, str],
    gateway: httpx.AsyncClient,
    use_routes: Callable[[str], None],
    origin: Origin,
):
    """Ask for a path with the key of a name, in Authorization or in X-API-Key."""
    use_routes(ROUTES)
    origin.script = Counted()

    async def once(path: str, who: str = "", *, field: str = "authorization") -> httpx.Response:
        scheme = "Bearer " if field == "authorization" else ""
        headers = {field: scheme + keys[who]} if who else {}
        return await gateway.get(path, headers=headers)

    return once


async def test_without_a_key_a_route_that_needs_one_refuses_with_a_challenge(ask, origin: Origin):
    response = await ask("/closed/a")

    assert (response.status_code, response.headers["Content-Type"]) == (401, PROBLEM)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="gateway"'
    assert response.headers["Cache-Control"] == "no-store"
    assert origin.count == 0


async def test_an_unknown_key_is_refused_and_never_repeated(ask, keys, origin: Origin):
    keys["stranger"] = "tck_" + "x" * 43

    response = await ask("/closed/a", "stranger")

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert keys["stranger"] not in response.text
    assert origin.count == 0


async def test_what_is_stored_is_not_for_who_has_no_key(ask, origin: Origin):
    assert (await ask("/closed/a", "acme")).status_code == 200

    assert (await ask("/closed/a")).status_code == 401
    assert origin.count == 1


@pytest.mark.parametrize("field", ["authorization", "x-api-key"])
async def test_a_key_lets_in_and_goes_no_further(ask, keys, origin: Origin, field: str):
    response = await ask("/closed/a", "acme", field=field)

    assert (response.status_code, response.text) == (200, "answer 1")
    assert not {"authorization", "x-api-key"} & {name for name, _ in origin.asked[0].fields}
    assert keys["acme"] not in str(origin.asked)


async def test_keys_share_answers_where_the_route_does_not_part_them(ask, origin: Origin):
    assert (await ask("/closed/a", "acme")).text == "answer 1"

    response = await ask("/closed/a", "other")

    assert response.text == "answer 1"
    assert "hit" in response.headers["Cache-Status"]
    assert origin.count == 1


async def test_tenants_never_get_each_others_answers(ask, origin: Origin):
    first = [(await ask("/apart/a", who)).text for who in ("acme", "other")]
    again = [(await ask("/apart/a", who)).text for who in ("acme", "other")]

    assert first == again == ["answer 1", "answer 2"]
    assert origin.count == 2


async def test_keys_of_one_tenant_share_its_answers(ask, origin: Origin):
    texts = [(await ask("/apart/a", who)).text for who in ("acme", "acme-2")]

    assert texts == ["answer 1", "answer 1"]
    assert origin.count == 1


async def test_each_answer_of_a_limited_route_tells_what_is_left(ask):
    left = [(await ask("/limited/a")).headers["RateLimit"].split(";")[1] for _ in range(2)]

    assert left == ["r=1", "r=0"]


async def test_beyond_the_limit_a_caller_is_told_when_to_come_again(ask, origin: Origin):
    for _ in range(2):
        assert (await ask("/limited/a")).status_code == 200

    response = await ask("/limited/a")

    assert (response.status_code, response.headers["Content-Type"]) == (429, PROBLEM)
    assert 1 <= int(response.headers["Retry-After"]) <= 2 * 3600
    assert response.headers["RateLimit-Policy"] == '"default";q=2;w=3600'
    assert response.headers["RateLimit"].startswith('"default";r=0;t=')
    assert origin.count == 1


async def test_callers_have_limits_of_their_own(ask):
    statuses = [(await ask("/limited/a", who)).status_code for who in ("acme", "other") * 2]

    assert statuses == [200] * 4
    assert (await ask("/limited/a", "acme")).status_code == 429


async def test_the_rate_of_a_key_is_instead_of_the_routes(ask):
    statuses = [(await ask("/limited/a", "slow")).status_code for _ in range(2)]

    assert statuses == [200, 429]


@pytest.mark.parametrize("path", ["/closed/a", "/limited/a", "/apart/a"])
async def test_such_routes_are_never_answered_without_asking_who_it_is(ask, keys, path: str):
    for _ in range(2):
        await ask(path, "acme")

    assert kind_of(path, keys["acme"]) is None


async def test_open_routes_are_answered_whatever_key_comes_along(ask, keys):
    for _ in range(2):
        await ask("/open/a")

    kind = kind_of("/open/a", keys["acme"])
    assert kind is not None
    assert kind.answer() is not None


def kind_of(path: str, key: str) -> Kind | None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"testserver"), (b"x-api-key", key.encode())],
        "client": ("192.0.2.1", 1),
    }
    return Kinds(current.gateway()).of(scope)
