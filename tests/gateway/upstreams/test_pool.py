"""Fail-over between real servers: refusing, silent, failing, breaking off, or well."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway_project.upstreams import Attempt, Pool, PoolDown, PoolError
from tests.gateway.upstreams.asking import GET, POST, ask
from tests.gateway.upstreams.servers import (
    HOST,
    SILENT,
    WELL,
    Answer,
    Server,
    breaking_off,
    failing,
    reply,
    saying,
    trickling,
    unreachable,
)
from tests.support.servers import dead_port
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import aeventually

Serve = Callable[..., Awaitable[Server]]
MakePool = Callable[..., Pool]

UNWELL = {
    "answers 503": failing(),
    "answers 500": failing(500),
    "says nothing": SILENT,
    "hangs up": breaking_off(),
    "breaks off in the header": breaking_off(b"HTTP/1.1 200 OK\r\nContent-"),
    "takes its time for each byte": trickling(b"HTTP/1.1 200 OK\r\nX-Long: " + b"." * 100),
    "talks no HTTP": breaking_off(b"220 smtp.example.com ESMTP\r\n"),
}


@pytest.fixture(params=UNWELL.values(), ids=UNWELL)
def unwell(request: pytest.FixtureRequest) -> Answer:
    answer: Answer = request.param
    return answer


async def test_the_first_server_answers_if_it_is_well(serve: Serve, make_pool: MakePool):
    first, second = await serve(), await serve()

    answered = await ask(make_pool(first, second))

    assert (answered.status, answered.server, answered.body) == (200, first.name, b"well")
    assert second.requests == []


async def test_the_next_one_answers_for_a_server_that_is_unwell(
    serve: Serve, make_pool: MakePool, unwell: Answer
):
    first, second = await serve(unwell), await serve()

    assert (await ask(make_pool(first, second))).server == second.name
    assert len(first.requests) == 1


async def test_the_next_one_answers_for_a_server_that_refuses(serve: Serve, make_pool: MakePool):
    second = await serve()

    with dead_port() as port:
        assert (await ask(make_pool(f"http://{HOST}:{port}", second))).server == second.name


async def test_a_server_that_cannot_be_reached_costs_the_time_for_connecting_alone(
    serve: Serve, make_pool: MakePool
):
    second = await serve()
    with unreachable() as url:
        pool = make_pool(url, second, timeout=20.0, connect_timeout=0.2)

        began = time.monotonic()
        answered = await ask(pool, budget=20.0)

    assert answered.server == second.name
    assert time.monotonic() - began < 5.0
    assert pool.snapshot().servers[0].reason == "could not be connected to within 0.2 s"


@pytest.mark.parametrize("status", [200, 204, 301, 304, 404, 429])
async def test_what_is_not_5xx_is_an_answer(serve: Serve, make_pool: MakePool, status: int):
    first = await serve(saying(f"HTTP/1.1 {status} Reason\r\nContent-Length: 0\r\n\r\n".encode()))
    second = await serve()

    assert (await ask(make_pool(first, second))).status == status
    assert second.requests == []


async def test_with_all_of_them_unwell_the_error_tells_of_each(serve: Serve, make_pool: MakePool):
    late, bad, gone = await serve(SILENT), await serve(failing()), await serve(breaking_off())
    with dead_port() as port, pytest.raises(PoolError) as caught:
        await ask(make_pool(f"http://{HOST}:{port}", late, bad, gone))

    error = caught.value
    assert (error.pool, error.status, error.last_status) == ("prices", 502, 503)
    assert error.attempts == (
        Attempt(f"{HOST}:{port}", "could not be connected to"),
        Attempt(late.name, "did not answer within 0.3 s", timed_out=True),
        Attempt(bad.name, "answered 503", status=503),
        Attempt(gone.name, "broke off (RemoteProtocolError)"),
    )
    assert str(error) == (
        f"No server of the pool 'prices' answered: {HOST}:{port} could not be connected to; "
        f"{late.name} did not answer within 0.3 s; {bad.name} answered 503; "
        f"{gone.name} broke off (RemoteProtocolError)."
    )


async def test_with_all_of_them_late_it_is_a_gateway_timeout(serve: Serve, make_pool: MakePool):
    with pytest.raises(PoolError) as caught:
        await ask(make_pool(await serve(SILENT), await serve(SILENT)))

    assert caught.value.status == 504


async def test_the_budget_is_for_all_servers_together(serve: Serve, make_pool: MakePool):
    servers = [await serve(SILENT) for _ in range(3)]
    pool = make_pool(*servers, timeout=1.0)

    began = time.monotonic()
    with Stopwatch() as watch, pytest.raises(PoolError) as caught:
        await ask(pool, budget=1.2)

    assert time.monotonic() - began > 1.1
    assert watch.seconds < 1.8
    assert [len(server.requests) for server in servers] == [1, 1, 0]
    assert len(caught.value.attempts) == 2


async def test_a_budget_that_is_spent_asks_nobody(serve: Serve, make_pool: MakePool):
    server = await serve()

    with pytest.raises(PoolError, match="could be asked in time") as caught:
        await ask(make_pool(server), budget=0.0)

    assert (caught.value.status, server.requests) == (504, [])


async def test_a_later_server_is_not_blamed_for_the_time_that_an_earlier_one_took(
    serve: Serve, make_pool: MakePool
):
    first, second = await serve(SILENT), await serve(SILENT)
    pool = make_pool(first, second)

    with pytest.raises(PoolError):
        await ask(pool, budget=0.35)

    assert [server.failures for server in pool.snapshot().servers] == [1, 0]


@pytest.mark.parametrize(
    "answer", [SILENT, breaking_off(), breaking_off(b"HTTP/1.1 200 OK\r\nContent-")]
)
async def test_what_must_not_be_repeated_is_sent_once(
    serve: Serve, make_pool: MakePool, answer: Answer
):
    first, second = await serve(answer), await serve()

    with pytest.raises(PoolError):
        await ask(make_pool(first, second), POST, retry=False)

    assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_what_must_not_be_repeated_goes_on_if_nothing_was_sent(
    serve: Serve, make_pool: MakePool
):
    second = await serve()

    with dead_port() as port:
        pool = make_pool(f"http://{HOST}:{port}", second)
        assert (await ask(pool, POST, retry=False)).server == second.name

    assert second.requests[0].endswith(b"\r\n\r\nbuy")


async def test_a_5xx_to_what_must_not_be_repeated_is_an_answer_and_a_failure(
    serve: Serve, make_pool: MakePool
):
    pool = make_pool(await serve(failing()), await serve())

    answered = await ask(pool, POST, retry=False)

    assert (answered.status, answered.body) == (503, b"out of order")
    assert pool.snapshot().servers[0].failures == 1


async def test_a_500_makes_no_server_sick(serve: Serve, make_pool: MakePool):
    """It tells of the request: another address of the same server may be well."""
    first, second = await serve(failing(500)), await serve()
    pool = make_pool(first, second, failures=1)

    for _ in range(30):
        assert (await ask(pool)).server == second.name

    assert [server.state for server in pool.snapshot().servers] == ["healthy", "healthy"]


async def test_a_sick_server_is_not_asked_by_each_request(serve: Serve, make_pool: MakePool):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, failures=1, back_off=60.0, back_off_most=60.0)

    answered = [(await ask(pool)).server for _ in range(5)]

    assert answered == [second.name] * 5
    assert len(first.requests) == 1


async def test_with_all_of_them_sick_the_pool_is_down_at_once(serve: Serve, make_pool: MakePool):
    server = await serve(SILENT)
    pool = make_pool(server, failures=1, back_off=60.0, back_off_most=60.0)
    with pytest.raises(PoolError):
        await ask(pool)

    with Stopwatch() as watch, pytest.raises(PoolDown, match="the next try is in ") as caught:
        await ask(pool)

    assert watch.seconds < 0.2
    assert (caught.value.status, len(server.requests)) == (503, 1)
    assert caught.value.attempts == (Attempt(server.name, "did not answer within 0.3 s"),)
    assert 40.0 < caught.value.retry_in <= 60.0


async def test_a_sick_server_is_tried_by_one_request_when_its_back_off_is_over(
    serve: Serve, make_pool: MakePool
):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, failures=1, back_off=0.2, timeout=5.0)
    await ask(pool)
    first.answer = SILENT
    await aeventually(lambda: pool.snapshot().servers[0].next_try == 0.0)

    trial = asyncio.create_task(ask(pool))
    await aeventually(lambda: len(first.requests) == 2)
    others = [(await ask(pool)).server for _ in range(5)]

    assert others == [second.name] * 5
    assert len(first.requests) == 2
    trial.cancel()


async def test_a_trial_that_succeeds_heals(serve: Serve, make_pool: MakePool):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, failures=1, back_off=0.1)
    await ask(pool)
    first.answer = WELL
    await aeventually(lambda: pool.snapshot().servers[0].next_try == 0.0)

    assert [(await ask(pool)).server for _ in range(3)] == [first.name] * 3
    assert pool.snapshot().servers[0].state == "healthy"


async def test_what_must_not_be_repeated_is_no_trial_while_a_server_is_well(
    serve: Serve, make_pool: MakePool
):
    first, second = await serve(failing()), await serve()
    pool = make_pool(first, second, failures=1, back_off=0.1)
    await ask(pool)
    await aeventually(lambda: pool.snapshot().servers[0].next_try == 0.0)

    assert (await ask(pool, POST, retry=False)).server == second.name


async def test_a_cancelled_trial_leaves_it_to_the_next_request(serve: Serve, make_pool: MakePool):
    server = await serve(failing())
    pool = make_pool(server, failures=1, back_off=0.1, timeout=30.0)
    with pytest.raises(PoolError):
        await ask(pool)
    server.answer = SILENT
    await aeventually(lambda: pool.snapshot().servers[0].next_try == 0.0)
    trial = asyncio.create_task(ask(pool))
    await aeventually(lambda: len(server.requests) == 2)

    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    server.answer = WELL

    assert (await ask(pool)).status == 200


async def test_spread_asks_each_of_the_healthy_servers_in_turn(serve: Serve, make_pool: MakePool):
    servers = [await serve() for _ in range(3)]
    pool = make_pool(*servers, policy="spread")

    answered = [(await ask(pool)).server for _ in range(6)]

    assert answered == [server.name for server in servers] * 2


async def test_a_cancelled_caller_closes_the_connection(serve: Serve, make_pool: MakePool):
    server = await serve(SILENT)
    asking = asyncio.create_task(ask(make_pool(server, timeout=30.0), budget=30.0))
    await aeventually(lambda: server.requests)

    asking.cancel()

    await aeventually(lambda: server.open == 0)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_server_that_is_late_has_its_connection_closed(serve: Serve, make_pool: MakePool):
    server = await serve(SILENT)

    with pytest.raises(PoolError):
        await ask(make_pool(server))

    await aeventually(lambda: server.open == 0)


async def test_callers_that_give_up_just_when_the_time_is_over_leave_no_connection(
    serve: Serve, make_pool: MakePool
):
    server = await serve(SILENT)

    async def give_up(pool: Pool, step: int) -> None:
        await asyncio.sleep(0.001 * step)
        with contextlib.suppress(PoolError, TimeoutError):
            await asyncio.wait_for(ask(pool), 0.097 + 0.0001 * (step * 7 % 50))

    for _ in range(8):
        pool = make_pool(server, timeout=0.1, failures=1000)
        await asyncio.gather(*(give_up(pool, step) for step in range(50)))

    assert len(server.requests) > 300
    await aeventually(lambda: server.open == 0)


async def test_connections_are_kept(serve: Serve, make_pool: MakePool):
    server = await serve()
    pool = make_pool(server)

    for _ in range(3):
        await ask(pool)

    assert (len(server.requests), server.opened) == (3, 1)


async def test_an_idle_connection_is_not_used_beyond_its_time(serve: Serve, make_pool: MakePool):
    server = await serve()
    pool = make_pool(server, keep_alive=0.05)
    await ask(pool)

    async def opened_another() -> bool:
        await asyncio.sleep(0.06)
        await ask(pool)
        return server.opened > 1

    await aeventually(opened_another)


async def _close_at_the_second_request(server: Server) -> None:
    """Let a kept connection be closed just when it is used again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.answer = WELL
        await breaking_off()(reader, writer)

    server.answer = answer


