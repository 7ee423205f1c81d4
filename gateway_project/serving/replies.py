"""What the gateway answers with, before any framework has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from gateway_project.serving.asked import Asked
from gateway_project.serving.shown import passable
from gateway_project.serving.stored import Stored
from gateway_project.upstreams import Incoming
from tiercache.http import conditional, ranges
from tiercache.http.fields import Fields
from tiercache.http.status import appended

NAME: Final = "tiercache"
"""By which the gateway calls itself in Cache-Status and Via."""

_BODYLESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. A body that is no bytes is to be consumed to its end, or closed.

    Attributes:
        status, fields: with all that HTTP wants, but for what a server adds by itself.
        body: whole, or in parts as they come in.
    """

    status: int
    fields: Fields
    body: bytes | AsyncGenerator[bytes] = b""

    def extended(self, lines: Iterable[tuple[str, str]]) -> Reply:
        """Return the same answer with these fields as well."""
        return replace(self, fields=Fields([*self.fields, *lines]))


def from_stored(stored: Stored, asked: Asked, now: float, told: str) -> Reply:
    """Answer with a stored response: whole, a part of it, or "not modified".

    Args:
        stored: the response.
        asked: whose condition, range and method count.
        now: seconds since the epoch.
        told: what Cache-Status says of how it was found.
    """
    fields = fields_of(stored, now, told)
    method, own, received = asked.method, stored.fields, stored.generated
    outcome = conditional.evaluate(method, asked.fields, stored.status, own, received)
    if outcome == "not-modified":
        kept = conditional.not_modified_fields(fields)
        return Reply(304, Fields([*kept, *fields.only({"age", "cache-status"})]))
    length = len(stored.body)
    part = ranges.part(method, asked.fields, stored.status, own, length, received)
    if part == "unsatisfiable":
        body = Fields([*ranges.unsatisfiable_fields(length), *fields.only({"cache-status"})])
        return Reply(416, body.replaced("content-length", "0"))
    if part == "whole":
        return Reply(stored.status, fields, b"" if method == "HEAD" else stored.body)
    partial = ranges.partial_fields(fields, part, length)
    return Reply(206, partial, stored.body[part.start : part.stop])


def fields_of(stored: Stored, now: float, told: str) -> Fields:
    """Return the fields of a stored response as it is served: with Age and Cache-Status."""
    served = stored.fields.replaced("age", str(stored.age(now)))
    return appended(served, told)


async def from_incoming(incoming: Incoming, asked: Asked, told: str) -> Reply:
    """Answer with an upstream's response as it comes in; nothing of it is held."""
    fields = appended(passable(incoming.fields), told)
    if asked.method == "HEAD" or incoming.status in _BODYLESS:
        await incoming.read(0)  # to its end, or its connection could not be used again
        await incoming.aclose()
        return Reply(incoming.status, fields)
    body = _streamed(incoming)
    # Begun, or nobody would close it where the caller has left: not even the garbage collector.
    await anext(body)
    return Reply(incoming.status, fields, body)


async def _streamed(incoming: Incoming) -> AsyncGenerator[bytes]:
    async with incoming:
        yield b""
        async for part in incoming.chunks():
            yield part
