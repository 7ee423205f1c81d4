"""What a node answers to an operator's question: about its own memory tier, in bounded time."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, TypeAlias

from .entry import KEPT, MOLDED, SERIALIZED, Entry, end
from .keys import is_internal, matcher
from .memory import MemoryTier
from .questions import ANSWERED_FOR, Question, parse

logger = logging.getLogger("tiercache")

LOOK: Final = 0.05
"""Seconds that counting may take: meanwhile the node hears of no change."""

AT_A_TIME: Final = 128
"""Entries between two looks at the clock."""

MOST_EXAMPLES: Final = 10

MOST_TAGS: Final = 32
"""Tags of one entry that are told of."""

LONGEST_ANSWER: Final = 512 * 1024
"""Characters of an answer; a longer one leaves the tags out."""

_Fits: TypeAlias = Callable[[str], bool]


class Answering:
    """Answers for one node.

    Args:
        node_id: the node's id.
        memory: its memory tier. Looking marks nothing as used.
        clock: that tier's clock, in seconds.
    """

    def __init__(self, node_id: str, memory: MemoryTier, clock: Callable[[], float]) -> None:
        self._node_id = node_id
        self._memory = memory
        self._clock = clock

    def hear(self, data: bytes) -> list[tuple[Any, ...]]:
        """Return the commands that answer what was published, none to what is no question.

        Never raises: this is the thread that hears of changes.
        """
        question = parse(data)
        if question is None:
            logger.debug(
                "tiercache.question.ignored: %r",
                data[:200],
                extra={"event": "tiercache.question.ignored"},
            )
            return []
        try:
            answer = _as_text(self.answer(question))
        except Exception:
            # Whatever it was, the subscription must not be lost for it.
            logger.exception(
                "tiercache.question.failed: %s",
                question.kind,
                extra={"event": "tiercache.question.failed"},
            )
            return []
        key = question.reply_key
        return [("RPUSH", key, answer), ("PEXPIRE", key, ANSWERED_FOR)]

    def answer(self, question: Question) -> dict[str, Any]:
        """Return the answer as plain data: whose it is, and what was asked for.

        - "ping": nothing more.
        - "holds": "held": for each key that is held "left" (seconds that it is fresh, None: for
          ever), "grace" (seconds of grace after that), "bytes", "form" ("value" or "serialized"),
          "tags" (numbers by full key).
        - "bearing": "copies", "complete" (False: there may be more), "examples" (full keys).
        - "drop": "dropped": how many fresh copies.
        """
        details = question.details
        who = {"node": self._node_id, "host": socket.gethostname(), "pid": os.getpid()}
        match question.kind:
            case "holds":
                return who | {"held": self._held(details["keys"])}
            case "bearing":
                return who | self._count(details)
            case "drop":
                return who | {"dropped": self._drop(details)}
            case _:
                return who

    def _held(self, keys: list[str]) -> dict[str, Any]:
        now, entries = self._clock(), self._memory.entries
        found = ((key, entries.get(key)) for key in keys)
        return {
            key: _described(entry, now)
            for key, entry in found
            if entry is not None and now < end(entry)
        }

    def _count(self, details: Any) -> dict[str, Any]:
        copies, complete = 0, True
        examples: list[str] = []
        over = self._clock() + LOOK
        fits = None if "keys" in details else self._fits(details)
        # list() over a dict runs no Python code, so nobody changes it meanwhile.
        names = iter(details["keys"] if fits is None else list(self._memory.entries))
        while part := list(islice(names, AT_A_TIME)):
            own = [key for key in part if (fits is None or fits(key)) and self._is_copy(key)]
            copies += len(own)
            examples += own[: MOST_EXAMPLES - len(examples)]
            if self._clock() > over:
                complete = next(names, None) is None
                break
        return {"copies": copies, "complete": complete, "examples": examples}

    def _drop(self, details: Any) -> int:
        if "keys" in details:
            return sum(self._memory.invalidate(key) for key in details["keys"])
        fits = self._fits(details)
        dropped = self._memory.invalidate_where(lambda key: fits(key) and not is_internal(key))
        # Numbers of tags are copies as well, but none that anybody counts.
        self._memory.invalidate_where(lambda key: is_internal(key) and fits(key))
        return dropped

    def _fits(self, details: Any) -> _Fits:
        return matcher(details["glob"]) if "glob" in details else self._bears(details["tag"])

    def _bears(self, tag: str) -> _Fits:
        entries = self._memory.entries

        def bears(key: str) -> bool:
            entry = entries.get(key)
            return entry is not None and any(name == tag for name, _ in _tags(entry))

        return bears

    def _is_copy(self, key: str) -> bool:
        entry = self._memory.entries.get(key)
        return entry is not None and self._clock() < end(entry) and not is_internal(key)


def _tags(entry: Entry) -> tuple[tuple[str, int], ...]:
    tags: tuple[tuple[str, int], ...] = entry.held.meta.tags if entry.form & KEPT else ()
    return tags


def _described(entry: Entry, now: float) -> dict[str, Any]:
    deadline, until = entry.deadline, end(entry)
    return {
        "left": None if deadline == float("inf") else max(deadline - now, 0.0),
        "grace": 0.0 if until <= deadline else until - max(deadline, now),
        "bytes": entry.size,
        "form": "serialized" if entry.form & (SERIALIZED | MOLDED) else "value",
        "tags": dict(_tags(entry)[:MOST_TAGS]),
    }


def _as_text(answer: dict[str, Any]) -> str:
    text = json.dumps(answer)
    if len(text) > LONGEST_ANSWER:
        held = {key: {**each, "tags": {}} for key, each in answer.get("held", {}).items()}
        text = json.dumps({**answer, "held": held})
    return text
