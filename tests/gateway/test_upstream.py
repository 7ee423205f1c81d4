"""The sample upstream as its callers see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from gateway_project.upstream.app import SampleUpstream
from gateway_project.upstream.faults import Faults
from gateway_project.upstream.refusal import RefusalError
from tests.gateway.support import market

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROBLEM = "application/problem+json"


@pytest.fixture
async def ask() -> AsyncIterator[httpx.AsyncClient]:
    app = SampleUpstream(market())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://upstream") as client:
        yield client


async def test_the_symbols_come_with_the_span_of_their_data(ask: httpx.AsyncClient):
    response = await ask.get("/symbols")

    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["symbols"][1] == {
        "symbol": "FB",
        "first_day": "2012-05-18",
        "last_day": "2013-03-01",
        "days": 196,
        "last_close": 27.78,
    }


async def test_a_series_is_cut_to_its_span(ask: httpx.AsyncClient):
    response = await ask.get("/symbols/aapl/series?from=2012-09-15&to=2012-09-18")

    body = response.json()
    assert (body["symbol"], body["count"]) == ("AAPL", 2)
    assert [day["day"] for day in body["days"]] == ["2012-09-17", "2012-09-18"]
    assert body["days"][0] == {
        "day": "2012-09-17",
        "open": 699.35,
        "high": 699.8,
        "low": 694.61,
        "close": 699.781,
        "volume": 14215400,
    }


async def test_a_series_without_a_span_is_whole(ask: httpx.AsyncClient):
    assert (await ask.get("/symbols/GOOG/series")).json()["count"] == 2148


async def test_one_day(ask: httpx.AsyncClient):
    body = (await ask.get("/symbols/FB/days/2012-05-18")).json()

    assert (body["symbol"], body["close"], body["volume"]) == ("FB", 38.2318, 573576400)


async def test_a_summary_is_of_its_span(ask: httpx.AsyncClient):
    body = (await ask.get("/symbols/IBM/summary?from=2008-01-01&to=2008-12-31")).json()

    assert body["days"] == 253
    assert body["first"] == {"day": "2008-01-02", "close": 104.69}
    assert body["last"] == {"day": "2008-12-31", "close": 84.16}
    assert body["change_percent"] == pytest.approx((84.16 - 104.69) / 104.69 * 100, abs=1e-4)
    assert body["highest"]["price"] >= body["mean_close"] >= body["lowest"]["price"]


async def test_movers_are_ranked_by_their_change(ask: httpx.AsyncClient):
    movers = (await ask.get("/movers/2008-10-13")).json()["movers"]

    assert [one["symbol"] for one in movers] == ["MSFT", "GOOG", "AAPL", "IBM"]
    assert movers[0]["change_percent"] == pytest.approx((25.5 - 21.5) / 21.5 * 100, abs=1e-4)
    assert movers[0]["previous_day"] == "2008-10-10"


async def test_a_symbol_on_its_first_day_has_no_change(ask: httpx.AsyncClient):
    body = (await ask.get("/movers/2012-05-18")).json()

    assert body["without_previous_day"] == ["FB"]
    assert len(body["movers"]) == 4


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("/symbols/XYZ/series", 404, "Unknown symbol 'XYZ'; known are AAPL, FB, GOOG, IBM, MSFT."),
        ("/symbols/FB/days/soon", 400, "day must be a date as YYYY-MM-DD"),
        ("/symbols/FB/days/20120518", 400, "not '20120518'"),
        ("/symbols/FB/series?from=2012-13-01", 400, "from must be a date"),
        ("/symbols/FB/series?to=", 400, "to must be a date"),
        ("/symbols/FB/series?from=2013-01-02&to=2013-01-01", 400, "is after to"),
        ("/symbols/FB/series?form=2013-01-02", 400, "'form'; allowed are from, to"),
        ("/symbols?from=2013-01-02", 400, "none is allowed here"),
        ("/symbols/FB/series?to=2013-01-01&to=2013-01-02", 400, "to is given twice"),
        ("/symbols/FB/days/2012-05-17", 404, "the nearest trading days are 2012-05-18."),
        ("/movers/2008-10-12", 404, "2008-10-10 and 2008-10-13"),
        ("/symbols/FB/summary?to=2011-12-31", 404, "runs from 2012-05-18 to 2013-03-01"),
        ("/symbols/FB/prices", 404, "there are /symbols, /symbols/{symbol}/series"),
    ],
)
async def test_what_cannot_be_answered_is_explained(
    ask: httpx.AsyncClient, target: str, status: int, said: str
):
    response = await ask.get(target)

    assert (response.status_code, response.headers["Content-Type"]) == (status, PROBLEM)
    assert response.json()["status"] == status
    assert said in response.json()["detail"]


async def test_head_has_the_headers_of_get_and_no_body(ask: httpx.AsyncClient):
    get, head = await ask.get("/symbols"), await ask.head("/symbols")

    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.content == b""


async def test_other_methods_are_refused(ask: httpx.AsyncClient):
    response = await ask.delete("/symbols")

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_faults_are_set_while_it_runs(ask: httpx.AsyncClient):
    response = await ask.put("/_control", json={"failure_rate": 1})

    assert response.json() == {"delay_ms": 0.0, "failure_rate": 1.0}
    assert (await ask.get("/symbols")).status_code == 503
    assert (await ask.get("/_control")).json()["failure_rate"] == 1.0
    await ask.put("/_control", json={"failure_rate": 0})
    assert (await ask.get("/symbols")).status_code == 200


async def test_a_delay_holds_an_answer_back(ask: httpx.AsyncClient):
    await ask.put("/_control", json={"delay_ms": 60})
    started = time.monotonic()

    await ask.get("/symbols")

    assert time.monotonic() - started >= 0.06


async def test_the_failure_rate_is_a_share_of_the_answers():
    draws = iter([0.1, 0.6])
    app = SampleUpstream(market(), Faults(failure_rate=0.5), draw=lambda: next(draws))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://x"
    ) as ask:
        statuses = [(await ask.get("/symbols")).status_code for _ in range(2)]

    assert statuses == [503, 200]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "The body is not JSON"),
        (b"[]", "The body must be a JSON object"),
        (b'{"delay": 1}', "Unknown member 'delay'"),
        (b'{"delay_ms": -1}', "delay_ms cannot be -1"),
        (b'{"failure_rate": 1.5}', "failure_rate cannot be 1.5"),
        (b'{"failure_rate": true}', "failure_rate cannot be True"),
        (b'{"delay_ms": NaN}', "delay_ms cannot be nan"),
        (b'{"delay_ms": "1"}', "delay_ms cannot be '1'"),
        (b" " * 5000, "longer than 4096 bytes"),
    ],
)
async def test_impossible_faults_are_refused(ask: httpx.AsyncClient, body: bytes, said: str):
    response = await ask.put("/_control", content=body)

    assert response.status_code == 400
    assert said in response.json()["detail"]


def test_faults_come_from_the_environment():
    given = {"SAMPLE_DELAY_MS": "250", "SAMPLE_FAILURE_RATE": "0.25"}

    assert Faults.from_environment({}) == Faults()
    assert Faults.from_environment(given) == Faults(delay_ms=250.0, failure_rate=0.25)


def test_impossible_faults_in_the_environment_are_named():
    with pytest.raises(ValueError, match="SAMPLE_DELAY_MS must be a number, not 'slow'"):
        Faults.from_environment({"SAMPLE_DELAY_MS": "slow"})
    with pytest.raises(RefusalError, match="failure_rate cannot be 2"):
        Faults.from_environment({"SAMPLE_FAILURE_RATE": "2"})
