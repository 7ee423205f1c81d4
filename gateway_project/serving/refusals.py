"""Requests that get no answer from an upstream, as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from django.conf import settings

from gateway_project.problems import PROBLEM, ProblemError
from gateway_project.routing.query import RefusedQuery
from gateway_project.serving.replies import Reply
from gateway_project.upstreams import Attempt, BrokenBody, PoolDown, PoolError
from tiercache.http.fields import Fields
from tiercache.http.requests import BadRequest
from tiercache.http.targets import BadTarget

_NOTHING_STORED: Final = [("cache-control", "no-store")]
_BROKEN: Final = "An upstream server's answer broke off."


def problem(
    status: int,
    detail: str,
    *,
    fields: Iterable[tuple[str, str]] = (),
    **members: object,
) -> Reply:
    """Return a problem document; no cache may keep it."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        **members,
    }
    body = json.dumps(document).encode()
    lines = [("content-type", PROBLEM), ("content-length", str(len(body))), *_NOTHING_STORED]
    return Reply(int(status), Fields([*lines, *fields]), body)


def too_large(most: int) -> Reply:
    """Return the answer to a request whose body has more bytes than are allowed."""
    return problem(413, f"The body is too large; allowed are {most} bytes.")


def without_cache() -> Reply:
    """Return the answer where the cache's alias would rather raise than go on without Redis."""
    return problem(503, "The cache is away; try again.", fields=[("retry-after", "1")])


def explained(exc: Exception, told: str | None = None) -> Reply:
    """Return the answer to a request that could not be answered for this reason.

    Args:
        exc: one that is raised for requests and upstreams; any other is raised again.
        told: what Cache-Status says, if the cache had a part in it.
    """
    fields = [] if told is None else [("cache-status", told)]
    match exc:
        case BadRequest():
            # Where it ends may be as doubtful, and so what follows it (RFC 9112, 6.1).
            closing = [*fields, ("connection", "close")]
            return problem(exc.status, f"The request is refused: {exc}.", fields=closing)
        case BadTarget():
            return problem(exc.status, f"The request is refused: {exc}.", fields=fields)
        case RefusedQuery():
            allowed = None if exc.allowed is None else list(exc.allowed)
            return problem(400, str(exc), parameter=exc.parameter, allowed=allowed)
        case ProblemError():
            lines = [*exc.fields, *fields]
            return problem(exc.status, exc.detail, fields=lines, **exc.members)
        case PoolError():
            return _unanswered(exc, fields)
        case BrokenBody():
            told_so = f"An upstream server failed: {exc}" if settings.DEBUG else _BROKEN
            return problem(502, told_so, fields=fields)
    raise exc


def _unanswered(exc: PoolError, fields: list[tuple[str, str]]) -> Reply:
    status = exc.status
    if isinstance(exc, PoolDown):
        late = bool(exc.attempts) and all(one.timed_out for one in exc.attempts)
        status = HTTPStatus.GATEWAY_TIMEOUT if late else HTTPStatus.BAD_GATEWAY
        fields = [*fields, ("retry-after", str(max(1, round(exc.retry_in))))]
    detail = str(exc) if settings.DEBUG else _detail(exc)
    return problem(status, detail, fields=fields, attempts=[_shown(one) for one in exc.attempts])


def _detail(exc: PoolError) -> str:
    if isinstance(exc, PoolDown):
        return f"No upstream server is well; the next try is in {max(1, round(exc.retry_in))} s."
    if not exc.attempts:
        return "No upstream server could be asked in time."
    told = "; ".join(f"one {_outcome(attempt)}" for attempt in exc.attempts)
    return f"No upstream server answered: {told}."


def _shown(attempt: Attempt) -> dict[str, str]:
    """Return what callers see of an attempt: which server it was is none of their business."""
    if settings.DEBUG:
        return {"upstream": attempt.server, "reason": attempt.reason}
    return {"reason": _outcome(attempt)}


def _outcome(attempt: Attempt) -> str:
    # The full reason may name the server, if its certificate is for another name.
    if attempt.status is not None:
        return f"answered {attempt.status}"
    return "did not answer in time" if attempt.timed_out else "failed"
