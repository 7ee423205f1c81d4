"""A server behind a proxy that is made ill and well again, one for each module."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.caches import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUDGET = 0.15
"""TIME_BUDGET in these tests, in seconds: a fraction of the default, to be done sooner."""

GRACE = 0.05
"""Seconds by which a call may exceed it."""


@pytest.fixture(scope="module")
def _site() -> Iterator[faults.Site]:
    site = faults.Site()
    yield site
    site.close()


@pytest.fixture
def site(_site: faults.Site) -> faults.Site:
    """The server and its proxy, healthy and empty."""
    _site.begin()
    return _site


@pytest.fixture(params=faults.ALL, ids=lambda fault: fault.__name__)
def fault(request: pytest.FixtureRequest) -> Any:
    """Each fault in turn."""
    return request.param


@pytest.fixture(params=faults.UNANSWERED, ids=lambda fault: fault.__name__)
def outage(request: pytest.FixtureRequest) -> Any:
    """Each fault that keeps reads from being served, in turn."""
    return request.param


@pytest.fixture
def make_exposed(
    site: faults.Site, make_caches: Callable[..., dict[str, Any]]
) -> Callable[..., Any]:
    """Make the default cache on the site, with a small time budget."""

    def make(**options: Any) -> Any:
        options = {"TIME_BUDGET": BUDGET} | options
        return make_caches(default=settings_for("tiered", site.url, OPTIONS=options))["default"]

    return make


@pytest.fixture(autouse=True)
def _no_collection_while_time_is_measured() -> Iterator[None]:
    """To collect the garbage of a whole test run takes several times the grace."""
    gc.disable()
    yield
    gc.enable()
