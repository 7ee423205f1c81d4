"""What the gateway's benchmarks are made of: their client, their failing upstream, their tables."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from benchmarks import gateway, gateway_load, gateway_outage
from benchmarks.gateway_client import Connection
from benchmarks.gateway_load import Load
from benchmarks.gateway_outage_callers import Callers, Phase
from benchmarks.gateway_outage_upstream import FAILURES, SLOW, Mode, Upstream
from benchmarks.gateway_rivals import BARE, DJANGO_REDIS
from gateway_project.routing import reading
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


def sample(rate: int, processor: float = 0.5) -> gateway.Sample:
    return gateway.Sample(Load(rate * 2, 2.0, 0.001, 0.002, 0), processor)


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


def test_each_rival_is_set_in_relation_to_two_of_them():
    samples = {
        "other": [sample(400), sample(100), sample(500)],
        BARE: [sample(800)],
        DJANGO_REDIS: [sample(40)],
    }
    rows = gateway.rows(samples)
    other = rows[1]
    assert [row["server"] for row in rows] == [BARE, "other", DJANGO_REDIS]
    assert (other["rate"], other["lowest"], other["highest"]) == (400, 100, 500)
    assert (other["of_bare"], other["to_django_redis"]) == (0.5, 10)
    assert other["processor"] == pytest.approx(0.5 / 800)
    assert "| other | 400 (100, 500) | 1.00 | 2.00 | 625 | 0.50 | 10.0 |" in gateway.report(
        {"small": rows}, {"small": 500}
    )


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
