"""What every adapter says of its rival, and what it gives a part to call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

SYNC: Final = frozenset({"get", "set", "delete"})
"""What every synchronous cache can."""

ASYNC: Final = frozenset({"aget", "aset"})

DJANGO: Final = SYNC | ASYNC | {"django", "objects", "get_many", "incr", "touch", "get_or_set"}
"""What every cache of Django's can; its asynchronous calls may go to a thread."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to cache, and how a part gets at it.

    Attributes:
        name: what tables call it.
        about: what it is, and how it is set up here; a sentence for the page.
        can: names of the calls that it answers, and of traits: "django" (a backend of Django's),
            "objects" (any value, not text alone), "memory" (answers from the process's own
            memory), "redis" (asks a server), "limit" (no cache, what bounds all of them).
        opened: makes what is called, on the server at a URL, and ends it; it is empty at first.
        package: the distribution that it comes from; "" where it is Python's or Django's own.
        python: the oldest Python that it runs on.
        entry: its entry in `CACHES` for a server at a URL; None where it is no Django backend.
        forget: empties the memory in front of its server, so that this is asked again.
    """

    name: str
    about: str
    can: frozenset[str]
    opened: Callable[[str], AbstractContextManager[Any]]
    package: str = ""
    python: tuple[int, int] = (3, 11)
    entry: Callable[[str], dict[str, Any]] | None = None
    forget: Callable[[Any], object] | None = None

    @property
    def missing(self) -> str | None:
        """Why it cannot take part; None if it can."""
        if sys.version_info < self.python:
            needed, given = self.python, sys.version_info
            return (
                f"{self.package} needs Python {needed[0]}.{needed[1]} or later; this is "
                f"{given[0]}.{given[1]}"
            )
        if self.package and self.version is None:
            return f"{self.package} is not installed (benchmarks/requirements.txt)"
        return None

    @property
    def version(self) -> str | None:
        """The version that is installed; None if it has none of its own, or is not there."""
        try:
            return version(self.package) if self.package else None
        except PackageNotFoundError:
            return None
