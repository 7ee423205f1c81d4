"""Under which keys reports and history lie in Redis."""

from __future__ import annotations

from ..keys import REPORTS
from .history import LARGE, SMALL


class Places:
    """The keys of one scope: of the nodes of one site on one store.

    Attributes:
        index: ids of the nodes, by when they last reported (a sorted set).
        totals: what all nodes have counted since the first (a hash).
    """

    def __init__(self, scope: str) -> None:
        self._head = f"{REPORTS}{scope}/"
        self.index = f"{self._head}index"
        self.totals = f"{self._head}totals"

    def report(self, node: str) -> str:
        """Return the key of a node's report (a hash)."""
        return f"{self._head}node/{node}"

    def step(self, length: int, number: int) -> str:
        """Return the key of a step of the history (a hash)."""
        return f"{self._head}{length}/{number}"

    def steps_of(self, number: int) -> tuple[str, str]:
        """Return the keys of a small step, and of the large one that it is a part of."""
        return self.step(SMALL, number), self.step(LARGE, number * SMALL // LARGE)
