"""The values and keys that several parts use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

TEXT: Final = "x" * 100

ITEMS: Final = 2_000
"""How many keys a sample has whose calls need one each; fewer than any rival's memory holds."""


def small() -> dict[str, Any]:
    """Return a dict as a view might keep one."""
    return {"symbol": "AAPL", "close": 130.31, "days": [1, 2, 3]}


def page() -> Any:
    """Return what `cache_page` stores for a page of 5 KB; Django has to be set up."""
    from django.http import HttpResponse

    made = HttpResponse("x" * 5000)
    made.headers["ETag"] = '"5d41402abc4b2a76b9719d911017c592"'
    return made


def keys(name: str, count: int) -> list[str]:
    """Return keys that differ from those of another name."""
    return [f"{name}:{number:07d}" for number in range(count)]


def store_all(cache: Any, items: Sequence[str]) -> None:
    """Write a text under each of these keys, in few round trips where the cache can."""
    if hasattr(cache, "set_many"):
        cache.set_many(dict.fromkeys(items, TEXT))
    else:
        for item in items:
            cache.set(item, TEXT)
