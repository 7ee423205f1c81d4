"""The example in docs/http.md does what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from tests.gateway.origin import Origin

DOCUMENT = Path(__file__).parents[2] / "docs" / "http.md"


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin()
    yield server
    server.close()


@pytest.fixture
def page(make_cache: Callable[..., Any], origin: Origin) -> Callable[..., Any]:
    """The example's view, over an origin of the test's own."""
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert "https://example.com" in code
    names: dict[str, Any] = {}
    exec(code.replace("https://example.com", origin.url), names)
    names["cache"] = make_cache("tiered")
    return names["page"]


async def test_what_may_be_stored_is_stored(page: Callable[..., Any], origin: Origin):
    origin.says(cache_control="max-age=60", content_type="text/plain", body=b"hello")
    for _ in range(3):
        response = await page(RequestFactory().get("/a"), "a")
        assert (response.status_code, response.content) == (200, b"hello")
    assert origin.count == 1


@pytest.mark.parametrize("directive", ["private", "no-store", "no-cache"])
async def test_what_may_not_be_stored_is_not(
    page: Callable[..., Any], origin: Origin, directive: str
):
    origin.says(cache_control=directive, content_type="text/plain", etag='"1"')
    for _ in range(3):
        assert (await page(RequestFactory().get("/a"), "a")).content == b"body"
    assert origin.count == 3
