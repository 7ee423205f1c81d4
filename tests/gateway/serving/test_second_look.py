"""A second look: whose answer a caller gets, how old it may be, and what is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import markcoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.test import Client as DjangoClient
from django.test import override_settings

from gateway_project import settings as project
from gateway_project.callers import keys
from gateway_project.fast import FastPath, Kinds
from gateway_project.problems import ProblemError
from gateway_project.routing import current as routes
from gateway_project.serving import current
from gateway_project.serving.asked import Asked
from gateway_project.serving.places import place, upstream_tag
from gateway_project.serving.replies import Reply
from gateway_project.views.purge import _address_tag
from tests.gateway.origin import HOST, Answer, Origin, Request
from tests.support.waiting import aeventually
from tiercache.http import vary
from tiercache.http.fields import Fields

from .conftest import ROUTE, Client, until_answered

FRESH = "max-age=60"
STALE = "max-age=10, stale-while-revalidate=60"


def language_of(asked: Request) -> bytes:
    return (asked.fields.get("accept-language") or "none").encode()


async def raw(client: Client, target: str = "/a", **headers: str) -> Reply:
    """Return the reply as it is, its body not read."""

    async def read(_limit: int) -> bytes:
        return b""

    lines = [("host", "gateway.test"), *((n.replace("_", "-"), t) for n, t in headers.items())]
    return await client.gateway.answer(Asked("GET", target.encode(), fields=Fields(lines)), read)


def scope(path: str = "/a", *lines: tuple[str, str], host: str = "testserver") -> dict[str, Any]:
    """Return what ASGI says of a GET."""
    headers = [("host", host), *lines]
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("192.0.2.1", 1),
    }


def from_memory(kinds: Kinds, *lines: tuple[str, str], path: str = "/a") -> bytes | None:
    """Return the body of the fast path's answer; None where the request is Django's."""
    kind = kinds.of(scope(path, *lines))
    answer = kind.answer() if kind is not None else None
    return None if answer is None else answer[1]


@asynccontextmanager
async def trickling(head: bytes, parts: int, pause: float) -> AsyncIterator[str]:
    """Serve an answer whose body comes in parts of one byte; gives the server's address."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            for _ in range(parts):
                await asyncio.sleep(pause)
                writer.write(b"x")
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@pytest.fixture
def serve(site: Any, origin: Origin, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Put a table in force for the whole project: one route for everything, over the origin."""
    with ExitStack() as stack:

        def begin(options: str = "") -> Path:
            file = tmp_path / "served.toml"
            file.write_text(ROUTE.format(url=origin.url, options=options))
            stack.enter_context(override_settings(GATEWAY_ROUTES=file))
            current.reset()
            return file

        yield begin
    routes.forget()


# Whose answer it is


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


# How old it may be


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
        began = time.monotonic()
        await client()
        assert time.monotonic() - began < 1.0


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


# What one caller can do to the others


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


# Under WSGI


def test_under_wsgi_what_is_stale_is_loaded_anew_before_the_answer(
    serve: Callable[..., Path], origin: Origin
):
    """The event loop of a request ends with its answer, so nothing can be done beside it."""
    serve()
    origin.says(cache_control=STALE, age="11", body=b"old")
    client = DjangoClient(headers={"host": "testserver"})
    client.get("/a")
    origin.says(cache_control=FRESH, body=b"new")
    assert client.get("/a").content == b"new"


def test_under_wsgi_a_body_that_breaks_off_is_a_bad_gateway(
    serve: Callable[..., Path], origin: Origin
):
    serve()
    headers: dict[str, Any] = {"Cache-Control": "no-store", "Content-Length": "100"}
    origin.script = lambda _: Answer(headers=headers, body=b"x")
    client = DjangoClient(raise_request_exception=False, headers={"host": "testserver"})
    response = client.get("/a")
    assert response.status_code == 502


# Changes


async def test_a_change_evicts_whatever_its_answer_names(client: Client, origin: Origin):
    """A Location that is no address is no reason to keep what was changed."""
    origin.says(cache_control=FRESH)
    await client()
    origin.says(status=201, location="http://[nonsense", body=b"")
    assert (await client(method="PUT")).status == 201
    origin.says(cache_control=FRESH, body=b"new")
    assert (await client()).body == b"new"


async def test_a_change_evicts_even_if_its_caller_leaves(client: Client, origin: Origin):
    """It was made; only its answer reaches nobody."""
    origin.says(cache_control=FRESH, body=b"old")
    await client()
    release = origin.hold()
    changing = asyncio.create_task(client(method="PUT"))
    await aeventually(lambda: origin.count == 2)
    changing.cancel()
    await asyncio.wait([changing])
    release.set()
    origin.held = None
    origin.says(cache_control=FRESH, body=b"new")
    await until_answered(client, b"new")


@pytest.mark.parametrize("url", ["http://[nonsense", "/\ud800", "/a?\ud800"], ids=ascii)
async def test_a_purge_of_what_is_no_address_is_refused(site: Any, url: str):
    with pytest.raises(ProblemError):
        _address_tag(url)


# What is left behind


async def test_a_reply_that_is_closed_unread_holds_no_connection(
    make_client: Callable[..., Client], origin: Origin
):
    """As happens when a caller leaves between the view and the first byte."""
    client = make_client(most_connections=1, timeout=0.5)
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"}, body=b"x", parts=10)
    reply = await raw(client)
    assert not isinstance(reply.body, bytes)
    await reply.body.aclose()  # type: ignore[attr-defined]
    del reply
    assert (await client("/b")).status == 200


async def test_a_reply_that_is_closed_half_read_holds_no_connection(
    make_client: Callable[..., Client], origin: Origin
):
    """Holds."""
    client = make_client(most_connections=1, timeout=0.5)
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "no-store"}, body=b"x" * 70_000, parts=10
    )
    reply = await raw(client)
    assert not isinstance(reply.body, bytes)
    await anext(reply.body)
    await reply.body.aclose()  # type: ignore[attr-defined]
    assert (await client("/b")).status == 200


async def test_callers_who_leave_before_the_first_byte_hold_no_connection(
    serve: Callable[..., Path], origin: Origin
):
    """They leave while Django's middleware has the response, which nobody reads then."""
    file = serve()
    text = file.read_text().replace("[[routes]]", "most_connections = 1\ntimeout = 0.5\n[[routes]]")
    file.write_text(text)
    routes.reload()
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"}, body=b"x", parts=3)
    with override_settings(MIDDLEWARE=[*project.MIDDLEWARE, f"{__name__}.Lingering"]):
        await asked_of(FastPath(ASGIHandler()), leaves=Lingering.began)
    messages = await asked_of(FastPath(ASGIHandler()), path="/b")
    assert messages[0]["status"] == 200
    for pool in current.pools():
        await pool.aclose()


class Lingering:
    """Middleware that takes its time when the response is there."""

    async_capable, sync_capable = True, False
    began = asyncio.Event()

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: Any) -> Any:
        response = await self._get_response(request)
        self.began.set()
        await asyncio.sleep(10)
        return response


