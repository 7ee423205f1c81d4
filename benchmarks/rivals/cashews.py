"""cashews, from memory; it has asynchronous calls alone, and is no Django backend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .rival import Rival
from .site import ENTRIES, TIMEOUT


class Cashews:
    """cashews under the names of Django's calls; each is its own coroutine, with no other around.

    Args:
        size: how many entries it may hold.
    """

    def __init__(self, size: int) -> None:
        from cashews import Cache

        made = Cache()
        made.setup("mem://", size=size, check_interval=0)
        self.aget = made.get
        self._set = made.set

    def aset(self, key: str, value: Any) -> Any:
        """Write a value, with the timeout that all have."""
        return self._set(key, value, expire=TIMEOUT)


@contextmanager
def opened(url: str) -> Iterator[Any]:  # noqa: ARG001 - it needs no server
    """Make an empty one."""
    yield Cashews(ENTRIES)


RIVAL = Rival(
    name="cashews",
    about="its memory backend, without its look for expired entries once a second",
    can=frozenset({"aget", "aset", "objects", "memory"}),
    opened=opened,
    package="cashews",
)
