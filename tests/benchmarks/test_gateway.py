"""What the gateway's benchmarks are made of: their client, their failing upstream, their tables."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from benchmarks import gateway_outage
from benchmarks.gateway import load as gateway_load
from benchmarks.gateway import rivals
from benchmarks.gateway.client import Connection
from benchmarks.gateway.load import Load
from benchmarks.gateway.rivals import Name
from benchmarks.gateway_outage_callers import Callers, Phase
from benchmarks.gateway_outage_upstream import FAILURES, SLOW, Mode, Upstream
from benchmarks.part import Run
from benchmarks.parts import gateway
from benchmarks.parts.gateway_tables import PAGE_OF_DJANGO_REDIS, Sample, tables
from gateway_project.routing import reading
from tests.benchmarks.doubles import Silence
from tests.support.waiting import aeventually


@pytest.fixture
async def upstream():
    """A server that is well."""
    server = Upstream()
    await server.become("well")
    yield server
    await server.end()


@pytest.fixture
async def connection(upstream: Upstream):
    """A connection to it."""
    place = urlsplit(upstream.address)
    made = Connection(str(place.hostname), int(place.port or 0))
    yield made
    made.close()


def callers_of(upstream: Upstream, *paths: str) -> Callers:
    place = urlsplit(upstream.address)
    return Callers(str(place.hostname), int(place.port or 0), list(paths), rate=100.0)


def sample(rate: int, processor: float = 0.5) -> Sample:
    return Sample(Load(rate * 2, 2.0, 0.001, 0.002, 0), processor)


@pytest.fixture
def samples() -> dict[str, dict[Name, list[Sample]]]:
    """Some rounds of servers; the gateway's first and last were unlike the others."""
    made = {
        Name(rivals.GATEWAY): [sample(900), sample(500), sample(700)],
        Name(rivals.TIERCACHE): [sample(60)],
        Name(rivals.LOCMEM): [sample(50)],
        Name(rivals.DJANGO_REDIS): [sample(20)],
        Name(rivals.BARE): [sample(1000)],
    }
    return {"500 bytes": made}


async def test_a_connection_is_used_again(upstream: Upstream, connection: Connection):
    first, second = [await connection.get("/a") for _ in range(2)]
    assert (first.status, second.status) == (200, 200)
    assert b'"target": "/a"' in second.body
    assert upstream.asked == 2


async def test_a_connection_that_was_closed_is_opened_again(
    upstream: Upstream, connection: Connection
):
    await connection.get("/a")
    await upstream.become("refuses")
    await upstream.become("well")
    # The end of the old one is still on its way.
    await aeventually(lambda: connection.is_closed)
    assert (await connection.get("/a")).status == 200


async def test_a_server_that_closes_after_each_answer_is_connected_to_anew():
    """As gunicorn's sync worker does."""
    closed = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal closed
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        # It takes its time to close: until then the connection looks like one that is kept.
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed += 1

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Connection("127.0.0.1", port)
        assert [(await client.get("/a")).body for _ in range(3)] == [b"ok"] * 3
        await aeventually(lambda: closed == 3)


@pytest.mark.parametrize("mode", ["refuses", "breaks off"])
async def test_an_answer_that_does_not_come_whole_is_an_error(
    upstream: Upstream, connection: Connection, mode: Mode
):
    await upstream.become(mode)
    with pytest.raises(OSError):  # noqa: PT011 - whichever of them
        await connection.get("/a")


async def test_a_silent_upstream_reads_and_says_nothing(upstream: Upstream, connection: Connection):
    await upstream.become("silent")
    asked = asyncio.ensure_future(connection.get("/a"))
    await aeventually(lambda: upstream.asked == 1)
    assert not asked.done()
    await upstream.become("well")
    with pytest.raises(ConnectionError):
        await asked


async def test_a_slow_upstream_answers_in_the_end(upstream: Upstream, connection: Connection):
    await upstream.become("slow")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await connection.get("/a")).status == 200
    assert loop.time() - begun > SLOW * 0.9


async def test_callers_count_what_failed(upstream: Upstream):
    callers = callers_of(upstream, "/a")
    await upstream.become("503")
    callers.start()
    phase = callers.phase
    await aeventually(lambda: phase.statuses[503] > 1)
    await upstream.become("refuses")
    await aeventually(lambda: phase.statuses[0] > 1)
    await callers.stop()
    assert phase.failures == len(phase.times) == phase.statuses.total()


async def test_callers_do_not_wait_for_earlier_answers(upstream: Upstream):
    callers = callers_of(upstream, "/a")
    await upstream.become("silent")
    callers.start()
    await aeventually(lambda: upstream.asked >= 5)
    assert callers.connections >= 5
    await upstream.become("well")
    await callers.stop()