async def test_a_kept_connection_that_was_just_closed_is_no_failure(
    serve: Serve, make_pool: MakePool
):
    server = await serve()
    pool = make_pool(server)
    await ask(pool)
    await _close_at_the_second_request(server)

    assert (await ask(pool)).status == 200
    assert (len(server.requests), pool.snapshot().servers[0].failures) == (3, 0)


async def test_a_kept_connection_that_was_just_closed_repeats_nothing_that_must_not_be(
    serve: Serve, make_pool: MakePool
):
    server = await serve()
    pool = make_pool(server)
    await ask(pool)
    await _close_at_the_second_request(server)

    with pytest.raises(PoolError, match="broke off"):
        await ask(pool, POST, retry=False)

    assert len(server.requests) == 2


async def test_a_server_with_all_connections_taken_is_not_blamed(serve: Serve, make_pool: MakePool):
    first, second = await serve(), await serve()
    pool = make_pool(first, second, most_connections=1)

    async with await pool.send(GET, budget=5.0, retry=True) as held:
        assert held.server == first.name
        assert (await ask(pool)).server == second.name
        assert pool.snapshot().servers[0].failures == 0


async def test_a_server_that_turns_sick_is_logged_once_and_so_is_its_healing(
    serve: Serve, make_pool: MakePool, caplog: pytest.LogCaptureFixture
):
    server = await serve(failing())
    pool = make_pool(server, failures=1, back_off=0.05)

    async def answers() -> bool:
        try:
            return (await ask(pool)).status == 200
        except PoolError:
            return False

    async def tried_thrice() -> bool:
        return not await answers() and len(server.requests) == 3

    with caplog.at_level(logging.INFO, logger="gateway_project.upstreams"):
        await aeventually(tried_thrice)
        server.answer = WELL
        await aeventually(answers)

    assert [record.getMessage() for record in caplog.records] == [
        f"Pool prices: {server.name} is sick: it answered 503",
        f"Pool prices: {server.name} is well again",
    ]


async def test_the_snapshot_tells_of_each_server(serve: Serve, make_pool: MakePool):
    first, second = await serve(failing(502)), await serve()
    pool = make_pool(first, second, failures=1, back_off=20.0)
    await ask(pool)

    state = pool.snapshot()

    sick, well = state.servers
    assert (state.name, sick.server, well.server) == ("prices", first.name, second.name)
    assert (sick.state, sick.failures, sick.reason) == ("sick", 1, "answered 502")
    assert sick.next_try is not None
    assert 0 < sick.next_try <= 20.0
    assert (well.state, well.failures, well.next_try, well.reason) == ("healthy", 0, None, None)


async def test_a_base_address_with_a_path_is_put_before_the_target(
    serve: Serve, make_pool: MakePool
):
    server = await serve(saying(reply()))

    answered = await ask(make_pool(f"{server.url}/v2/"))

    assert server.requests[0].startswith(b"GET /v2/symbols?limit=5 HTTP/1.1\r\n")
    assert answered.server == f"{server.name}/v2"
