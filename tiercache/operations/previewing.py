"""What an eviction would remove: counted in Redis and in every memory, and nothing removed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tiercache.backend import TieredCache

from .asking import ask
from .counting import MOST_EXAMPLES, Count, count
from .handles import node_of
from .selecting import Selection

Tier: TypeAlias = Literal["all", "memory"]
"""Redis and the memory of every node, or that memory alone."""

TIERS: Final[tuple[Tier, ...]] = ("all", "memory")

LEAST_WAIT: Final = 0.3
"""Seconds that nodes get to answer, whatever the walk has left."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an eviction would remove.

    Attributes:
        keys: how many keys in Redis; of a tag, the entries that bear it as it is now.
        complete: whether these are all; otherwise there are at least so many.
        scanned, total: how many of about how many keys were looked at.
        examples: some full keys, in Redis or else in memory; 10 at the most.
        copies: how many copies the nodes hold; None if no node has said.
        all_copies: whether these are all; otherwise there are at least so many.
        nodes: how many have said.
        reached: whether Redis answered, where there is one, and for memory alone the nodes as well.
        reason: why not, or what could not be counted.
    """

    keys: int
    complete: bool
    scanned: int
    total: int
    examples: tuple[bytes, ...]
    copies: int | None
    nodes: int
    reached: bool
    reason: str = ""
    all_copies: bool = True

    @property
    def nothing(self) -> bool:
        """Whether it is known that there is nothing to evict."""
        return self.complete and self.all_copies and not self.keys and not self.copies


@dataclass(frozen=True, slots=True)
class _InMemory:
    copies: int | None
    all_copies: bool
    nodes: int
    reached: bool
    reason: str
    examples: tuple[bytes, ...]


def preview(cache: TieredCache, selection: Selection, tier: Tier, budget: float = 1.0) -> Preview:
    """Count what an eviction would remove, within about `budget` seconds; remove nothing.

    Looking marks nothing as used, here or there. Never raises because Redis is away.

    Raises:
        BadSelection: this cache cannot evict it.
    """
    selection.check(cache)
    until = time.monotonic() + budget
    alone, counted = node_of(cache).state == "alone", Count(complete=True)
    if tier == "all" and not alone:
        counted = count(cache, selection, until - LEAST_WAIT)
    held = _in_memory(cache, selection, until)
    return Preview(
        keys=counted.keys,
        complete=counted.complete,
        scanned=counted.scanned,
        total=counted.total,
        examples=tuple(counted.examples) or held.examples,
        copies=held.copies,
        all_copies=held.all_copies,
        nodes=held.nodes,
        reached=alone or (counted.reached if tier == "all" else held.reached),
        reason="" if alone else counted.reason or held.reason,
    )


def _in_memory(cache: TieredCache, selection: Selection, until: float) -> _InMemory:
    """Ask all nodes how many copies they hold, a thousand keys at a time."""
    copies, nodes, reached, reason = 0, 0, True, ""
    examples: dict[bytes, None] = {}
    questions = selection.details(cache)
    complete = True
    for details in questions:
        answers = ask(cache, "bearing", max(until - time.monotonic(), LEAST_WAIT), **details)
        nodes = max(nodes, len(answers.answers))
        reached, reason = reached and answers.reached, reason or answers.reason
        complete &= len(answers.answers) >= answers.asked
        for answer in answers.answers:
            copies += answer["copies"]
            complete &= answer["complete"]
            names = (name.encode(errors="surrogateescape") for name in answer["examples"])
            examples.update(dict.fromkeys(names))
        if time.monotonic() >= until:
            complete &= next(questions, None) is None
            break
    shown = tuple(examples)[:MOST_EXAMPLES]
    return _InMemory(copies if nodes else None, complete, nodes, reached, reason, shown)
