"""Which keys are asked for most: a sample, of the last quarter of an hour, in bounded room."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from .cluster import Top

SLOT: Final = 180.0
"""Seconds after which counting begins anew; `SLOTS` of them are looked back upon."""

SLOTS: Final = 5

MOST: Final = 2000
"""Names that one slot counts; past it the rarer half is forgotten."""

SHOWN: Final = 20
"""Names that are told."""

SECRET: Final = ("django.contrib.sessions.",)
"""What keys begin with that are as good as a password: they are counted by namespace alone."""

# What Django itself puts in front of the keys that it makes.
_DJANGOS: Final = re.compile(
    r"views\.decorators\.cache\.cache_(?:page|header)|template\.cache|"
    r"django\.contrib\.sessions\.[a-z_]+?(?=[0-9a-z]{32}$)"
)
_FIRST: Final = re.compile(r"/?[^:/|#?.]+[:/|#?.]")


def namespace_of(key: str) -> str:
    """Return what a key begins with, up to its first separator; all of it if it has none.

    Args:
        key: as the code names it, without prefix and version.
    """
    match = _DJANGOS.match(key)
    if match:
        return f"{match[0]}*"
    match = _FIRST.match(key)
    return f"{match[0]}*" if match and match.end() < len(key) else key


class Ranking:
    """Counts sampled keys and their namespaces. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: deque[tuple[float, Counter[str], Counter[str]]] = deque(maxlen=SLOTS)

    def count(self, keys: Iterable[str], now: float) -> None:
        """Count keys that were asked for at about this time of the clock."""
        with self._lock:
            if not self._slots or now >= self._slots[-1][0] + SLOT:
                self._slots.append((now, Counter(), Counter()))
            _, by_key, by_namespace = self._slots[-1]
            for key in keys:
                by_namespace[namespace_of(key)] += 1
                if not key.startswith(SECRET):
                    by_key[key] += 1
            for counter in (by_key, by_namespace):
                if len(counter) > MOST:
                    for name, _ in counter.most_common()[MOST // 2 :]:
                        del counter[name]

    def top(self, now: float, one_in: int) -> Top:
        """Return what was asked for most; `one_in` says of how many hits one was looked at."""
        by_key, by_namespace = Counter[str](), Counter[str]()
        with self._lock:
            slots = [slot for slot in self._slots if now < slot[0] + SLOT * SLOTS]
            for _, keys, namespaces in slots:
                by_key.update(keys)
                by_namespace.update(namespaces)
        sampled = by_namespace.total()
        return Top(
            keys=_shares(by_key, sampled),
            namespaces=_shares(by_namespace, sampled),
            sampled=sampled,
            one_in=one_in,
            seconds=now - slots[0][0] if slots else 0.0,
        )


def merged(tops: Iterable[Top]) -> Top:
    """Return what several nodes' rankings say together."""
    tops = [top for top in tops if top.sampled]
    keys, namespaces = Counter[str](), Counter[str]()
    for top in tops:
        for name, share in top.keys:
            keys[name] += round(share * top.sampled)
        for name, share in top.namespaces:
            namespaces[name] += round(share * top.sampled)
    sampled = sum(top.sampled for top in tops)
    if not tops:
        return Top()
    return Top(
        keys=_shares(keys, sampled),
        namespaces=_shares(namespaces, sampled),
        sampled=sampled,
        one_in=tops[0].one_in,
        seconds=max(top.seconds for top in tops),
    )


def _shares(counter: Counter[str], total: int) -> tuple[tuple[str, float], ...]:
    return tuple((name, count / total) for name, count in counter.most_common(SHOWN))
