"""What became of each change: when a node's copy was gone, and whether it ever was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

Times = Sequence[tuple[int, float]]
"""Numbers of keys, and when something became of each of them, in the order of the times."""


class Deliveries(NamedTuple):
    """What one node was told of the watched changes.

    Attributes:
        times: when each was written, and the seconds until the node's copy was gone.
        lost: changes after which the node has heard nothing of the key.
    """

    times: list[tuple[float, float]]
    lost: int


def deliveries(written: Times, heard: Times) -> Deliveries:
    """Match what was heard with what was written, key by key.

    Messages come in the order of the writes. So where as many were heard as were written, they
    belong together one by one; otherwise a change counts as delivered by the first that was
    heard of its key afterwards.
    """
    told = _by_key(heard)
    times: list[tuple[float, float]] = []
    lost = 0
    for key, writes in _by_key(written).items():
        hearings = told.get(key, [])
        if len(hearings) == len(writes):
            times += ((at, then - at) for at, then in zip(writes, hearings, strict=True))
            continue
        for at in writes:
            then = next((then for then in hearings if then >= at), None)
            if then is None:
                lost += 1
            else:
                times.append((at, then - at))
    return Deliveries(times, lost)


def stale(held: Sequence[int | None], values: Sequence[int]) -> int:
    """Count the copies that a node holds of something else than what Redis has."""
    return sum(copy is not None and copy != value for copy, value in zip(held, values, strict=True))


def periods(times: Sequence[tuple[float, float]], count: int) -> list[list[float]]:
    """Cut deliveries into so many periods of equal length, by when they were written."""
    if not times:
        return []
    first, last = min(at for at, _ in times), max(at for at, _ in times)
    length = (last - first) / count or 1.0
    parts: list[list[float]] = [[] for _ in range(count)]
    for at, seconds in times:
        parts[min(int((at - first) / length), count - 1)].append(seconds)
    return [sorted(part) for part in parts if part]


def _by_key(times: Times) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for key, at in times:
        found[key].append(at)
    return found
