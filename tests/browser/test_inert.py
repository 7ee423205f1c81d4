"""Whatever lies in Redis is shown, opened and evicted, and nothing of it is ever run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.pages import CACHE, KEYS, PREFIX, key_address, press

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.pages import Pages
    from tests.browser.site import Site

MARKUP = '<img src=x onerror="document.title=1"><script>document.title="run"</script>'
HOSTILE = {
    "markup": f"hostile:{MARKUP}".encode(),
    "attribute": b"hostile:\"'><b onmouseover=alert(1)>",
    "address": b"hostile:a/b?c=d#e%2Ff&g=h",
    "emoji": "hostile:🐙 größer".encode(),
    "long": b"hostile:" + b"x" * 232,
    "bytes": b"hostile:\xff\xfe\x00\x01",
    "bidirectional": "hostile:\u202eexe.txt".encode(),
    "template": b"hostile:{{ settings.SECRET_KEY }}{% debug %}",
}


class Harm:
    """Pickled, it writes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return Path.write_text, (self._file, "run")


def test_a_hostile_pickle_is_shown_and_never_loaded(
    window: Callable[..., Page], pages: Pages, tmp_path: Path
) -> None:
    file = tmp_path / "written"
    raw = pages.plant("harm:1", Harm(file))
    page = window()
    page.goto(f"{KEYS}?q=harm:*")
    page.goto(key_address(raw))

    expect(page.locator("#value ~ .tc-quiet").first).to_contain_text("it was not loaded")
    expect(page.locator(".tc-value")).to_contain_text("write_text")
    assert not file.exists()
    pickle.loads(pickle.dumps(Harm(file)))
    assert file.exists(), "the pickle does no harm, so this test shows nothing"


def test_markup_in_a_value_is_text(window: Callable[..., Page], pages: Pages, site: Site) -> None:
    raw = pages.plant("markup:1", MARKUP)
    page = window()
    page.goto(key_address(raw))
    expect(page.locator(".tc-value")).to_contain_text("<script>")
    assert page.title().startswith("Key")
    expect(page.locator(".tc-value img, .tc-value script")).to_have_count(0)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_key_is_listed_opened_and_evicted(
    name: str, window: Callable[..., Page], site: Site
) -> None:
    raw = PREFIX + HOSTILE[name]
    site.redis.set(raw, pickle.dumps(name), ex=600)
    page = window()
    page.goto(f"{KEYS}?q=hostile:*")
    page.locator(f".tc-keys a[href='{key_address(raw)}']").click()
    expect(page.locator("#whole-key")).to_be_visible()
    press(page, "Evict…")
    expect(page.locator(".tc-said")).to_contain_text("This removes 1 key from Redis")
    press(page, "Evict")

    expect(page.locator(".tc-status")).to_contain_text("1 key removed;")
    assert not site.redis.exists(raw)


def test_markup_in_what_is_searched_for_is_text(window: Callable[..., Page]) -> None:
    page = window()
    page.goto(KEYS)
    page.get_by_label("Key or pattern").fill(f"*{MARKUP}*")
    press(page, "Search")
    expect(page.get_by_label("Key or pattern")).to_have_value(f"*{MARKUP}*")
    expect(page.locator("#content img, #content script")).to_have_count(0)


def test_pages_may_not_be_framed_or_cached_by_others(window: Callable[..., Page]) -> None:
    page = window()
    headers = page.goto(CACHE).headers
    assert headers["x-frame-options"] == "DENY"
    assert "no-store" in headers["cache-control"]
