"""Leave Django's suite out where it could not be fetched; in CI that is a failure instead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore_glob = (
    ["test_django_*.py"] if settings.DJANGO_SUITE is None and "CI" not in os.environ else []
)


@pytest.fixture(autouse=True)
def _database_as_under_djangos_runner(django_db_blocker: Any) -> Iterator[None]:
    """Let a response that ends close old database connections, as Django's own runner does.

    pytest-django blocks that too; Django's test cases keep their own guard against queries.
    """
    with django_db_blocker.unblock():
        yield
