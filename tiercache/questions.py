"""What operators ask all nodes of a store, and where the answers go: the words, and nothing else.

A question is published on the store's own channel. A node takes it in turn with the changes that it
hears of on the same connection, so an answer acknowledges every change that came before it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .keys import REPLIES

KINDS: Final = ("ping", "holds", "bearing", "drop")
"""Are you there; what do you hold under these keys; how many copies fit; drop those that fit.

What fits is said by one of `CHOICES`; "holds" takes keys alone.
"""

CHOICES: Final = ("keys", "glob", "tag")
"""Full keys, a glob of full keys, the full key of a tag."""

LONGEST: Final = 1024 * 1024
"""Bytes of a question; a longer one is not answered."""

MOST_KEYS: Final = 1000
"""Keys that one question names."""

MOST_BYTES: Final = 128 * 1024
"""Bytes of these keys together: as JSON, each may become six."""

LONGEST_GLOB: Final = 10_000
"""Characters of a glob of full keys: it is tried on all of them by the thread that hears."""

MOST_SHOWN: Final = 200
"""Keys that one question "holds" names."""

ANSWERED_FOR: Final = 10_000
"""Milliseconds for which answers wait for whoever asked."""

_ANSWERS: Final[Mapping[str, Mapping[str, type]]] = {
    "ping": {},
    "holds": {"held": dict},
    "bearing": {"copies": int, "complete": bool, "examples": list},
    "drop": {"dropped": int},
}

# The id becomes a part of the key that answers go to: nobody else's key must fit it.
_ID: Final = re.compile(r"[0-9a-f]{32}")


class Question(NamedTuple):
    """One question.

    Attributes:
        id: of this question alone, 32 hexadecimal digits.
        kind: one of `KINDS`.
        details: what it is about.
    """

    id: str
    kind: str
    details: Mapping[str, Any]

    @classmethod
    def make(cls, kind: str, details: Mapping[str, Any]) -> Question:
        """Make a question that has not been asked before.

        Raises:
            ValueError: it cannot be asked so; the message says what is allowed.
        """
        question = cls(secrets.token_hex(16), kind, details)
        if trouble := question.trouble():
            raise ValueError(trouble)
        return question

    @property
    def reply_key(self) -> str:
        """The key of the list that answers are put into."""
        return REPLIES + self.id

    def said(self) -> bytes:
        """Return the question as it is published, with keys that are no text in it as they are."""
        said = json.dumps([self.id, self.kind, self.details], ensure_ascii=False)
        return said.encode(errors="surrogatepass")

    def trouble(self) -> str:
        """Say why nobody can answer it, "" if one can."""
        if self.kind not in KINDS:
            return f"{self.kind!r} is no question; allowed: {', '.join(KINDS)}"
        if self.kind == "ping":
            return ""
        return _choice_trouble(self.kind, self.details)


def channel(database: int, scope: str) -> str:
    """Return the channel on which one site's nodes on one store are asked.

    The database is a part of it, since Pub/Sub itself does not tell them apart.
    """
    return f"tiercache:ask/{database}/{scope}"


def parse(data: bytes) -> Question | None:
    """Read a question; None if it is none, or none that can be answered."""
    if len(data) > LONGEST:
        return None
    try:
        name, kind, details = json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return None
    if not (isinstance(name, str) and _ID.fullmatch(name) and isinstance(details, dict)):
        return None
    question = Question(name, kind, details) if isinstance(kind, str) else None
    return None if question is None or question.trouble() else question


def read_answer(kind: str, data: bytes) -> dict[str, Any] | None:
    """Read an answer to a question of this kind; None if it is none that can be used."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    expected = {"node": str, "host": str, "pid": int, **_ANSWERS[kind]}
    fits = all(isinstance(answer.get(name), type_) for name, type_ in expected.items())
    return answer if fits else None


def _choice_trouble(kind: str, details: Mapping[str, Any]) -> str:
    given = [name for name in CHOICES if name in details]
    if len(given) != 1 or (kind == "holds" and given != ["keys"]):
        allowed = "keys" if kind == "holds" else f"one of {', '.join(CHOICES)}"
        return f"{kind!r} is asked with {', '.join(given) or 'nothing'}; allowed: {allowed}"
    if given != ["keys"]:
        return _text_trouble(given[0], details[given[0]])
    keys, most = details["keys"], MOST_SHOWN if kind == "holds" else MOST_KEYS
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        return "keys is no list of texts"
    if len(keys) > most:
        return f"{kind!r} is asked about {len(keys)} keys; allowed: at most {most} at once"
    return ""


def _text_trouble(name: str, text: object) -> str:
    if not isinstance(text, str):
        return f"{name} is no text"
    if name == "glob" and len(text) > LONGEST_GLOB:
        return f"the glob has {len(text):,} characters; allowed: at most {LONGEST_GLOB:,}"
    return ""
