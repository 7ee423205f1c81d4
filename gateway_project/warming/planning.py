"""Which requests warm up what: each address once, in each variant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from gateway_project.problems import ProblemError
from gateway_project.routing.query import RefusedQuery
from gateway_project.routing.table import Table
from gateway_project.serving.asked import Asked
from gateway_project.serving.exchange import Exchange, exchange, matched
from gateway_project.warming.lists import Line, Mistake
from tiercache.http.conditional import CONDITIONAL
from tiercache.http.fields import Fields, is_token
from tiercache.http.requests import BadRequest
from tiercache.http.targets import BadTarget

MOST: Final = 200_000
"""Requests that one run may have: each takes about 1 KiB of memory."""

_WHOLE: Final = re.compile(r"https?://[^/?#]+([/?].*)?", re.IGNORECASE)
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
# Who sends these gets an answer of their own, which is nobody else's.
_OWN: Final = CONDITIONAL | {"authorization"}
# Every request has a host (RFC 9112, 3.2); which one changes nothing here.
_HOST: Final = ("host", "localhost")


class BadVariant(ValueError):
    """A header field that no warm-up can send; the message says why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request that is to be made.

    Attributes:
        url: as the gateway is asked for it.
        variant: the header line that makes it another one; None if there is none.
        exchange: what the engine is asked.
    """

    url: str
    variant: str | None
    exchange: Exchange

    @property
    def pool(self) -> str:
        """The name of the pool that is asked."""
        return self.exchange.route.pool

    @property
    def name(self) -> str:
        """What stands for it in a journal: its key, and the fields that may choose its variant."""
        text = repr((self.exchange.place.key, tuple(self.exchange.sent)))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def __str__(self) -> str:
        return self.url if self.variant is None else f"{self.url} ({self.variant})"


@dataclass(frozen=True, slots=True)
class Variants:
    """The fields of the requests: those of all of them, and one that differs in each."""

    common: Fields = Fields()  # noqa: RUF009 - a value, never changed
    each: tuple[str | None, ...] = (None,)

    @classmethod
    def of(cls, table: Table, headers: Sequence[str], variants: Sequence[str]) -> Variants:
        """Return what `--header` and `--variant` name.

        Raises:
            BadVariant: one is no header line, or of a field that no route hands on.
        """
        allowed = {name for route in table.routes for name in (*route.pass_headers, *route.vary)}
        common = Fields(_field(line, allowed - _OWN) for line in headers)
        for line in variants:
            _field(line, allowed - _OWN)
        return cls(common, tuple(dict.fromkeys(variants)) or (None,))

    def fields(self) -> Iterator[tuple[str | None, Fields]]:
        """Yield each variant's line with all fields of its requests."""
        for line in self.each:
            own = [] if line is None else [_split(line)]
            names = {name.lower() for name, _ in own}
            yield line, Fields([_HOST, *self.common.without(names), *own])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked, each once, and the addresses that cannot be."""

    visits: tuple[Visit, ...]
    mistakes: tuple[Mistake, ...]


def plan(table: Table, lines: Iterable[Line], variants: Variants) -> Plan:
    """Return the requests for some addresses; of those that share an answer, the first."""
    visits: dict[str, Visit] = {}
    mistakes: list[Mistake] = []
    fields = tuple(variants.fields())
    for line in lines:
        try:
            for variant, one in fields:
                visit = Visit(line.text, variant, _exchange(table, line.text, one))
                visits.setdefault(visit.name, visit)
        except (BadTarget, BadRequest, RefusedQuery, ProblemError) as exc:
            said = exc.detail if isinstance(exc, ProblemError) else str(exc)
            mistakes.append(Mistake(line.place, line.number, f"{line.text[:200]!r}: {said}"))
        if len(visits) > MOST:
            said = (
                f"There are more than {MOST} requests up to here; allowed: fewer, in several runs."
            )
            return Plan((), (Mistake(line.place, line.number, said),))
    return Plan(tuple(visits.values()), tuple(mistakes))


def _exchange(table: Table, url: str, fields: Fields) -> Exchange:
    path, _, query = _target(url).partition("?")
    asked = Asked("GET", path.encode(), query.encode(), fields)
    found, pairs = matched(table, asked)
    if found.route.tenant:
        raise BadTarget(
            f"the route {found.route.name!r} keeps answers for each API key on its own "
            '(tenant = "key"), so there is none to warm up for all'
        )
    return exchange(asked, found, pairs)


def _target(url: str) -> str:
    if "#" in url:
        raise BadTarget("what is behind '#' never reaches a server; leave it out")
    if url.startswith("/"):
        return url
    match = _WHOLE.fullmatch(url)
    if match is None:
        raise BadTarget("an address begins with '/', 'http://' or 'https://'")
    target = match[1] or "/"
    return target if target.startswith("/") else f"/{target}"


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value


def _field(line: str, allowed: set[str]) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not is_token(name) or not _VALUE.fullmatch(value.strip()):
        raise BadVariant(f"{line!r} is no header line; allowed: such as 'Accept-Language: de'.")
    if name.lower() not in allowed:
        raise BadVariant(
            f"{name!r} changes no answer that is shared; allowed are {', '.join(sorted(allowed))}."
        )
    return name, value
