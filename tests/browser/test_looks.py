"""Every page: nothing a checker finds, no wider than a telephone, and whole without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.load import Load, popular, unknown
from tests.browser.pages import BASE, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.pages import Pages
    from tests.browser.site import Site

TELEPHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module", autouse=True)
def figures(site: Site) -> None:
    """Have something to draw: what is empty hides its faults."""
    with Load(site.url, popular), Load(site.url, unknown):
        site.ask("/shop/product/1/", times=20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_fault(
    name: str, scheme: str, window: Callable[..., Page], pages: Pages
) -> None:
    page = window(color_scheme=scheme, reduced_motion="reduce")
    pages.show(page, name)

    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_no_wider_than_a_telephone(
    name: str, window: Callable[..., Page], pages: Pages
) -> None:
    page = window(viewport=TELEPHONE)
    pages.show(page, name)

    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= TELEPHONE["width"], page.evaluate(WIDEST)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_without_javascript(
    name: str, window: Callable[..., Page], pages: Pages
) -> None:
    with_it, without = window(), window(java_script_enabled=False)
    assert pages.show(without, name).status == 200
    pages.show(with_it, name)

    sections = [page.locator("#content h1, #content h2") for page in (with_it, without)]
    expect(sections[1]).to_have_count(sections[0].count())
    expect(without.locator("#content :is([hidden], button:empty):visible")).to_have_count(0)


def test_nothing_promises_to_refresh_where_there_is_no_javascript(
    window: Callable[..., Page],
) -> None:
    page = window(java_script_enabled=False)
    page.goto(BASE)

    expect(page.locator(".tc-status")).to_be_visible()
    expect(page.locator("[data-tc-live]")).to_be_hidden()


WIDEST = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((one) => one.outerHTML.slice(0, 200)).join("\\n")"""
"""Which elements reach beyond the right edge."""
