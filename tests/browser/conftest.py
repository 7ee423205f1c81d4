"""A site, a browser, and pages in it that must not break the policy or throw."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import Pages
from tests.browser.site import Site
from tests.support import browser as chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

collect_ignore_glob = ["test_*.py"] if chromium.path() is None and "CI" not in os.environ else []

SCREEN = {"width": 1280, "height": 900}
WAIT_MS = 20_000
_NO_FAULT = "Failed to load resource"
"""What the console says of an answer that is not 200: tests look at those themselves."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The gateway, started once."""
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; not for longer than a module, since its driver runs an event loop of its own."""
    from playwright.sync_api import expect, sync_playwright

    if (executable := chromium.path()) is None:
        pytest.fail(chromium.LEFT_OUT)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=executable, args=list(chromium.FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def open_window(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open windows, in which somebody of the site's staff is signed in or nobody.

    At the end no page may have broken the policy, or thrown.
    """
    faults: list[str] = []
    contexts: list[Any] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_NO_FAULT):
            faults.append(message.text)

    def open_one(site: Site, name: str | None = "chief", **options: Any) -> Page:
        context = browser.new_context(base_url=site.url, **{"viewport": SCREEN, **options})
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.on("console", note)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        if name is not None:
            context.add_cookies(site.signed_in(name))
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
    assert not faults, faults


@pytest.fixture
def window(site: Site, open_window: Callable[..., Page]) -> Callable[..., Page]:
    """Open windows on the site."""
    return lambda *args, **options: open_window(site, *args, **options)


@pytest.fixture
def pages(site: Site) -> Pages:
    """The pages of the site, each with something to show."""
    return Pages(site)
