"""A dictionary: what a look-up in Python costs, and no cache can be faster than."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .rival import Rival


class Dictionary(dict[str, Any]):
    """`dict`, with a way to store that is called as a cache's."""

    set = dict.__setitem__
    delete = dict.__delitem__


@contextmanager
def opened(url: str) -> Iterator[Any]:  # noqa: ARG001 - it needs no server
    """Make an empty one."""
    yield Dictionary()


RIVAL = Rival(
    name="dict",
    about="`dict.get`, the limit of Python: no copies, no expiry, no bound",
    can=frozenset({"get", "objects", "memory", "limit"}),
    opened=opened,
)
