"""``gateway_project.wsgi``: the same answers where there is no event loop but for the request."""

from __future__ import annotations

import tempfile
import threading
import wsgiref.validate
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler

from tests.gateway.origin import Answer, Origin
from tests.gateway.support import HOST, Upstream

# At the end of each request Django looks at the database's connections.
pytestmark = pytest.mark.django_db

SYMBOLS = "/api/v1/symbols"
ROUTES = """
[pools.origin]
servers = ["{url}"]

[[routes]]
name = "all"
path = "/all/{rest*}"
pool = "origin"
methods = ["GET", "HEAD", "POST"]
largest_stored = "64 KiB"
largest_request = "1 KiB"
"""
PART = b"x" * 65_536
PARTS = 512
# The validator wants to know the type of whatever has content.
BINARY: dict[str, Any] = {"Content-Type": "application/octet-stream"}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address(site: Any, wsgi_application: Any) -> Iterator[tuple[str, int]]:
    """The gateway behind a WSGI server of the standard library."""
    with _Server((HOST, 0), _Quiet) as server:
        server.set_app(wsgi_application)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address  # type: ignore[misc]
        server.shutdown()
        thread.join()


@pytest.fixture
def wsgi_application() -> Any:
    """Django's handler, checked to keep to PEP 3333."""
    return wsgiref.validate.validator(WSGIHandler())


class Told:
    """An answer: its header lines as they came, and its body."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.lines = response.getheaders()
        self.body = response.read()

    def all(self, name: str) -> list[str]:
        return [text for one, text in self.lines if one.lower() == name]

    @property
    def status_of_cache(self) -> str:
        parts = ", ".join(self.all("cache-status")).split("; ")[1:]
        return "; ".join(part for part in parts if not part.startswith("ttl="))


@pytest.fixture
def ask(address: tuple[str, int]) -> Callable[..., Told]:
    """Ask the gateway, each time over a connection of its own."""

    def once(path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Told:
        connection = HTTPConnection(*address[:2], timeout=20)
        try:
            connection.request(method, path, body, {"Host": "testserver", **headers})
            return Told(connection.getresponse())
        finally:
            connection.close()

    return once


@pytest.fixture
def call(site: Any, wsgi_application: Any) -> Callable[[str], dict[str, str]]:
    """Call the application as a server does whose caller has left; gives the header fields."""

    def once(path: str) -> dict[str, str]:
        fields: dict[str, str] = {}
        environ: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "HTTP_HOST": "testserver",
        }
        setup_testing_defaults(environ)

        def start(_status: str, lines: list[tuple[str, str]], _error: Any = None) -> Any:
            fields.update((name.lower(), text) for name, text in lines)
            return lambda _: None

        wsgi_application(environ, start).close()
        return fields

    return once


def test_a_miss_is_loaded_and_then_answered_from_memory(
    ask: Callable[..., Told], upstream: Upstream
):
    loaded, again = ask(SYMBOLS), ask(SYMBOLS)

    assert (loaded.status, loaded.status_of_cache) == (200, "fwd=uri-miss; stored")
    assert (again.status, again.status_of_cache) == (200, "hit; detail=memory")
    assert again.body == loaded.body
    assert again.all("content-length") == [str(len(again.body))]
    assert upstream.asked == ["/symbols"]


def test_the_date_is_left_to_the_server(ask: Callable[..., Told], call: Callable[..., Any]):
    """Servers send one of their own, some of them whatever the application says."""
    for _ in range(2):
        assert len(ask(SYMBOLS).all("date")) == 1
    assert "date" not in call(SYMBOLS)


def test_refusals_are_problem_documents(ask: Callable[..., Told], upstream: Upstream):
    refused = ask(f"{SYMBOLS}?limit=5")

    assert (refused.status, refused.all("content-type")) == (400, ["application/problem+json"])
    assert upstream.asked == []


def test_the_gateways_own_pages_are_there(ask: Callable[..., Told]):
    assert ask("/healthz").status == 200
    assert b"WSGI" in ask("/").body
    assert ask("/api/v1/stats").status == 200


@pytest.fixture
def scripted(use_routes: Callable[[str], None], origin: Origin) -> Origin:
    """The origin, behind a route for everything."""
    use_routes(ROUTES)
    return origin


def test_a_body_larger_than_what_is_kept_arrives_whole(scripted: Origin, ask: Callable[..., Told]):
    scripted.script = lambda _: Answer(
        headers={**BINARY, "Cache-Control": "max-age=60"}, body=PART, parts=PARTS
    )

    answer = ask("/all/large")

    assert answer.status_of_cache == "fwd=miss; detail=too-large"
    assert len(answer.body) == len(PART) * PARTS
    assert set(answer.body) == {ord("x")}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The temporary files that bodies are written to."""
    made: list[Any] = []
    make = tempfile.SpooledTemporaryFile

    def noted(*arguments: Any, **named: Any) -> Any:
        made.append(make(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", noted)
    return made


def test_a_large_body_is_held_in_a_file_until_it_is_sent(
    scripted: Origin, ask: Callable[..., Told], files: list[Any]
):
    scripted.script = lambda _: Answer(headers=BINARY, body=PART, parts=PARTS)

    assert len(ask("/all/large").body) == len(PART) * PARTS

    (file,) = files
    assert file._rolled
    assert file.closed


def test_the_file_is_closed_when_nobody_reads_the_body(
    scripted: Origin, call: Callable[..., Any], files: list[Any]
):
    scripted.script = lambda _: Answer(headers=BINARY, body=PART, parts=PARTS)

    call("/all/large")

    (file,) = files
    assert file.closed


def test_each_cookie_keeps_a_line_of_its_own(scripted: Origin, ask: Callable[..., Told]):
    cookies = ["a=1; Path=/; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "b=2", "b=3; HttpOnly"]
    scripted.script = lambda _: Answer(headers={**BINARY, "Set-Cookie": cookies})

    assert ask("/all/cookies").all("set-cookie") == cookies


def test_a_change_reaches_the_upstream_with_its_body(scripted: Origin, ask: Callable[..., Told]):
    scripted.script = lambda _: Answer(headers=BINARY)

    answer = ask("/all/a", "POST", b"new")

    assert answer.status_of_cache == "fwd=method"
    assert (scripted.asked[-1].method, scripted.asked[-1].body) == ("POST", b"new")


def test_a_body_that_is_too_large_is_refused(scripted: Origin, ask: Callable[..., Told]):
    assert ask("/all/a", "POST", b"x" * 2000).status == 413
    assert scripted.count == 0


def test_an_answer_without_content_has_none(scripted: Origin, ask: Callable[..., Told]):
    scripted.script = lambda _: Answer(status=204, body=b"")

    answer = ask("/all/a", "POST", b"")

    assert (answer.status, answer.body, answer.all("content-type")) == (204, b"", [])


def test_it_is_what_the_project_names():
    from gateway_project import settings as project
    from gateway_project.wsgi import application

    assert project.WSGI_APPLICATION == "gateway_project.wsgi.application"
    assert isinstance(application, WSGIHandler)
