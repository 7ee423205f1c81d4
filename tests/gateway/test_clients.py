"""Fail-over between real servers: one down, one failing, one slow, one well."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.test import override_settings

from gateway_project import clients
from gateway_project.pool import Answer, UpstreamsError
from tests.gateway.support import HOST, Upstream
from tests.support.servers import dead_port

Ask = Callable[..., Answer]


async def _once(target: str) -> Answer:
    try:
        return await clients.aask(target)
    finally:
        await clients.aclose()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Ask upstream servers, by each driver in turn."""

    def call(*servers: str, target: str = "/symbols", timeout: float = 0.3) -> Answer:
        with override_settings(GATEWAY_UPSTREAMS=servers, GATEWAY_UPSTREAM_TIMEOUT=timeout):
            if request.param == "sync":
                return clients.ask(target)
            return asyncio.run(_once(target))

    yield call
    clients.close()


@contextmanager
def hanging_up() -> Iterator[str]:
    """A server that accepts a connection and closes it without a word."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        thread.join(timeout=5)


def test_a_server_that_is_well_answers(ask: Ask, upstream: Upstream):
    answer = ask(upstream.url)

    assert (answer.status, answer.upstream) == (200, upstream.name)
    assert answer.body.startswith(b'{"symbols":')


def test_the_next_one_answers_for_a_server_that_is_down(ask: Ask, upstream: Upstream):
    with dead_port() as port:
        assert ask(f"http://{HOST}:{port}", upstream.url).upstream == upstream.name


def test_the_next_one_answers_for_a_server_that_fails(
    ask: Ask, upstream: Upstream, make_upstream: Callable[..., Upstream]
):
    failing = make_upstream(failure_rate=1.0)

    assert ask(failing.url, upstream.url).upstream == upstream.name
    assert failing.asked == ["/symbols"]


def test_the_next_one_answers_for_a_server_that_is_slow(
    ask: Ask, upstream: Upstream, make_upstream: Callable[..., Upstream]
):
    slow = make_upstream(delay_ms=5_000)

    assert ask(slow.url, upstream.url).upstream == upstream.name


def test_the_next_one_answers_for_a_server_that_hangs_up(ask: Ask, upstream: Upstream):
    with hanging_up() as url:
        assert ask(url, upstream.url).upstream == upstream.name


def test_a_callers_mistake_is_answered_by_the_first_server(
    ask: Ask, upstream: Upstream, make_upstream: Callable[..., Upstream]
):
    second = make_upstream()

    answer = ask(upstream.url, second.url, target="/symbols/XYZ/series")

    assert (answer.status, answer.media_type) == (404, "application/problem+json")
    assert second.asked == []


def test_with_all_of_them_failing_the_error_tells_of_each(
    ask: Ask, make_upstream: Callable[..., Upstream]
):
    failing, slow = make_upstream(failure_rate=1.0), make_upstream(delay_ms=5_000)

    with dead_port() as port, pytest.raises(UpstreamsError) as caught:
        ask(f"http://{HOST}:{port}", failing.url, slow.url)

    assert caught.value.status == 502
    assert [failure.reason for failure in caught.value.failures] == [
        "could not be connected to",
        "answered 503",
        "did not answer within 0.3 s",
    ]


def test_with_all_of_them_slow_it_is_a_timeout(ask: Ask, make_upstream: Callable[..., Upstream]):
    with pytest.raises(UpstreamsError) as caught:
        ask(make_upstream(delay_ms=5_000).url)

    assert caught.value.status == 504
