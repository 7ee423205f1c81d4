"""Whose answer it is: none reaches another tenant, variant or cache than it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway_project.callers import keys
from gateway_project.fast import Kinds
from gateway_project.serving.places import place
from tests.gateway.origin import Answer, Origin, Request
from tests.support.waiting import aeventually
from tiercache.http import vary
from tiercache.http.fields import Fields

from .conftest import Client
from .support import FRESH, from_memory, language_of


async def test_a_path_cannot_spell_the_key_of_another_paths_variant(client: Client, origin: Origin):
    """`~` is a plain character of paths, and what stands behind it in a key is no secret."""
    chosen = vary.key(["accept-language"], Fields([("accept-language", "en")]))
    origin.script = lambda asked: (
        Answer(headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=language_of(asked))
        if asked.target == "/a"
        else Answer(headers={"Cache-Control": FRESH}, body=b"of another path")
    )
    await client("/a", accept_language="de")
    await client(f"/a~{chosen}")
    assert (await client("/a", accept_language="en")).body == b"en"


async def test_a_path_cannot_spell_the_key_of_a_tenant(
    make_client: Callable[..., Client], origin: Origin, monkeypatch: pytest.MonkeyPatch
):
    """A caller without a key has no tenant, so their path stands in the key as it is."""

    async def identify(fields: Fields) -> keys.Caller | None:
        known = keys.Caller("prefix", "acme", may_purge=False, rate=None)
        return known if "x-api-key" in fields else None

    monkeypatch.setattr(keys, "identify", identify)
    client = make_client('tenant = "key"')
    route = client.gateway.table.routes[0]
    key = place(route, {"rest": "a"}, (), Fields(), "acme").key
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH}, body=asked.target.encode()
    )
    assert (await client("/a", x_api_key="acme's")).body == b"/a"
    assert (await client("/a" + key.removeprefix("http:all:/a"))).body != b"/a"


async def test_the_fast_path_gives_a_variant_to_those_it_is_for(client: Client, origin: Origin):
    """A variant may vary on more than the first one does."""

    def script(asked: Request) -> Answer:
        accept = asked.fields.get("accept") or "any"
        if language_of(asked) == b"de":
            return Answer(headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=b"de")
        names = "Accept-Language, Accept"
        return Answer(headers={"Cache-Control": FRESH, "Vary": names}, body=accept.encode())

    origin.script = script
    await client(accept_language="de")
    assert (await client(accept_language="en", accept="text/html")).body == b"text/html"
    assert (await client(accept_language="en", accept="text/plain")).body == b"text/plain"
    english = ("accept-language", "en")
    found = from_memory(Kinds(client.gateway), english, ("accept", "text/plain"))
    assert found in (None, b"text/plain")


async def test_a_route_that_is_keyed_by_trace_context_is_so_on_the_fast_path(
    make_client: Callable[..., Client], origin: Origin
):
    client = make_client('vary = ["traceparent"]')
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH}, body=(asked.fields.get("traceparent") or "").encode()
    )
    kinds = Kinds(client.gateway)
    for one in ("1", "2"):
        await client(traceparent=one)
    assert from_memory(kinds, ("traceparent", "1")) == b"1"
    assert from_memory(kinds, ("traceparent", "2")) in (None, b"2")


async def test_a_304_that_is_private_reaches_one_caller(client: Client, origin: Origin):
    """Its fields are for whom it was sent to, as those of a private 200 are."""
    origin.says(cache_control="max-age=10", age="10", etag='"1"')
    await client()
    numbers = iter(range(100))
    origin.script = lambda _: Answer(
        304, {"ETag": '"1"', "Cache-Control": "private", "X-For": f"{next(numbers)}"}
    )
    release = origin.hold()
    asking = [asyncio.create_task(client()) for _ in range(5)]
    await aeventually(lambda: origin.count == 2)
    release.set()
    shown = [(await one).get("x-for") for one in asking]
    assert len(set(shown)) == 5


async def test_what_needs_a_key_here_is_not_shared_by_caches_in_front(
    make_client: Callable[..., Client], origin: Origin, monkeypatch: pytest.MonkeyPatch
):
    """They know nothing of X-API-Key, so they are to be told whom an answer is for."""

    async def identify(_fields: Fields) -> keys.Caller:
        return keys.Caller("prefix", "acme", may_purge=False, rate=None)

    monkeypatch.setattr(keys, "identify", identify)
    client = make_client('requires_key = true\ntenant = "key"')
    origin.says(cache_control="public, max-age=60")
    for _ in range(2):
        answer = await client(x_api_key="tck_" + "a" * 43)
        chosen_by = {name.lower() for name in answer.fields.members("vary")}
        is_private = "private" in (answer.get("cache-control") or "")
        assert is_private or {"authorization", "x-api-key"} <= chosen_by


async def test_joined_variants_are_told_apart(client: Client, origin: Origin):
    """Holds: who joins a load for another language is not given it."""
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=language_of(asked)
    )
    release = origin.hold()
    wanted = ["de", "en", "fr"] * 5
    asking = [asyncio.create_task(client(accept_language=one)) for one in wanted]
    await aeventually(lambda: origin.count == 1)
    release.set()
    origin.held = None
    assert [(await one).body.decode() for one in asking] == wanted


async def test_vary_that_changes_gives_nobody_anothers_answer(client: Client, origin: Origin):
    """Holds: what a stored response varies on is asked of that very response."""
    origin.says(cache_control="max-age=10", age="10", etag='"0"', body=b"for all")
    await client(accept_language="de")
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=language_of(asked)
    )
    for language in ("de", "en", "de", "fr", "en"):
        assert (await client(accept_language=language)).body == language.encode()
