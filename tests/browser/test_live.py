"""The live refresh: figures move by themselves, and nothing else on the page does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.load import Load, popular
from tests.browser.pages import BASE, CACHE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.pages import Pages
    from tests.browser.site import Site

LOOK_UPS = ".tc-now tbody tr:first-child td:nth-of-type(1)"
SECONDS = 5
"""After which the pages refresh themselves."""


def test_figures_move_while_focus_scroll_and_what_is_opened_stay(
    window: Callable[..., Page], site: Site
) -> None:
    page = window(viewport={"width": 1280, "height": 500})
    with Load(site.url, popular):
        page.goto(CACHE)
        expect(page.locator("#behind-tiers")).to_be_visible()
        page.evaluate("window.sameDocument = true")
        page.locator("#behind-tiers summary").click()
        page.evaluate("scrollTo(0, 240)")
        total = page.locator(LOOK_UPS)
        expect(total).not_to_have_text(total.inner_text())

    assert page.evaluate("window.sameDocument")
    expect(page.locator("#behind-tiers summary")).to_be_focused()
    expect(page.locator("#behind-tiers table")).to_be_visible()
    assert page.evaluate("scrollY") == 240


def test_a_paused_page_asks_for_nothing_until_it_is_resumed(
    window: Callable[..., Page],
) -> None:
    page = window()
    page.clock.install()
    page.goto(BASE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".tc-live-state")).to_have_text("Paused")
    page.clock.run_for(SECONDS * 10 * 1000)
    assert not asked

    with page.expect_response(BASE_ADDRESS):
        page.get_by_role("button", name="Resume").click()
    with page.expect_response(BASE_ADDRESS):
        page.clock.run_for(SECONDS * 1000)


BASE_ADDRESS = re.compile(rf"{BASE}$")


def test_a_page_says_when_the_site_does_not_answer_and_when_it_does_again(
    window: Callable[..., Page],
) -> None:
    page = window()
    page.clock.install()
    page.goto(BASE)
    state = page.locator(".tc-live-state")
    page.route("**", lambda route: route.abort())
    page.clock.run_for(SECONDS * 1000)
    expect(state).to_have_text("The site does not answer; trying again")

    page.unroute("**")
    page.clock.run_for(SECONDS * 1000)
    expect(state).to_have_text("Refreshed every 5 seconds")


def test_who_is_signed_out_meanwhile_is_told_so(window: Callable[..., Page]) -> None:
    page = window()
    page.clock.install()
    page.goto(BASE)
    page.context.clear_cookies()
    page.clock.run_for(SECONDS * 1000)

    expect(page.locator(".tc-live-state")).to_have_text(re.compile("Signed out"))
    expect(page.locator("[data-tc-live] button")).to_be_hidden()


def test_the_key_is_copied(window: Callable[..., Page], pages: Pages) -> None:
    page = window(permissions=["clipboard-read", "clipboard-write"])
    pages.show(page, "key")
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "gateway:1:shown:1"
