"""What a caller is told of their limit."""

from __future__ import annotations

import pytest

from gateway_project.callers.headers import limit_fields
from gateway_project.callers.limits import Rate, Verdict

RATE = Rate(100, 60.0)


def test_a_request_that_is_let_through_says_what_is_left():
    verdict = Verdict(True, 100, 50, reset_seconds=30, retry_after=0)

    assert list(limit_fields(RATE, verdict)) == [
        ("ratelimit-policy", '"default";q=100;w=60'),
        ("ratelimit", '"default";r=50;t=30'),
    ]


def test_one_that_is_refused_says_when_to_try_again():
    verdict = Verdict(False, 100, 0, reset_seconds=7, retry_after=7)

    fields = limit_fields(RATE, verdict, policy="per key")

    assert fields.get("ratelimit") == '"per key";r=0;t=7'
    assert fields.get("retry-after") == "7"


@pytest.mark.parametrize("policy", ["", 'a"b', "a\\b", "é", "a\r\nX: y"])
def test_a_policy_that_cannot_be_sent_is_refused(policy: str):
    with pytest.raises(ValueError, match="policy is"):
        limit_fields(RATE, Verdict(True, 100, 50, 30, 0), policy=policy)
