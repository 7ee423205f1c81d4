"""One request to one server, up to the header of the response; httpx's errors end here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from gateway_project.upstreams.errors import Attempt
from gateway_project.upstreams.messages import Outgoing
from gateway_project.upstreams.options import PoolOptions
from gateway_project.upstreams.shelter import sheltered

_FRAMING: Final = frozenset({"host", "content-length", "transfer-encoding"})
_READ_SHARE: Final = 0.98


class Server:
    """An upstream server.

    Attributes:
        name: its address without the scheme.
        url: its base address.
        path: of the base address, without a slash at its end.
    """

    __slots__ = ("name", "path", "url")

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.path = parts.path.rstrip("/")
        self.name = parts.netloc + self.path
        self.url = httpx.URL(address)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an exchange may take, in seconds.

    Attributes:
        connect: for connecting.
        header: for all until the header is there, connecting included.
        part: for each part of the body.
    """

    connect: float
    header: float
    part: float

    @classmethod
    def within(cls, header: float, options: PoolOptions) -> "Limits":
        """Return the limits of an exchange that has this long for the header."""
        return cls(min(options.connect_timeout, header), header, options.timeout)


class NoAnswer(Exception):
    """A server did not answer.

    Attributes:
        attempt: what became of it.
        sent: whether the server may have received any of the request.
        blamed: whether it is the server's failure.
    """

    def __init__(self, attempt: Attempt, *, sent: bool, blamed: bool = True) -> None:
        super().__init__(f"{attempt.server} {attempt.reason}")
        self.attempt = attempt
        self.sent = sent
        self.blamed = blamed


async def exchange(
    transport: httpx.AsyncHTTPTransport,
    server: Server,
    outgoing: Outgoing,
    limits: Limits,
    *,
    host: str | None = None,
    again: bool = False,
) -> httpx.Response:
    """Return a response of which the header has come and the body is still to be received.

    A connection that was kept may be closed by the server just when it is used again, which is no
    failure (RFC 9112, 9.3.1); with `again` the request is then sent once more.

    Raises:
        NoAnswer: If there is none within the limits.
    """
    sending = _Sending(transport, server, outgoing, limits, host)
    work = sending.at_most_twice() if again else sending.once()
    try:
        return await sheltered(work, within=limits.header, discard=httpx.Response.aclose)
    except (TimeoutError, httpx.TransportError) as exc:
        raise sending.failure(exc) from exc


class _Sending:
    """One request on its way; httpcore's trace tells how far it has come."""

    def __init__(
        self,
        transport: httpx.AsyncHTTPTransport,
        server: Server,
        outgoing: Outgoing,
        limits: Limits,
        host: str | None,
    ) -> None:
        self._transport = transport
        self._server = server
        self._outgoing = outgoing
        self._limits = limits
        self._host = host
        self._opened = self._sent = False

    async def once(self) -> httpx.Response:
        # The limit that counts is the one of `exchange`. But httpcore gives up a silent HTTP/2
        # connection only if its own limit is over, so that one comes a little earlier.
        timeout = {"connect": self._limits.connect, "read": self._limits.header * _READ_SHARE}
        response = await self._transport.handle_async_request(self._request(timeout))
        # httpcore looks it up anew for the body, which has a limit of its own.
        timeout["read"] = self._limits.part * _READ_SHARE
        return response

    async def at_most_twice(self) -> httpx.Response:
        try:
            return await self.once()
        except (httpx.RemoteProtocolError, httpx.NetworkError):
            if self._opened or not self._sent:
                raise
        return await self.once()

    def failure(self, exc: Exception) -> NoAnswer:
        limits = self._limits
        match exc:
            case httpx.ConnectTimeout():
                told = f"could not be connected to within {limits.connect:.3g} s"
                return self._failure(told, late=True)
            case httpx.ConnectError():
                return self._failure(f"could not be connected to{_of_tls(exc)}")
            case TimeoutError() | httpx.TimeoutException() if self._opened or self._sent:
                return self._failure(f"did not answer within {limits.header:.3g} s", late=True)
            case TimeoutError() | httpx.TimeoutException():
                told = f"had no connection free within {limits.header:.3g} s"
                return self._failure(told, late=True, blamed=False)
            case httpx.LocalProtocolError():
                return self._failure(f"could not be sent the request ({exc})", blamed=False)
            case _:
                return self._failure(f"broke off ({type(exc).__name__})")

    def _failure(self, reason: str, *, late: bool = False, blamed: bool = True) -> NoAnswer:
        attempt = Attempt(self._server.name, reason, late)
        return NoAnswer(attempt, sent=self._sent, blamed=blamed)

    def _request(self, timeout: dict[str, float]) -> httpx.Request:
        return httpx.Request(
            self._outgoing.method,
            self._server.url,
            headers=self._headers(),
            content=self._outgoing.body,
            extensions={
                "target": (self._server.path + self._outgoing.target).encode("ascii"),
                "timeout": timeout,
                "trace": self._trace,
            },
        )

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = self._outgoing.fields.without(_FRAMING).encoded()
        if self._host is not None:
            headers.insert(0, (b"host", self._host.encode("ascii")))
        return headers

    async def _trace(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.startswith("connection."):
            self._opened = True
        elif event.endswith(".send_request_headers.started"):
            self._sent = True


def _of_tls(exc: httpx.ConnectError) -> str:
    told = str(exc)
    return f" ({told})" if told.startswith("[SSL") else ""
