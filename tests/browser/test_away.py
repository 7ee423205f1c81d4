"""Redis is away: every page answers soon, says so, and shows what memory has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.load import Load, popular
from tests.browser.pages import BASE, CACHE, EVICT, KEYS, PATTERN, PREFIX, Pages, key_address, press
from tests.browser.site import WORKERS, Site
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

BUDGET = 1.5
"""Seconds."""

SERIES = PREFIX + b"http:series:/symbols/AAPL/series?from=2012-09-17&to=2012-09-21"
ADDRESSES = {
    "overview": BASE,
    "cache": CACHE,
    "keys": KEYS,
    "keys that are searched for": f"{KEYS}?q=*series*",
    "key": key_address(SERIES),
    "evict": EVICT,
    "audit": f"{BASE}audit/",
    "JSON": f"{BASE}stats.json",
}


@pytest.fixture(scope="module", params=["stopped", "frozen"])
def away(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site of its own that had a server and has one no more, or one that is silent."""
    running = Site(tmp_path_factory.mktemp("away"))
    try:
        with Load(running.url, popular):
            eventually(lambda: held_by_all(running), within=20)
        look_at_all(running)
        (running.valkey.kill if request.param == "stopped" else running.valkey.freeze)()
        yield running
    finally:
        running.close()


def held_by_all(site: Site) -> bool:
    """Say whether each worker holds what is asked for."""
    return f"In the memory of {WORKERS} of {WORKERS} nodes" in site.read(key_address(SERIES))


def look_at_all(site: Site) -> None:
    """Read each page in each worker: what the first look costs (templates) is not the outage's."""
    for _ in range(WORKERS * 2):
        for address in ADDRESSES.values():
            site.read(address)


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_answers_soon(name: str, away: Site, open_window: Callable[..., Page]) -> None:
    page = open_window(away)
    with Stopwatch() as watch:
        answer = page.request.get(ADDRESSES[name], max_redirects=0)
    assert watch.seconds < BUDGET
    assert answer.status == 200


def test_the_overview_says_so_and_keeps_the_figures_of_memory(
    away: Site, open_window: Callable[..., Page]
) -> None:
    page = open_window(away)
    page.goto(BASE)
    expect(page.locator(".tc-status")).to_contain_text(
        re.compile(r"Redis of default is away since .*: answering from memory")
    )
    card = page.locator("article", has_text="default")
    expect(card.locator(".tc-large b")).to_have_text(re.compile(r"\d"))


def test_keys_in_memory_are_listed(away: Site, open_window: Callable[..., Page]) -> None:
    page = open_window(away)
    page.goto(f"{KEYS}?q=*series*")
    expect(page.locator(".tc-note").first).to_contain_text("in this process's memory")
    expect(page.locator(".tc-keys")).to_contain_text("http:series:/symbols/AAPL")


def test_what_is_evicted_is_dropped_here_and_made_good_later(
    away: Site, open_window: Callable[..., Page]
) -> None:
    page = open_window(away)
    Pages(away).preview(page, PATTERN, "*IBM*")
    expect(page.locator(".tc-note")).to_contain_text("Redis does not answer")
    press(page, "Evict")
    expect(page.locator(".tc-status")).to_contain_text("confirmed")
