"""The ASGI callable: routing, faults on purpose, JSON and problem documents."""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from gateway_project.upstream import answers, prices
from gateway_project.upstream.faults import Faults
from gateway_project.upstream.prices import Market
from gateway_project.upstream.refusal import (
    RefusalError,
    bad_request,
    method_not_allowed,
    not_found,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[..., dict[str, object]]

CONTROL = "/_control"
MAX_CONTROL_BYTES = 4096
_chance = random.SystemRandom().random
FORMS: tuple[tuple[str, Answer, tuple[str, ...]], ...] = (
    ("/symbols", answers.symbols, ()),
    ("/symbols/{symbol}/series", answers.series, ("from", "to")),
    ("/symbols/{symbol}/days/{day}", answers.day, ()),
    ("/symbols/{symbol}/summary", answers.summary, ("from", "to")),
    ("/movers/{day}", answers.movers, ()),
)
ROUTES = tuple(
    (re.compile(re.sub(r"{\w+}", "([^/]+)", form)), answer, parameters)
    for form, answer, parameters in FORMS
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One response, before ASGI's messages."""

    status: HTTPStatus
    media_type: str
    body: dict[str, object]
    headers: tuple[tuple[str, str], ...] = ()

    def messages(self, method: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the messages to send; HEAD gets the headers of GET and no body."""
        content = json.dumps(self.body, separators=(",", ":")).encode()
        fields = (
            ("Content-Type", self.media_type),
            ("Content-Length", str(len(content))),
            *self.headers,
        )
        headers = [(name.lower().encode(), value.encode()) for name, value in fields]
        start = {"type": "http.response.start", "status": self.status.value, "headers": headers}
        return start, {"type": "http.response.body", "body": b"" if method == "HEAD" else content}


class SampleUpstream:
    """Serve a market's prices, slowly or not at all where its faults say so."""

    def __init__(
        self,
        market: Market,
        faults: Faults = Faults(),  # noqa: B008 - immutable
        draw: Callable[[], float] = _chance,
    ) -> None:
        self.faults = faults
        self._market = market
        self._draw = draw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; the server is started without lifespan and websockets."""
        reply = await self._reply(scope, receive)
        for message in reply.messages(scope["method"]):
            await send(message)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        try:
            return Reply(HTTPStatus.OK, "application/json", await self._answer(scope, receive))
        except RefusalError as refusal:
            return Reply(
                refusal.status, "application/problem+json", refusal.body(), refusal.headers
            )

    async def _answer(self, scope: Scope, receive: Receive) -> dict[str, object]:
        if scope["path"] == CONTROL:
            return await self._control(scope, receive)
        await self._misbehave()
        if scope["method"] not in ("GET", "HEAD"):
            raise method_not_allowed(scope["method"], ("GET", "HEAD"))
        return _routed(self._market, scope["path"], scope["query_string"].decode("latin-1"))

    async def _misbehave(self) -> None:
        faults = self.faults
        if faults.delay_ms:
            await asyncio.sleep(faults.delay_ms / 1000)
        if self._draw() < faults.failure_rate:
            raise RefusalError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"A failure on purpose: failure_rate is {faults.failure_rate}; see {CONTROL}.",
            )

    async def _control(self, scope: Scope, receive: Receive) -> dict[str, object]:
        if scope["method"] == "PUT":
            self.faults = self.faults.changed(await _read_json(receive))
        elif scope["method"] not in ("GET", "HEAD"):
            raise method_not_allowed(scope["method"], ("GET", "HEAD", "PUT"))
        return {**self.faults.as_dict()}


def create() -> SampleUpstream:
    """Return the app over the shipped prices with the faults that the environment asks for."""
    return SampleUpstream(prices.load(), Faults.from_environment())


def _routed(market: Market, path: str, query_string: str) -> dict[str, object]:
    for pattern, answer, parameters in ROUTES:
        if match := pattern.fullmatch(path):
            query = _query(query_string, parameters)
            return answer(market, *match.groups(), *([query] if parameters else []))
    forms = ", ".join(form for form, *_ in FORMS)
    raise not_found(f"Nothing is at {path!r}; there are {forms}.")


def _query(text: str, allowed: tuple[str, ...]) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in allowed:
            known = f"allowed are {', '.join(allowed)}" if allowed else "none is allowed here"
            raise bad_request(f"Unknown query parameter {name!r}; {known}.", parameter=name)
        if name in query:
            raise bad_request(f"{name} is given twice; give it once.", parameter=name)
        query[name] = value
    return query


async def _read_json(receive: Receive) -> object:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_CONTROL_BYTES:
            raise bad_request(f"The body is longer than {MAX_CONTROL_BYTES} bytes.")
        if not message.get("more_body"):
            break
    try:
        return json.loads(body)
    except ValueError as exc:
        raise bad_request(f"The body is not JSON: {exc}.") from exc
