"""What came of one request of a warm-up."""

from __future__ import annotations

from typing import Literal, NamedTuple

from gateway_project.problems import ProblemError
from gateway_project.serving.replies import Reply
from gateway_project.upstreams import BrokenBody, PoolError

Kind = Literal["there", "loaded", "unstorable", "failed", "unasked"]
"""Fresh in the cache before, or now; must not be stored; failed; or nobody could be asked."""


class Outcome(NamedTuple):
    """What came of one request, and why, if it is not in the cache now."""

    kind: Kind
    reason: str = ""


def of_reply(reply: Reply) -> Outcome:
    """Return what Cache-Status says (RFC 9211): the last member is the gateway's own."""
    parts = reply.fields.lines("cache-status")[-1].split("; ")
    if "hit" in parts:
        return Outcome("there")
    if "stored" in parts:
        return Outcome("loaded")
    details = [part.removeprefix("detail=") for part in parts if part.startswith("detail=")]
    reason = details[0] if details else "no longer storable"
    return Outcome("unstorable", f"status {reply.status}" if reason == "status" else reason)


def of_error(error: PoolError | BrokenBody | ProblemError) -> Outcome:
    """Return that there was no answer, and why."""
    return Outcome("failed", error.detail if isinstance(error, ProblemError) else str(error))
