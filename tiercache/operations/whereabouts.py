"""Which nodes hold copies of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiercache.questions import Question

from . import overview
from .asking import ask
from .names import held_name

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

MOST_KEYS: Final = 200
"""Keys that nodes are asked about at once."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What one node's memory holds of a key.

    Attributes:
        node, host, pid: whose memory it is.
        here: whether it is this process's.
        left: seconds until its timeout, 0 if that is over; None for ever.
        grace: seconds for which it may be served stale after that.
        size: bytes that it accounts for.
        form: "value" (handed out as it is) or "serialized".
        tags: numbers by full key.
    """

    node: str
    host: str
    pid: int
    here: bool
    left: float | None
    grace: float
    size: int
    form: str
    tags: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the nodes said.

    Attributes:
        asked: how many nodes were asked.
        answered: the ids of those that did.
        copies: by full key.
    """

    asked: int
    answered: tuple[str, ...]
    copies: Mapping[bytes, tuple[Copy, ...]]


NOWHERE: Final = Whereabouts(0, (), {})
"""What is known where nobody was asked."""


def everywhere(cache: TieredCache, raws: Sequence[bytes], wait: float) -> Whereabouts:
    """Ask all nodes which of these keys they hold; wait for their answers `wait` seconds.

    Where none can be asked, this process answers alone. Never raises because Redis is away.
    """
    raws = raws[:MOST_KEYS]
    heard = ask(cache, "holds", wait, keys=[held_name(raw) for raw in raws])
    return _told(cache, raws, heard.asked, heard.answers)


def here(cache: TieredCache, raws: Sequence[bytes]) -> Whereabouts:
    """Tell what this process's memory holds of these keys; a command's holds nothing."""
    node, raws = cache._node, raws[:MOST_KEYS]
    question = Question.make("holds", {"keys": [held_name(raw) for raw in raws]})
    answers = [] if node.visits else [node.answer(question)]
    return _told(cache, raws, len(answers), answers)


def untrusted(cache: TieredCache) -> tuple[str, ...]:
    """Return the nodes whose memory is not trusted now, since they hear of no changes."""
    view = overview.view(cache, past=False)
    lost = (node for node in view.running if view.reached and node.backplane == "lost")
    return tuple(f"{node.host} ({node.pid})" for node in lost)


def _told(
    cache: TieredCache, raws: Sequence[bytes], asked: int, answers: Iterable[Mapping[str, Any]]
) -> Whereabouts:
    answers, own = list(answers), cache._node.id
    copies = {raw: _copies(held_name(raw), answers, own) for raw in raws}
    answered = tuple(str(answer["node"]) for answer in answers)
    return Whereabouts(asked, answered, copies)


def _copies(key: str, answers: list[Mapping[str, Any]], own: str) -> tuple[Copy, ...]:
    return tuple(
        _copy(answer, answer["held"][key], own) for answer in answers if key in answer["held"]
    )


def _copy(answer: Mapping[str, Any], held: Mapping[str, Any], own: str) -> Copy:
    return Copy(
        node=answer["node"],
        host=answer["host"],
        pid=answer["pid"],
        here=answer["node"] == own,
        left=held["left"],
        grace=held["grace"],
        size=held["bytes"],
        form=held["form"],
        tags=held["tags"],
    )
