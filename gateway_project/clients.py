"""The HTTP clients that ask the upstream servers: one per event loop, one for threads."""

import asyncio
import ssl
from functools import cache
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx
from django.conf import settings

from gateway_project.pool import Answer, Failure, attempts, judge

CONNECT_TIMEOUT = 0.5

# An httpx client belongs to the event loop in which it was first used.
_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
    WeakKeyDictionary()
)


async def aask(target: str) -> Answer:
    """Return what the first upstream server that answers says about ``target``.

    Raises:
        UpstreamsError: If none of them answers.
    """
    flow = attempts(settings.GATEWAY_UPSTREAMS, target)
    try:
        url = next(flow)
        while True:
            url = flow.send(await _atry(url))
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def ask(target: str) -> Answer:
    """Do as ``aask`` does, from a thread."""
    flow = attempts(settings.GATEWAY_UPSTREAMS, target)
    try:
        url = next(flow)
        while True:
            url = flow.send(_try(url))
    except StopIteration as end:
        answer: Answer = end.value
        return answer


async def aclose() -> None:
    """Close the running loop's client, if it has one; the next call makes another."""
    client = _async_clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


def close() -> None:
    """Close the threads' client, if there is one; the next call makes another."""
    if _client.cache_info().currsize:
        _client().close()
        _client.cache_clear()


async def _atry(url: str) -> Answer | Failure:
    try:
        response = await _async_client().get(url, timeout=_timeout())
    except httpx.RequestError as exc:
        return _failure(url, exc)
    return _judged(url, response)


def _try(url: str) -> Answer | Failure:
    try:
        response = _client().get(url, timeout=_timeout())
    except httpx.RequestError as exc:
        return _failure(url, exc)
    return _judged(url, response)


def _judged(url: str, response: httpx.Response) -> Answer | Failure:
    content_type = response.headers.get("Content-Type", "")
    return judge(url, response.status_code, content_type, response.content)


def _failure(url: str, exc: httpx.RequestError) -> Failure:
    upstream = urlsplit(url).netloc
    if isinstance(exc, httpx.ConnectError):
        return Failure(upstream, "could not be connected to")
    if isinstance(exc, httpx.TimeoutException):
        return Failure(upstream, f"did not answer within {_limit(exc):g} s", timed_out=True)
    return Failure(upstream, f"broke off ({type(exc).__name__})")


def _limit(exc: httpx.TimeoutException) -> float:
    timeout = _timeout()
    limit = timeout.connect if isinstance(exc, httpx.ConnectTimeout) else timeout.read
    return limit or 0.0


def _timeout() -> httpx.Timeout:
    longest: float = settings.GATEWAY_UPSTREAM_TIMEOUT
    return httpx.Timeout(longest, connect=min(CONNECT_TIMEOUT, longest))


def _async_client() -> httpx.AsyncClient:
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        # The environment's proxies are for the way out, not for the servers behind the gateway.
        client = _async_clients[loop] = httpx.AsyncClient(verify=_trust(), trust_env=False)
    return client


@cache
def _client() -> httpx.Client:
    return httpx.Client(verify=_trust(), trust_env=False)


def _trust() -> ssl.SSLContext:
    """Return the certificates to check against: none at all where no server speaks TLS.

    Reading them takes 0.1 s, in which the event loop would stand still.
    """
    if any(server.startswith("https:") for server in settings.GATEWAY_UPSTREAMS):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
