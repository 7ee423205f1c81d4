"""What is sent to an upstream server, and what comes back."""

import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from gateway_project.upstreams.errors import BrokenBody
from gateway_project.upstreams.shelter import sheltered
from tiercache.http.fields import Fields, is_token

_GIVEN_UP: Final = "was given up in the body"
_TARGET: Final = re.compile(r"/[!-~]*")


def is_target(text: str) -> bool:
    """Tell whether a text can be sent as the target of a request: a path, perhaps with a query."""
    return _TARGET.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to whichever server of a pool.

    Attributes:
        method: a token, as it is to be sent (RFC 9110, 9.1).
        target: path and query, as they are to be sent (RFC 9112, 3.2.1): percent-encoded.
        fields: without those that belong to one connection (RFC 9110, 7.6.1). Host and the length
            of the body are added; nothing else is.
        body: the whole body.

    Raises:
        ValueError: If the method or the target cannot be sent.
    """

    method: str
    target: str
    fields: Fields = Fields()  # noqa: RUF009 - a value, never changed
    body: bytes = b""

    def __post_init__(self) -> None:
        if not is_token(self.method):
            raise ValueError(f"method must be a token such as GET, not {self.method!r}.")
        if not is_target(self.target):
            raise ValueError(
                "target must begin with '/' and be of visible ASCII characters, "
                f"not {self.target!r}."
            )


class Incoming:
    """A response whose body is received as it is asked for; to be closed, best with `async with`.

    Attributes:
        status, fields: as they were received; Content-Encoding is not undone.
        server: the server's address without the scheme.
        http_version: "HTTP/1.1" or "HTTP/2".
    """

    __slots__ = (
        "_broken",
        "_ended",
        "_held",
        "_idle",
        "_parts",
        "_response",
        "fields",
        "http_version",
        "server",
        "status",
    )

    def __init__(
        self,
        response: httpx.Response,
        server: str,
        *,
        idle: float,
        ended: Callable[[str | None], None],
    ) -> None:
        """Take over a response; call `ended` once, with the reason if the body broke off.

        `idle` is the time in seconds within which each part of the body has to come.
        """
        self.status = response.status_code
        self.fields = Fields.decoded(response.headers.raw)
        self.server = server
        self.http_version = response.http_version
        self._response = response
        # Not `aiter_raw`, which lets go of the connection before what is left on it can be seen.
        self._parts = aiter(response.stream)  # type: ignore[arg-type]
        self._held: deque[bytes] = deque()
        self._idle = idle
        self._broken: str | None = None
        self._ended: Callable[[str | None], None] | None = ended

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body, or what is left of it, in parts as they are received.

        Raises:
            BrokenBody: If it breaks off, or its next part does not come in time.
        """
        while self._held:
            yield self._held.popleft()
        while (part := await self._receive()) is not None:
            yield part

    async def read(self, limit: int) -> bytes | None:
        """Return the whole body; None if it is longer than `limit` bytes.

        What was received is kept, so that `chunks` yields all of it in either case. Not much more
        than `limit` bytes are held: one part, at most 64 KiB from most servers.

        Raises:
            BrokenBody: As `chunks` does.
        """
        held = sum(map(len, self._held))
        while held <= limit:
            part = await self._receive()
            if part is None:
                return b"".join(self._held)
            self._held.append(part)
            held += len(part)
        return None

    async def aclose(self) -> None:
        """Let go of the connection; it is closed if the body was not received to its end."""
        if self._ended is not None:
            self._broken = _GIVEN_UP
        try:
            await sheltered(self._response.aclose())
        finally:
            self._end(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _receive(self) -> bytes | None:
        """Return the next part of the body, None at its end."""
        if self._broken is not None:
            raise BrokenBody(self.server, self._broken)
        # Whoever was cancelled and asks again must not take what came so far for the whole.
        self._broken = _GIVEN_UP
        try:
            part = await sheltered(self._next(), within=self._idle)
        except (TimeoutError, httpx.TransportError) as exc:
            self._broken = self._reason(exc)
            self._end(self._broken)
            await sheltered(self._response.aclose())
            raise BrokenBody(self.server, self._broken) from exc
        self._broken = None
        if part is None:
            self._end(None)
        return part

    async def _next(self) -> bytes | None:
        part: bytes | None = await anext(self._parts, None)
        if part is None:
            if _has_more(self._response):
                await self._response.extensions["network_stream"].aclose()
            await self._response.aclose()
        return part

    def _reason(self, exc: Exception) -> str:
        if isinstance(exc, TimeoutError | httpx.TimeoutException):
            return f"sent nothing of the body for {self._idle:g} s"
        return "broke off in the body"

    def _end(self, reason: str | None) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(reason)


def _has_more(response: httpx.Response) -> bool:
    """Tell whether a server sent more than its response, and nobody asked for it.

    It must not be taken for the next response (RFC 9112, 9.2), as httpcore does: whoever can make
    a server send too much could answer other requests. HTTP/2 frames each response by itself.
    """
    stream: Any = response.stream
    connection = stream._httpcore_stream._stream._connection
    state = getattr(connection, "_h11_state", None)
    return state is not None and state.trailing_data[0] != b""
