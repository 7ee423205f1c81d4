"""The upstream servers, tried in turn: the decisions, without any input or output.

``attempts`` is driven by ``gateway_project.clients``, synchronously and asynchronously.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream server answered: 200 with JSON, or a 4xx that is the caller's to see."""

    status: int
    media_type: str
    body: bytes
    upstream: str

    @property
    def cacheable(self) -> bool:
        """Say whether the answer may be kept: only what succeeded is."""
        return self.status == HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one server did not answer; the next one is tried."""

    upstream: str
    reason: str
    timed_out: bool = False


class UpstreamsError(Exception):
    """No upstream server answered.

    ``status`` is 504 if each of them ran out of time, otherwise 502.
    """

    def __init__(self, failures: Sequence[Failure]) -> None:
        told = "; ".join(f"{failure.upstream} {failure.reason}" for failure in failures)
        super().__init__(
            f"No upstream server answered: {told}."
            if failures
            else "No upstream server is configured: set GATEWAY_UPSTREAMS."
        )
        late = bool(failures) and all(failure.timed_out for failure in failures)
        self.status = HTTPStatus.GATEWAY_TIMEOUT if late else HTTPStatus.BAD_GATEWAY
        self.failures = tuple(failures)


Attempts = Generator[str, Answer | Failure, Answer]


def attempts(servers: Sequence[str], target: str) -> Attempts:
    """Yield the address to ask next until one of the servers answers; return that answer.

    Raises:
        UpstreamsError: If none did.
    """
    failures: list[Failure] = []
    for server in servers:
        outcome = yield server + target
        if isinstance(outcome, Answer):
            return outcome
        failures.append(outcome)
    raise UpstreamsError(failures)


def judge(url: str, status: int, content_type: str, body: bytes) -> Answer | Failure:
    """Say what a server's response is worth: 5xx, redirects and other than JSON are failures."""
    upstream = urlsplit(url).netloc
    media_type = content_type.partition(";")[0].strip().lower()
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure(upstream, f"answered {status}")
    if status != HTTPStatus.OK and status < HTTPStatus.BAD_REQUEST:
        return Failure(upstream, f"answered {status}, which this gateway does not follow")
    if media_type not in (JSON, PROBLEM):
        return Failure(upstream, f"answered {status} with {media_type or 'no media type'}")
    return Answer(status, media_type, body, upstream)
