"""What the operations of a run have promised, and whether it is kept: the oracle of the outages.

It knows of each operation which others were over when it began, and no times; two runs whose
operations stand to each other in the same way are the same to it. Every write writes a value of
its own, so that of each value that is read anywhere its writers are known.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from tiercache.entry import MISSING
from tiercache.steps import Flow

from .outage_model import KEY, OTHER, RENAMED, OutageNode

FIRST = 10
DELTA = 1000
LIFE = 60
"""Seconds that a written value lives; a touched one lives longer."""

Make = Callable[[OutageNode, int], Flow[Any]]

OPERATIONS: dict[str, Make] = {
    "get": lambda node, number: node.read(KEY),
    "get_many": lambda node, number: node.flows.get_many((KEY, OTHER)),
    "set": lambda node, number: node.flows.set(KEY, FIRST + number, LIFE * 1000),
    "set_many": lambda node, number: node.flows.set_many(
        dict.fromkeys((KEY, OTHER), FIRST + number), LIFE * 1000
    ),
    "add": lambda node, number: node.flows.set(KEY, FIRST + number, LIFE * 1000, "NX"),
    "delete": lambda node, number: node.flows.delete((KEY,)),
    "touch": lambda node, number: node.flows.expire(KEY, "TOUCH", 3_600_000, 3_600_000),
    "incr": lambda node, number: node.flows.increment(KEY, DELTA * 2**number),
    "rename": lambda node, number: node.flows.rename(KEY, RENAMED),
    "clear": lambda node, number: node.flows.remove_pattern(":*", lambda key: True),
}
CHANGES = tuple(name for name in OPERATIONS if not name.startswith("get"))
_REPLACES = frozenset({"set", "set_many", "delete", "clear"})
_REPLACES_IF_DONE = frozenset({"add", "incr", "rename"})


def value_of(name: str, result: Any) -> Any:
    """Return what a read found under the key, `MISSING` for what found or reads nothing."""
    if name == "get_many":
        return result.get(KEY, MISSING)
    return result if name == "get" else MISSING


@dataclass
class Act:
    """One operation, as far as promises go.

    Attributes:
        returned_before: which operations had returned when it began.
        settled_before: which of them were known to Redis as well.
        healed: all that it failed to tell Redis has been made good.
        disturbed: its node heard of a change of the key or healed, or time passed, since it began.
        expired: the writes whose values' time was over when it began.
    """

    node: int
    name: str
    began: bool = False
    returned: bool = False
    failed: bool = False
    healed: bool = False
    disturbed: bool = False
    result: Any = None
    returned_before: frozenset[int] = frozenset()
    settled_before: frozenset[int] = frozenset()
    expired: frozenset[int] = frozenset()

    @property
    def settled(self) -> bool:
        return self.returned and (self.healed or not self.failed)

    @property
    def replaces(self) -> bool:
        """Whether no older value may be read once it has returned."""
        if self.name in _REPLACES_IF_DONE:
            return self.returned and self.result is not False and self.result is not MISSING
        return self.name in _REPLACES

    def state(self) -> Hashable:
        return (
            *(self.began, self.returned, self.failed, self.healed, self.disturbed),
            *(str(self.result), self.returned_before, self.settled_before, self.expired),
        )


class Book:
    """The operations of one run."""

    def __init__(self, operations: tuple[tuple[int, str], ...]) -> None:
        self.acts = [Act(node, name) for node, name in operations]
        self.expired: frozenset[int] = frozenset()

    def state(self) -> Hashable:
        return self.expired, tuple([act.state() for act in self.acts])

    def _those(self, holds: Callable[[Act], bool]) -> frozenset[int]:
        return frozenset([number for number, act in enumerate(self.acts) if holds(act)])

    # What happens

    def begin(self, number: int) -> None:
        act = self.acts[number]
        act.began = True
        act.returned_before = self._those(lambda other: other.returned)
        act.settled_before = self._those(lambda other: other.settled)
        act.expired = self.expired

    def fail(self, number: int) -> None:
        self.acts[number].failed, self.acts[number].healed = True, False

    def end(self, number: int, result: Any) -> None:
        self.acts[number].returned, self.acts[number].result = True, result

    def disturb(self, node: int, *, healed: bool = False) -> None:
        """Note that a node has heard of a change of the key, or that it has healed."""
        for act in self.acts:
            if act.node == node and act.began:
                act.disturbed = True
                act.healed = act.healed or (healed and act.failed)

    def let_time_pass(self, *, all_known: bool) -> None:
        """Note that what has been written until now must not be read any more.

        That is known unless a write may still be carried out, or give a value more time.
        """
        for act in self.acts:
            act.disturbed = act.disturbed or act.began
        if all_known and all(act.name != "touch" for act in self.acts):
            self.expired = self._those(lambda act: act.returned)

    # What must not be

    def replaced(self, value: Any, changes: frozenset[int]) -> int | None:
        """Return which of these changes a value should be gone by, or None.

        It should if all of its writers were over when the change began: known to Redis, or
        returned on the same node.
        """
        writers = set(self._writers(value))
        for number in sorted(changes - writers):
            change = self.acts[number]
            if change.replaces and all(
                writer in change.settled_before
                or (self.acts[writer].node == change.node and writer in change.returned_before)
                for writer in writers
            ):
                return number
        return None

    @staticmethod
    def _writers(value: Any) -> Iterator[int]:
        """Yield who wrote a value, or added to it; nobody did to the one of the beginning."""
        sums, base = divmod(value, DELTA)
        if FIRST <= base < FIRST + 10:
            yield int(base) - FIRST
        yield from (bit for bit in range(10) if int(sums) >> bit & 1)

    def wrong_in_redis(self, value: Any) -> list[str]:
        """Judge what Redis holds: nothing that a change which is settled has replaced."""
        by = self.replaced(value, self._those(lambda act: act.settled))
        return [] if by is None else [f"Redis has {value}, which operation {by} has replaced"]

    def wrong_read(self, number: int) -> list[str]:
        """Judge what an operation read: nothing that its node had replaced when it began."""
        act = self.acts[number]
        value = value_of(act.name, act.result)
        if value is MISSING:
            return []
        by = self.replaced(
            value,
            frozenset([past for past in act.returned_before if self.acts[past].node == act.node]),
        )
        if by is not None:
            return [f"operation {number} read {value}, which operation {by} had replaced here"]
        if ended := act.expired & set(self._writers(value)):
            return [f"operation {number} read {value}, whose time was over: {sorted(ended)}"]
        return []

    def own_writes(self, node: int) -> Iterator[tuple[int, int]]:
        """Yield the writes that only this node knows of, and that it must answer with."""
        for number, act in enumerate(self.acts):
            if (
                act.node == node
                and act.name in ("set", "set_many", "add")
                and act.replaces
                and (act.returned, act.failed, act.disturbed) == (True, True, False)
                and all(
                    other in act.returned_before
                    for other, each in enumerate(self.acts)
                    if each.node == node and each.began and each.name in CHANGES and each is not act
                )
            ):
                yield number, FIRST + number
