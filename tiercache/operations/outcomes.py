"""What an eviction has done, and which of the nodes that run have confirmed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tiercache.backend import TieredCache

from .asking import Answers
from .handles import node_of
from .overview import view
from .previewing import Tier

Progress: TypeAlias = Callable[[int], None]
"""Told after each batch how many keys have been removed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an eviction has done.

    Attributes:
        removed: keys removed from Redis; of a tag, 1 if anything could bear it, else 0.
        dropped: copies dropped, where memory alone was evicted, or is all there is; None where
            nobody counted.
        confirmed: ids of the nodes that hold none of it any more.
        silent: ids of those that run by their reports, and have not said so in time.
        asked: how many nodes there are to confirm.
        names: "host:pid" of nodes, by id.
        seconds: from the eviction to the last confirmation.
        reached: whether Redis carried it out.
        journaled: whether it will, once it is back, for what was changed here.
        audited: True, or why there is no row in the audit.
        reason: why Redis did not carry it out, or why nodes could not be asked.
    """

    removed: int
    dropped: int | None
    confirmed: tuple[str, ...]
    silent: tuple[str, ...]
    asked: int
    names: Mapping[str, str]
    seconds: float
    reached: bool
    journaled: bool
    audited: bool | str
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether it was carried out, and every node has confirmed it."""
        return self.reached and len(self.confirmed) >= self.asked


@dataclass(slots=True)
class Tally:
    """What has been done so far.

    Attributes:
        progress: told of it.
        removed, dropped: as in `Outcome`.
        away: why Redis did not carry it out, "" if it did.
        answers: what the nodes have said.
    """

    progress: Progress | None
    removed: int = 0
    dropped: int | None = None
    away: str = ""
    answers: list[Answers] = field(default_factory=list)

    def add(self, removed: int) -> None:
        """Count keys removed from Redis."""
        self.removed += removed
        if self.progress is not None:
            self.progress(self.removed)


def outcome_of(cache: TieredCache, tier: Tier, tally: Tally, *, audited: bool | str) -> Outcome:
    """Return what an eviction has done: what was counted, who has answered, and who has not."""
    node, last = node_of(cache), tally.answers[-1]
    said = [{answer["node"]: answer for answer in each.answers} for each in tally.answers]
    confirmed = sorted(set.intersection(*map(set, said)))
    running = {each.id: f"{each.host}:{each.pid}" for each in view(cache, past=False).running}
    silent = tuple(name for name in running if name not in confirmed)
    heard = {name: f"{each['host']}:{each['pid']}" for part in said for name, each in part.items()}
    unreached = "" if node.state == "alone" else last.reason
    failed = tally.away or (unreached if tier == "memory" else "")
    dropped = tally.dropped
    if tier == "memory":
        dropped = sum(each["dropped"] for part in said for each in part.values())
    return Outcome(
        removed=tally.removed,
        dropped=dropped,
        confirmed=tuple(confirmed),
        silent=silent,
        asked=max(last.asked, len(confirmed) + len(silent)),
        names=running | heard,
        seconds=last.seconds,
        reached=not failed,
        journaled=bool(tally.away and node.health.journal) and not node.visits,
        audited=audited,
        reason=failed or unreached,
    )
