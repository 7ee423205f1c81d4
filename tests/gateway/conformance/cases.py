"""A case: requests in a row, what the origin answers to each, and what callers get of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tests.gateway.origin import Answer, Origin
from tiercache.http import dates
from tiercache.http.fields import Fields

Headers: TypeAlias = Mapping[str, str | int | list[str]]
"""Values by name: a list for several lines, a number for the date so many seconds from now."""


class Answered(Protocol):
    """What a caller gets."""

    status: int
    fields: Fields
    body: bytes


class Asks(Protocol):
    """What sends a request to a gateway."""

    async def __call__(self, target: str, method: str, fields: Mapping[str, str]) -> Answered:
        """Return the whole answer."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of a case.

    Attributes:
        asks: the fields of the request.
        answers, status: what the origin says, should it be asked.
        is_reused: whether it is not asked.
        gives: the status that the caller gets; the origin's, if None.
        brings: the number of the step whose content the caller gets; its own, if None, or the
            first one's where the origin is not asked.
        shows: fields of what the caller gets; None for what must not be there.
        sends: fields of what the origin is asked with; likewise.
    """

    asks: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    target: str = "/a"
    answers: Headers = field(default_factory=dict)
    status: int = 200
    is_reused: bool = False
    gives: int | None = None
    brings: int | None = None
    shows: Mapping[str, str | None] = field(default_factory=dict)
    sends: Mapping[str, str | None] = field(default_factory=dict)


def reused(**named: object) -> Step:
    """Return a request that is answered without the origin."""
    return Step(is_reused=True, **named)  # type: ignore[arg-type]


async def play(ask: Asks, origin: Origin, steps: Sequence[Step]) -> None:
    """Go through the steps of a case; fail at the first that goes another way."""
    for number, step in enumerate(steps, start=1):
        origin.script = lambda _, step=step, number=number: _answer(step, number)  # type: ignore[misc]
        before = origin.count
        answered = await ask(step.target, step.method, step.asks)
        told = f"step {number}: {answered.status} {list(answered.fields)}"
        assert (origin.count == before) is step.is_reused, told
        _compare(step, number, answered, told)
        if not step.is_reused:
            _agree(origin.asked[-1].fields, step.sends, told)


def _answer(step: Step, number: int) -> Answer:
    headers = {name: _written(value) for name, value in step.answers.items()}
    return Answer(step.status, headers, _content(number))


def _written(value: str | int | list[str]) -> str | list[str]:
    return dates.formatted(time.time() + value) if isinstance(value, int) else value


def _content(number: int) -> bytes:
    return f"content {number}".encode()


def _compare(step: Step, number: int, answered: Answered, told: str) -> None:
    status = step.gives or (200 if step.is_reused else step.status)
    assert answered.status == status, told
    is_own = step.is_reused and status >= 500  # The gateway's, which has nothing to give.
    if step.method != "HEAD" and status not in (204, 304) and not is_own:
        brings = step.brings or (1 if step.is_reused else number)
        assert answered.body == _content(brings), told
    _agree(answered.fields, step.shows, told)


def _agree(fields: Fields, expected: Mapping[str, str | None], told: str) -> None:
    for name, value in expected.items():
        assert fields.get(name.lower()) == value, f"{name} in {told}"
