"""What the site's views and tasks do: call the cache, and report which process did."""

from __future__ import annotations

import os
import time
from typing import Any

from django.core.cache import cache

PAUSE = 0.01
"""Seconds that a request keeps its process busy, so that the next one goes to another."""


def work(operation: str, *arguments: Any) -> dict[str, Any]:
    """Carry out an operation of the cache."""
    before = report(str(arguments[0]))
    return {**before, "answer": getattr(cache, operation)(*arguments)}


async def awork(operation: str, *arguments: Any) -> dict[str, Any]:
    """The same with the asynchronous operation."""
    before = report(str(arguments[0]))
    return {**before, "answer": await getattr(cache, f"a{operation}")(*arguments)}


def report(key: str) -> dict[str, Any]:
    """Say who this is, whether it hears the others, and whether it holds a copy of the key."""
    from tests.hosts import used

    time.sleep(PAUSE)
    return {
        "pid": os.getpid(),
        "node": cache._node.id,
        "imported_by": used.PID,
        "node_then": used.NODE,
        "backplane": cache.stats().backplane,
        "held": cache.make_key(key) in cache._node.memory.entries,
        "edition": _edition(),
    }


def _edition() -> int:
    """The number in a file that a test edits while the site runs."""
    try:
        from hosts_edited import EDITION
    except ImportError:
        return 0
    return int(EDITION)
