"""Which server is asked next, and what its response is worth: decided without any I/O."""

from __future__ import annotations

import pytest

from gateway_project.pool import Answer, Failure, UpstreamsError, attempts, judge

ANSWER = Answer(200, "application/json", b"{}", "b")
DOWN = Failure("a", "could not be connected to")
LATE = Failure("b", "did not answer within 2 s", timed_out=True)


def run(servers: list[str], *outcomes: Answer | Failure) -> tuple[list[str], Answer]:
    """Drive the flow; return the addresses it asked and the answer."""
    flow = attempts(servers, "/symbols")
    asked = [next(flow)]
    for outcome in outcomes:
        try:
            asked.append(flow.send(outcome))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError("the flow wants more")


def test_the_first_server_that_answers_is_the_last_asked():
    assert run(["http://a", "http://b"], ANSWER) == (["http://a/symbols"], ANSWER)


def test_after_a_failure_the_next_server_is_asked():
    asked, answer = run(["http://a", "http://b", "http://c"], DOWN, ANSWER)

    assert (asked, answer) == (["http://a/symbols", "http://b/symbols"], ANSWER)


def test_with_all_of_them_down_it_is_a_bad_gateway_that_tells_why():
    with pytest.raises(UpstreamsError) as caught:
        run(["http://a", "http://b"], DOWN, LATE)

    assert caught.value.status == 502
    assert str(caught.value) == (
        "No upstream server answered: a could not be connected to; b did not answer within 2 s."
    )


def test_with_all_of_them_late_it_is_a_gateway_timeout():
    with pytest.raises(UpstreamsError) as caught:
        run(["http://b"], LATE)

    assert caught.value.status == 504


def test_without_any_server_it_says_what_to_set():
    with pytest.raises(UpstreamsError, match="set GATEWAY_UPSTREAMS") as caught:
        next(attempts([], "/symbols"))

    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("status", "content_type", "reason"),
    [
        (500, "application/json", "answered 500"),
        (503, "application/problem+json", "answered 503"),
        (302, "application/json", "does not follow"),
        (204, "application/json", "does not follow"),
        (200, "text/html", "answered 200 with text/html"),
        (200, "", "no media type"),
        (404, "text/html", "answered 404 with text/html"),
    ],
)
def test_what_counts_as_a_failure(status: int, content_type: str, reason: str):
    outcome = judge("http://a:1/symbols", status, content_type, b"")

    assert isinstance(outcome, Failure)
    assert (outcome.upstream, outcome.timed_out) == ("a:1", False)
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("status", "cacheable"), [(200, True), (400, False), (404, False), (429, False)]
)
def test_what_counts_as_an_answer_and_may_be_kept(status: int, cacheable: bool):
    outcome = judge("http://a:1/symbols", status, "Application/JSON; charset=utf-8", b"[]")

    assert outcome == Answer(status, "application/json", b"[]", "a:1")
    assert outcome.cacheable is cacheable
