"""Further processes on the cache under test, and nodes that report often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from tests.support.neighbours import Neighbour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def reporting(make_cache: Callable[..., Any]) -> Callable[..., Any]:
    """Make a cache whose nodes report several times a second."""

    def make(**overrides: Any) -> Any:
        options = {"REPORT": 0.1, **overrides.pop("OPTIONS", {})}
        return make_cache(OPTIONS=options, **overrides)

    return make


@pytest.fixture
def neighbours() -> Iterator[Callable[..., list[Neighbour]]]:
    """Start so many further processes with the default cache's settings, changed as given."""
    started: list[Neighbour] = []

    def start(number: int, **changes: Any) -> list[Neighbour]:
        conf = {**settings.CACHES["default"], **changes}
        new = [Neighbour({"default": conf}) for _ in range(number)]
        started.extend(new)
        for each in new:
            each.begin()
        return new

    yield start
    for each in started:
        each.close()
