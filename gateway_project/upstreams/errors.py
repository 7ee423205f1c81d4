"""Why there is no answer: of one server, of a whole pool, or of the rest of a body."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of asking one server that did not answer.

    Attributes:
        server: its address without the scheme.
        reason: what it did, to be read after its address: "answered 503".
        timed_out: whether it ran out of time.
        status: the 5xx that it answered; None if it answered nothing.
    """

    server: str
    reason: str
    timed_out: bool = False
    status: int | None = None


class PoolError(Exception):
    """No server of a pool answered.

    Attributes:
        pool: the pool's name.
        attempts: the servers that were asked, in that order.
        status: what to answer in turn (RFC 9110, 15.6): 504 if each of them ran out of time,
            otherwise 502.
        last_status: the last 5xx among the attempts; None if there was none.
    """

    def __init__(self, pool: str, attempts: Sequence[Attempt]) -> None:
        super().__init__(pool, attempts)
        self.pool = pool
        self.attempts = tuple(attempts)
        late = all(attempt.timed_out for attempt in attempts)
        self.status = HTTPStatus.GATEWAY_TIMEOUT if late else HTTPStatus.BAD_GATEWAY
        self.last_status = next((one.status for one in reversed(attempts) if one.status), None)

    def __str__(self) -> str:
        if not self.attempts:
            return f"No server of the pool {self.pool!r} could be asked in time."
        return f"No server of the pool {self.pool!r} answered: {_told(self.attempts)}."


class PoolDown(PoolError):
    """Each server of a pool is sick and none is to be tried yet, so nothing was asked.

    The attempts are the failures for which the servers are sick; the status is 503.

    Attributes:
        retry_in: seconds until the first of the servers is tried again.
    """

    def __init__(self, pool: str, attempts: Sequence[Attempt], retry_in: float) -> None:
        super().__init__(pool, attempts)
        self.args = (pool, attempts, retry_in)
        self.status = HTTPStatus.SERVICE_UNAVAILABLE
        self.retry_in = retry_in

    def __str__(self) -> str:
        return (
            f"Every server of the pool {self.pool!r} is sick: {_told(self.attempts)}; "
            f"the next try is in {self.retry_in:.1f} s."
        )


class BrokenBody(Exception):
    """The body of a response did not come to its end: what was received of it is not all.

    Attributes:
        server: the server's address without the scheme.
        reason: what the server did, to be read after its address.
    """

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server} {reason}.")
        self.server = server
        self.reason = reason


def _told(attempts: Sequence[Attempt]) -> str:
    return "; ".join(f"{attempt.server} {attempt.reason}" for attempt in attempts)
