"""The pages of an operator, each reached as an operator reaches it."""

from __future__ import annotations

import base64
import pickle
import re
from typing import TYPE_CHECKING, Final

from tests.browser.load import popular

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

    from tests.browser.site import Site

BASE: Final = "/admin/tiercache/"
CACHE: Final = f"{BASE}c/default/"
KEYS: Final = f"{CACHE}keys/"
EVICT: Final = f"{CACHE}evict/"
AUDIT: Final = f"{BASE}audit/"
PREFIX: Final = b"gateway:1:"

NAMES: Final = (
    "overview",
    "cache",
    "keys",
    "key",
    "evict",
    "preview",
    "clear",
    "outcome",
    "audit",
)
"""All pages, by name."""


def key_address(raw: bytes, cache: str = CACHE) -> str:
    """Return where the page of a full key is."""
    return f"{cache}key/?k={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


class Pages:
    """Shows the pages of a site, and sees to it that there is something on each."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def plant(self, name: str, value: object = "value", seconds: int = 600) -> bytes:
        """Store a value in Redis under a key as the code names it; return the full key."""
        raw = PREFIX + name.encode()
        self._site.redis.set(raw, pickle.dumps(value), ex=seconds)
        return raw

    def show(self, page: Page, name: str) -> Response:
        """Open a page by its name; return the answer that brought it."""
        self._site.ask(popular(None))
        return getattr(self, f"_{name}")(page)

    def preview(self, page: Page, choice: str, text: str) -> Response:
        """Say what is to be evicted, and look at the preview."""
        page.goto(EVICT)
        page.get_by_role("radio", name=choice).check()
        if text:
            page.locator(f"#{FIELDS[choice]}").fill(text)
        return press(page, "Preview")

    def _overview(self, page: Page) -> Response:
        return page.goto(BASE)

    def _cache(self, page: Page) -> Response:
        return page.goto(CACHE)

    def _keys(self, page: Page) -> Response:
        self.plant("shown:1")
        return page.goto(f"{KEYS}?q=*")

    def _key(self, page: Page) -> Response:
        return page.goto(key_address(self.plant("shown:1", {"name": "value", "count": 3})))

    def _evict(self, page: Page) -> Response:
        return page.goto(EVICT)

    def _preview(self, page: Page) -> Response:
        self.plant("shown:1")
        return self.preview(page, PATTERN, "shown:*")

    def _clear(self, page: Page) -> Response:
        return self.preview(page, EVERYTHING, "")

    def _outcome(self, page: Page) -> Response:
        self._preview(page)
        return press(page, "Evict")

    def _audit(self, page: Page) -> Response:
        return page.goto(AUDIT)


PATTERN: Final = "All keys that fit a pattern"
TAG: Final = "All that bears a tag"
EVERYTHING: Final = "Everything in this cache"
FIELDS: Final = {"Keys": "id_names", PATTERN: "id_pattern", TAG: "id_tag"}
"""The choices of the form, and where what belongs to them is written."""


def press(page: Page, name: str) -> Response:
    """Press a button that leads to another page; return the answer that brought it."""
    with page.expect_response(_is_page) as found:
        page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()
    return found.value


def _is_page(response: Response) -> bool:
    """Say whether an answer is a page, and not the way to one."""
    return response.request.is_navigation_request() and not 300 <= response.status < 400


def number_in(text: str) -> float:
    """Return the first number in a text."""
    return float(re.search(r"[\d,]+(\.\d+)?", text)[0].replace(",", ""))