async def test_what_was_made_later_is_fresh(upstream: Upstream):
    callers = callers_of(upstream, "/a", "/b")
    callers.start()
    await aeventually(lambda: len(callers.phase.times) > 2)
    assert callers.fresh == {}
    callers.since = asyncio.get_running_loop().time()
    await aeventually(lambda: set(callers.fresh) == {"/a", "/b"})
    await callers.stop()


async def test_the_first_look_finds_what_is_not_200(upstream: Upstream):
    callers = callers_of(upstream, "/a")
    await upstream.become("503")
    with pytest.raises(RuntimeError, match="/a was answered 503"):
        await callers.once()


async def test_the_load_of_our_own_counts_errors(upstream: Upstream):
    well = await gateway_load.measured(f"{upstream.address}/a", 2, 0.1)
    await upstream.become("503")
    failing = await gateway_load.measured(f"{upstream.address}/a", 2, 0.1)
    assert well.errors == 0 < well.requests
    assert failing.errors == failing.requests > 0


def test_cache_page_is_compared_with_the_other_caches_under_the_same_server(samples):
    [row] = tables(samples)[0].rows
    assert row.what == "uvicorn, 500 bytes"
    assert row.ratios == {rivals.LOCMEM: 1.2, rivals.DJANGO_REDIS: 3.0}
    assert {goal.of for goal in row.goals} == {rivals.LOCMEM, rivals.DJANGO_REDIS}


def test_the_gateway_is_compared_with_the_limits(samples):
    [row] = tables(samples)[1].rows
    figure = row.figures[rivals.GATEWAY]
    assert figure is not None
    assert (figure.median, figure.low, figure.high, figure.samples) == (700, 500, 900, 3)
    assert row.ratios == {rivals.BARE: 0.7, PAGE_OF_DJANGO_REDIS: 35.0}


def test_who_is_missing_has_no_figure_and_no_goal(samples):
    [row] = tables(samples)[1].rows
    assert row.figures[rivals.NGINX] is None
    del samples["500 bytes"][Name(rivals.BARE)]
    [row] = tables(samples)[1].rows
    assert {goal.of for goal in row.goals} == {PAGE_OF_DJANGO_REDIS}


def test_processor_time_is_for_one_request(samples):
    row = tables(samples)[2].rows[0]
    figure = row.figures[rivals.TIERCACHE]
    assert figure is not None
    assert figure.median == pytest.approx(0.5 / 120 * 1e6)
    assert row.goals == ()


def test_times_are_those_of_each_server(samples):
    rows = tables(samples)[4].rows
    assert [row.what for row in rows] == [
        "gateway, fast path, 500 bytes",
        "cache_page, tiercache, uvicorn, 500 bytes",
        "cache_page, LocMemCache, uvicorn, 500 bytes",
        "cache_page, django-redis, uvicorn, 500 bytes",
        "bare ASGI application, 500 bytes",
    ]
    figure = rows[0].figures["p99"]
    assert figure is not None
    assert figure.median == 2.0


def test_each_failure_hits_one_server_and_then_both():
    modes = [modes for _, modes in gateway_outage.plan()]
    for failure in FAILURES:
        assert (failure, failure) in modes
        assert (failure, "well") in modes or ("well", failure) in modes


def test_a_refused_connection_is_not_counted_as_a_request():
    phase = Phase("first refuses", 2.0, [0.001], asked=(0, 10))
    assert gateway_outage.report([phase], []).splitlines()[2].endswith("| -, 5.0 |")


def test_the_routes_of_the_outage_are_right():
    table = reading.read(gateway_outage.ROUTES)
    assert [route.name for route in table.routes] == ["items"]


def test_what_wrk_prints_is_read_from_its_end():
    said = (
        'Running 1s test @ http://a/JSON x\n  2 requests\n\nJSON {"requests": 2, "seconds": 1.5, '
    )
    said += '"p50": 0.001, "p99": 0.002, "errors": 1}\n'
    assert gateway_load.parsed(said) == Load(2, 1.5, 0.001, 0.002, 1)


def test_wrk_without_figures_is_an_error():
    with pytest.raises(ValueError, match="no figures: 'unable to connect"):
        gateway_load.parsed("unable to connect to a:1 Connection refused\n")


@pytest.mark.parametrize(("quick", "steps"), [(True, 2), (False, 13)])
def test_each_server_is_warmed_up_and_asked_in_each_round(quick: bool, steps: int):
    run = Run("redis://unused", quick, Silence())
    assert gateway.PART.steps(run) == steps * len(rivals.participants())


def test_who_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rivals.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(rivals.shutil, "which", lambda _: None)
    assert set(rivals.missing()) == {rivals.DJANGO_REDIS, "gunicorn", rivals.NGINX}
    assert Name(rivals.TIERCACHE, rivals.GUNICORN) not in rivals.participants()
    assert Name(rivals.DJANGO_REDIS) not in rivals.participants()
    assert Name(rivals.TIERCACHE) in rivals.participants()
