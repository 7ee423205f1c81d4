"""What the judge is told of a fault, and what it says of the reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.coherence_history import quantile


@dataclass(frozen=True, slots=True)
class Window:
    """A time for which the server was taken away.

    Attributes:
        gone: when that began.
        lifted: just before it ended.
        back: just after.
    """

    gone: int
    lifted: int
    back: int


@dataclass(slots=True)
class Verdict:
    """How stale reads were, and which were wrong, as text.

    Attributes:
        checked: how many were judged.
        alone: how many of them were answered in an outage of their node.
        stale: by how many milliseconds the stale ones were stale, in rising order.
        excused: how many were stale by more than the fixed bound while the machine stood still.
        beyond: those beyond the bound.
        own: those that were older than the node's own write.
        lost: misses of what the node had written in an outage.
        miscounted: what is wrong with counters, but for single reads of them.
    """

    checked: int = 0
    alone: int = 0
    stale: list[float] = field(default_factory=list)
    excused: int = 0
    beyond: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """All that breaks a promise."""
        return [*self.beyond, *self.own, *self.lost, *self.miscounted]

    def __str__(self) -> str:
        """Show the distribution."""
        share = len(self.stale) / max(self.checked, 1)
        return (
            f"{self.checked} reads checked ({self.alone} in an outage), {len(self.stale)} "
            f"({share:.2%}) stale by p50 {quantile(self.stale, 0.5):.2f} ms, "
            f"p99 {quantile(self.stale, 0.99):.2f} ms, max {quantile(self.stale, 1):.2f} ms; "
            f"{len(self.beyond)} beyond the bound, {len(self.own)} older than an own write, "
            f"{len(self.lost)} own writes lost, {len(self.miscounted)} miscounted"
        )