async def asked_of(
    app: FastPath, path: str = "/a", method: str = "GET", leaves: asyncio.Event | None = None
) -> list[Any]:
    """Ask; return what is sent. The caller leaves when that event is set."""
    begun, messages = False, []

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if begun:
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope(path) | {"method": method}, receive, send)
    return messages


async def test_head_names_no_length_that_get_has_not(serve: Callable[..., Path], origin: Origin):
    """The upstream has named none; Django's middleware makes it 0 (RFC 9110, 8.6)."""
    serve()
    origin.script = lambda _: Answer(headers={"Cache-Control": "no-store"})
    messages = await asked_of(FastPath(ASGIHandler()), method="HEAD")
    assert (b"content-length", b"0") not in [(n.lower(), v) for n, v in messages[0]["headers"]]
    for pool in current.pools():
        await pool.aclose()


async def test_a_304_that_nobody_asked_for_is_no_answer(client: Client, origin: Origin):
    """The load had no condition, nor had the caller."""
    origin.says(status=304, body=b"")
    assert (await client()).status in (200, 502)


async def test_a_new_table_cuts_no_answer_off(serve: Callable[..., Path], origin: Origin):
    """A pool that is another one now ends when those who use it are done."""
    file = serve()
    origin.script = lambda _: Answer(
        headers={"Cache-Control": "no-store"}, body=b"x" * 100_000, parts=50
    )

    async def nothing(_limit: int) -> bytes:
        return b""

    asked = Asked("GET", b"/a", fields=Fields([("host", "gateway.test")]))
    reply = await current.gateway().answer(asked, nothing)
    assert not isinstance(reply.body, bytes)
    file.write_text(file.read_text().replace("[[routes]]", "timeout = 3.0\n[[routes]]"))
    routes.reload()
    current.gateway()
    read = 0
    async for part in reply.body:
        read += len(part)
        await asyncio.sleep(0)
    assert read == 5_000_000
    for pool in current.pools():
        await pool.aclose()


async def test_long_keys_give_no_warning(client: Client, origin: Origin):
    """A variant of a long address has a key like any other."""
    origin.script = lambda asked: Answer(
        headers={"Cache-Control": FRESH, "Vary": "Accept-Language"}, body=language_of(asked)
    )
    target = "/" + "a" * 170
    for language in ("de", "en"):
        assert (await client(target, accept_language=language)).body == language.encode()


async def test_without_redis_and_without_a_fallback_the_answer_is_a_problem(
    make_client: Callable[..., Client], make_cache: Callable[..., Any], origin: Origin
):
    """`"FALLBACK": "raise"` says that the cache is away; callers are told so, and not 500."""
    cache = make_cache("away", OPTIONS={"FALLBACK": "raise"})
    client = make_client(cache=cache)
    origin.says(cache_control=FRESH)
    assert (await client()).status in (200, 503)
    assert (await client(method="PUT")).status in (200, 503)


async def test_without_redis_memory_answers(
    make_client: Callable[..., Client], make_cache: Callable[..., Any], origin: Origin
):
    """Holds."""
    client = make_client(cache=make_cache("away"))
    origin.says(cache_control=FRESH)
    assert (await client()).told == "fwd=uri-miss; stored"
    assert (await client()).told == "hit; detail=memory"
