"""django-debug-toolbar's cache panel sees the calls that are made through our caches."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest


@pytest.fixture
def seen(valkey: Any) -> list[dict[str, Any]]:
    """What the panel says of a page and of an asynchronous one."""
    command = [sys.executable, "-m", "tests.support.toolbar_site", valkey.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_panel_counts_calls_hits_and_misses(seen: list[dict[str, Any]]) -> None:
    """One for each call of the site: not those of which ours are made; none after the request."""
    page, _ = seen
    assert page["counts"] == {"set": 1, "get": 2, "get_many": 1, "get_or_set": 1, "delete": 1}
    assert (page["hits"], page["misses"], page["calls"]) == (3, 2, 6)
    assert "djDebug" in page["body"]


def test_asynchronous_pages_work_while_the_panel_watches(seen: list[dict[str, Any]]) -> None:
    _, page = seen
    assert "<body>asynchronous" in page["body"]
