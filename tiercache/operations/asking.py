"""Ask every node of a store something, and wait for the answers, but not for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from tiercache.backend import TieredCache
from tiercache.exceptions import RedisAway, TierCacheError
from tiercache.questions import Question, read_answer

from .handles import node_of, send

MOST_ANSWERS: Final = 1000
"""Answers that are fetched at once."""

FIRST_PAUSE: Final = 0.0005
LONGEST_PAUSE: Final = 0.016
"""Seconds between two looks for answers, at first and at the most."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back.

    Attributes:
        asked: how many nodes the question reached.
        answers: theirs, in the order in which they came, each with "node", its id, and "host" and
            "pid" (`Answering.answer`).
        seconds: from the question to the last answer.
        reached: whether the nodes were asked through Redis; otherwise this process alone has
            answered, or nobody, where it is a command's.
        reason: why not.
    """

    asked: int
    answers: list[dict[str, Any]]
    seconds: float
    reached: bool = True
    reason: str = ""


class _Refused(TierCacheError):
    """Nobody listens, or this Redis user may not ask."""


def ask(cache: TieredCache, kind: str, wait: float = 1.0, **details: Any) -> Answers:
    """Ask all nodes of a cache's store; return when all have answered, or `wait` is over.

    Each answers in turn with the changes that it hears of, so an answer acknowledges every change
    that Redis had carried out before. This process answers here if it has not there: it may have
    lost its ear. Without Redis it is the only one. Never raises because Redis is away.

    Args:
        kind: one of `questions.KINDS`.
        wait: seconds. Where Redis falls silent meanwhile, a time budget is added.
        details: what it is about: `keys`, `glob` or `tag`.

    Raises:
        ValueError: it cannot be asked so.
    """
    question, began = Question.make(kind, details), time.monotonic()
    asked, reason, last = 0, "", began
    answers: list[dict[str, Any]] = []
    try:
        asked = _published(cache, question)
        for answer in _collected(cache, question, asked, began + wait):
            answers.append(answer)
            last = time.monotonic()
    except (RedisAway, _Refused) as exc:
        reason = str(exc)
    answers += _own(cache, question, answers)
    asked = max(asked, len(answers))
    return Answers(asked, answers, last - began, reached=not reason, reason=reason)


def _own(
    cache: TieredCache, question: Question, answers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return this process's answer, unless it is there, or this is no node."""
    node = node_of(cache)
    if node.visits or any(answer["node"] == node.id for answer in answers):
        return []
    return [node.answer(question)]


def _published(cache: TieredCache, question: Question) -> int:
    """Put the question; return how many nodes it has reached."""
    channel = node_of(cache).asked_on()
    if channel is None:
        raise _Refused("its nodes do not listen to each other")
    (reply,) = send(cache, ("PUBLISH", channel, question.said()))
    return int(_checked("PUBLISH", reply))


def _collected(
    cache: TieredCache, question: Question, asked: int, until: float
) -> Iterator[dict[str, Any]]:
    """Yield answers as they come.

    By looking again and again: to block (BLPOP) would keep a connection from the site's own calls,
    which may have no other.
    """
    came, pause = 0, FIRST_PAUSE
    while came < asked and (left := until - time.monotonic()) > 0:
        (reply,) = send(cache, ("LPOP", question.reply_key, MOST_ANSWERS))
        texts = _checked("LPOP", reply) or []
        for text in texts:
            came += 1
            answer = read_answer(question.kind, text)
            if answer is not None:
                yield answer
        if not texts:
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)


def _checked(command: str, reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        raise _Refused(f"this Redis user cannot use {command} here: {reply}") from reply
    return reply
