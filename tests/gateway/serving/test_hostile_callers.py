"""What one caller can do to the others, which is to be nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from gateway_project.callers import keys
from gateway_project.fast import FastPath, Kinds
from tests.gateway.origin import Answer, Origin, Request
from tests.support.waiting import aeventually

from .conftest import Client
from .support import FRESH, STALE, from_memory, language_of, scope


async def test_a_caller_who_says_no_store_does_not_switch_the_cache_off(
    make_client: Callable[..., Client], origin: Origin
):
    """What is stored for the others stays as it is (RFC 9111, 5.2.1.5)."""
    client = make_client("obey_callers = true")
    origin.says(cache_control=FRESH)
    await client()
    await client(cache_control="no-store")
    assert (await client()).told == "hit; detail=memory"


@pytest.mark.parametrize("passed", [False, True])
async def test_the_answer_to_no_store_is_not_stored_and_marks_nothing(
    make_client: Callable[..., Client], origin: Origin, passed: bool
):
    """Where the route obeys callers; whether or not the upstream sees Cache-Control."""
    client = make_client(
        "obey_callers = true" + ('\npass_headers = ["cache-control"]' if passed else "")
    )
    origin.says(cache_control=FRESH)
    await client(cache_control="no-store")
    assert (await client()).told == "fwd=uri-miss; stored"
    await client(cache_control="no-store")
    assert (await client()).told == "hit; detail=memory"


async def test_a_refused_variant_does_not_take_the_others_away(client: Client, origin: Origin):
    """Who asks for what there is not, when the first variant is stale, leaves it there."""

    def script(asked: Request) -> Answer:
        if asked.fields.get("accept") == "no/thing":
            return Answer(406)
        return Answer(headers={"Cache-Control": STALE, "Age": "11", "Vary": "Accept"}, body=b"good")

    origin.script = script
    await client(accept="text/html")
    await client(accept="no/thing")
    await aeventually(lambda: origin.count >= 2)
    told = [(await client(accept="text/html")).told for _ in range(3)]
    assert "fwd=miss; detail=status" not in told


async def test_one_request_for_a_further_variant_is_one_load(client: Client, origin: Origin):
    """The first variant is stale; that is not the business of who asks for another one."""
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": STALE, "Age": "11", "Vary": "Accept-Language"},
        body=language_of(asked),
    )
    await client(accept_language="de")
    assert (await client(accept_language="en")).body == b"en"
    release = origin.hold()  # whatever goes on beside it has been sent by now, or is held
    release.set()
    await asyncio.sleep(0.2)
    assert origin.count == 2


async def test_one_request_asks_an_upstream_that_fails_for_all_who_wait(
    client: Client, origin: Origin
):
    """What must be revalidated is stale, and the load that all wait for fails."""
    origin.says(cache_control="max-age=10, must-revalidate", age="10", etag='"1"')
    await client()
    origin.says(status=503)
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(20)]
    await aeventually(lambda: origin.count == 2)
    release.set()
    assert {(await one).status for one in asking} == {502}
    assert origin.count == 2


async def test_who_guesses_keys_is_held_up(
    make_client: Callable[..., Client], origin: Origin, monkeypatch: pytest.MonkeyPatch
):
    """Each guess costs a query of the database, so guesses count as requests do."""
    asked: list[str] = []

    def load(prefix: str, context: Any) -> tuple[()]:
        asked.append(prefix)
        return ()

    monkeypatch.setattr(keys, "_load", load)
    client = make_client('requires_key = true\nrate = "5/m"')
    statuses = [
        (await client(x_api_key=f"tck_{n:043d}"[:4] + f"{n:08d}" + "a" * 35)).status
        for n in range(30)
    ]
    assert 429 in statuses, f"{len(asked)} queries, {set(statuses)}"


async def test_a_server_that_tells_no_raw_path_is_served(client: Client, origin: Origin):
    """ASGI leaves it to the server; Django's path does without."""
    origin.says(cache_control=FRESH)
    await client()
    told = scope("/a")
    del told["raw_path"]
    kind = Kinds(client.gateway).of(told)
    assert kind is None or kind.answer() is not None


async def test_an_odd_request_does_not_take_the_fast_path_from_the_others(
    client: Client, origin: Origin
):
    """What is remembered of a kind of request must not depend on fields that are not its own."""
    origin.says(cache_control=FRESH)
    await client()
    kinds = Kinds(client.gateway)
    assert from_memory(kinds, ("via", "1.1 tiercache, 1.1 tiercache, 1.1 tiercache")) is None
    assert from_memory(kinds) == b"body"


async def test_the_fast_path_refuses_what_django_refuses(client: Client, origin: Origin):
    """The same request is not refused first and answered afterwards."""
    origin.says(cache_control=FRESH)
    await client()
    kinds = Kinds(client.gateway)
    assert from_memory(kinds) == b"body"
    assert from_memory(kinds, ("content-length", "1"), ("content-length", "2")) is None
    assert from_memory(kinds, ("via", ", ".join(["1.1 tiercache"] * 3))) is None


async def test_what_is_remembered_of_requests_is_bounded_in_bytes(client: Client):
    """Thousands of kinds with long fields would be hundreds of megabytes."""
    kinds = Kinds(client.gateway)
    for number in range(50):
        kinds.of(scope("/a", ("if-none-match", f'"{number}' + "x" * 30_000 + '"')))
    held = sum(len(value) for name in kinds._known for line in name[5:] for value in line)
    assert held < 500_000


async def test_a_scheme_that_a_proxy_names_is_part_of_the_kind(client: Client, origin: Origin):
    """Whichever field SECURE_PROXY_SSL_HEADER names."""
    origin.says(cache_control=FRESH)
    await client()
    with override_settings(
        SECURE_PROXY_SSL_HEADER=("HTTP_X_SCHEME", "https"), SECURE_SSL_REDIRECT=True
    ):
        kinds = Kinds(client.gateway)
        assert from_memory(kinds, ("x-scheme", "https")) == b"body"
        assert from_memory(kinds) is None


async def test_via_goes_on_so_that_a_circle_ends(client: Client, origin: Origin):
    """Each gateway adds itself to what was there (RFC 9110, 7.6.3)."""
    await client(via="1.1 tiercache")
    assert origin.asked[0].fields.get("via") == "1.1 tiercache, 1.1 tiercache"


@pytest.mark.parametrize("path", ["/api/v1/purge", "/healthz", "/api/v1/symbols", "/nothing"])
async def test_a_body_for_no_route_is_bounded_as_well(site: Any, path: str):
    """Django writes a body to a file before it looks at the path, be it 404 or 405."""
    read, part, whole = 0, 64 * 1024, 32 * 1024 * 1024

    async def receive() -> dict[str, Any]:
        nonlocal read
        if read >= whole:
            await asyncio.Event().wait()
        read += part
        return {"type": "http.request", "body": b"x" * part, "more_body": read < whole}

    async def send(_message: Any) -> None:
        return

    asked = scope(path, ("content-type", "application/json")) | {"method": "POST"}
    await FastPath(ASGIHandler())(asked, receive, send)
    assert read < whole
