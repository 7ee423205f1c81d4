"""The connections of a pool in one event loop."""

import ssl
from pathlib import Path

import httpx

from gateway_project.upstreams.exchange import Server
from gateway_project.upstreams.options import PoolOptions


class Connections:
    """A pool's connections in one event loop: a transport for each server, made at first use.

    Each server has its own, so that one which holds all of its connections takes none from the
    others. These are httpx's transports without its client: they follow no redirect, keep no
    cookie, know no proxy and add no header fields but Host and the length of the body.
    """

    def __init__(self, options: PoolOptions, trust: ssl.SSLContext) -> None:
        self._options = options
        self._trust = trust
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}

    def to(self, server: Server) -> httpx.AsyncHTTPTransport:
        """Return what sends requests to a server."""
        transport = self._transports.get(server.name)
        if transport is None:
            transport = self._transports[server.name] = self._made()
        return transport

    async def aclose(self) -> None:
        """Close all connections."""
        while self._transports:
            _, transport = self._transports.popitem()
            await transport.aclose()

    def _made(self) -> httpx.AsyncHTTPTransport:
        most = self._options.most_connections
        return httpx.AsyncHTTPTransport(
            verify=self._trust,
            trust_env=False,
            http1=self._options.http1,
            http2=self._options.http2,
            limits=httpx.Limits(
                max_connections=most,
                max_keepalive_connections=most,
                keepalive_expiry=self._options.keep_alive,
            ),
        )


def trusted(servers: tuple[str, ...], file: Path | None) -> ssl.SSLContext:
    """Return the certificate authorities to trust: none at all where no server speaks TLS.

    Reading them takes 0.1 s, in which an event loop would stand still: call it beforehand.

    Raises:
        OSError: If the file cannot be read or holds no certificates.
    """
    if not any(server.startswith("https:") for server in servers):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if file is None:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.create_default_context(cafile=file)
