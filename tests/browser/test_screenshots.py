"""Pictures of the pages, for the documentation and for whoever changes a page: look at them.

They are made where TIERCACHE_SCREENSHOTS names a folder, after a minute of load, or after as many
seconds as TIERCACHE_SCREENSHOTS_SECONDS says: the longer, the more there is in the charts.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.load import Load, busy
from tests.browser.pages import AUDIT, BASE, TAG, key_address, press

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.site import Site

FOLDER = os.environ.get("TIERCACHE_SCREENSHOTS")
SECONDS = float(os.environ.get("TIERCACHE_SCREENSHOTS_SECONDS", "60"))
PAUSE = 0.02
LONG = ("overview", "cache")
"""The pages that are shown in whole, not just as far as a screen goes."""

SHOP = f"{BASE}c/shop/"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}},
}


@pytest.mark.skipif(not FOLDER, reason="TIERCACHE_SCREENSHOTS names no folder for them")
@pytest.mark.timeout(SECONDS + 240)
def test_pictures_are_made(window: Callable[..., Page], site: Site) -> None:
    folder = Path(FOLDER or "")
    folder.mkdir(parents=True, exist_ok=True)
    with Load(site.url, busy, PAUSE):
        threading.Event().wait(SECONDS)  # the charts' time axis is what takes so long
        site.manage("cache_evict", "--cache", "shop", "--tag", "menus", "--yes")
        evict(window("deputy"), "basket:*")
        for look, options in LOOKS.items():
            page = window(**options)
            for name in visit(page):
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=name in LONG)


def evict(page: Page, pattern: str) -> None:
    page.goto(f"{SHOP}evict/?pattern={pattern}")
    press(page, "Preview")
    press(page, "Evict")


def visit(page: Page) -> Any:
    """Open each page in turn; yield its name."""
    for name, address in {
        "overview": BASE,
        "cache": SHOP,
        "keys": f"{SHOP}keys/?q=product:1?",
        "key": key_address(b"shop:1:product:1", SHOP),
        "evict": f"{SHOP}evict/",
    }.items():
        page.goto(address)
        yield name
    page.get_by_role("radio", name=TAG).check()
    page.locator("#id_tag").fill("department:3")
    press(page, "Preview")
    yield "preview"
    press(page, "Evict")
    yield "outcome"
    page.goto(AUDIT)
    yield "audit"
