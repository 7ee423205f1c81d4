"""What an operator does: sign in, see figures move, find a key, evict, read what was done."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.load import Load, popular, unknown
from tests.browser.pages import (
    AUDIT,
    BASE,
    CACHE,
    KEYS,
    PATTERN,
    PREFIX,
    TAG,
    key_address,
    number_in,
    press,
)
from tests.browser.site import WORKERS
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.pages import Pages
    from tests.browser.site import Site

APPLE = "/api/v1/symbols/AAPL/series?from=2012-09-17&to=2012-09-21"


def test_the_user_of_the_command_signs_in_and_reads_that_all_is_good(
    window: Callable[..., Page], site: Site
) -> None:
    site.ask(APPLE)
    page = window(None)
    page.goto(BASE)
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(site.gateway.password)
    page.get_by_role("button", name="Log in").click()

    expect(page).to_have_url(site.url + BASE)
    expect(page.locator(".tc-status")).to_contain_text(
        re.compile(r"All good: 2 caches, \d+ nodes?, Redis up\.")
    )


@pytest.mark.timeout(120)
def test_the_ratio_moves_while_a_load_runs(window: Callable[..., Page], site: Site) -> None:
    page = window()
    page.goto(BASE)
    shown = page.locator("article", has_text="default").locator(".tc-large b")

    def ratio() -> float:
        return number_in(f"{shown.inner_text()} 0")

    with Load(site.url, popular):
        eventually(lambda: ratio() >= 90, within=30, why="hits raise the ratio")
    high = ratio()
    with Load(site.url, unknown):
        eventually(lambda: ratio() < high, within=30, why="misses lower the ratio")


def test_all_workers_are_nodes(window: Callable[..., Page], site: Site) -> None:
    page = window()
    with Load(site.url, popular):
        page.goto(CACHE)
        nodes = page.locator(".tc-nodes .tc-pid")
        expect(nodes).to_have_count(WORKERS)
    assert set(nodes.all_inner_texts()) == site.pids


def test_keys_are_found_by_a_glob_and_by_name(window: Callable[..., Page], pages: Pages) -> None:
    for number in range(12):
        pages.plant(f"found:{number}")
    page = window()
    page.goto(KEYS)
    search = page.get_by_label("Key or pattern")

    search.fill("found:*")
    press(page, "Search")
    expect(page.locator(".tc-keys tbody tr")).to_have_count(12)

    page.get_by_label("Key or pattern").fill("found:7")
    press(page, "Search")
    expect(page.locator(".tc-keys tbody tr").first).to_contain_text("exact match")


def test_a_key_in_the_list_leads_to_all_that_is_known_of_it(
    window: Callable[..., Page], pages: Pages
) -> None:
    pages.plant("opened:1", {"city": "Graz"})
    page = window()
    page.goto(f"{KEYS}?q=opened:1")
    page.get_by_role("link", name="opened:1").click()

    expect(page.locator("#whole-key")).to_have_text("gateway:1:opened:1")
    expect(page.get_by_role("row", name="Redis").first).to_contain_text("9 min")
    expect(page.locator(".tc-value")).to_contain_text("Graz")


def test_a_key_is_shown_with_the_nodes_that_hold_it(
    window: Callable[..., Page], site: Site
) -> None:
    page = window()
    with Load(site.url, popular):
        page.goto(CACHE)
        expect(page.locator(".tc-nodes .tc-pid")).to_have_count(WORKERS)
    page.goto(
        key_address(PREFIX + b"http:series:/symbols/AAPL/series?from=2012-09-17&to=2012-09-21")
    )

    expect(page.locator("#what ~ .tc-quiet")).to_have_text(
        f"In the memory of {WORKERS} of {WORKERS} nodes; {WORKERS} answered."
    )
    expect(page.get_by_role("rowheader", name="tag:symbol:AAPL")).to_be_visible()


def test_a_tag_is_previewed_and_evicted_and_every_node_confirms(
    window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    page = window()
    with Load(site.url, popular):
        page.goto(CACHE)
        expect(page.locator(".tc-nodes .tc-pid")).to_have_count(WORKERS)
    assert "hit" in fetched(site, APPLE)

    pages.preview(page, TAG, "tag:symbol:AAPL")
    expect(page.locator(".tc-said")).to_contain_text("Nothing has been removed yet.")
    assert "hit" in fetched(site, APPLE)
    press(page, "Evict")

    expect(page.locator(".tc-status")).to_contain_text(
        re.compile(rf"{WORKERS} of {WORKERS} nodes confirmed in [\d.]+ (ms|µs|s)")
    )
    assert "fwd=uri-miss" in fetched(site, APPLE)


def test_a_glob_is_previewed_and_evicted_and_all_else_stays(
    window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    gone = [pages.plant(f"gone:{number}") for number in range(1203)]
    kept = pages.plant("kept:1")
    page = window()
    pages.preview(page, PATTERN, "gone:*")
    expect(page.locator(".tc-said")).to_contain_text("This removes 1,203 keys from Redis")
    expect(page.locator(".tc-examples li")).to_have_count(10)
    assert site.redis.exists(*gone) == 1203
    press(page, "Evict")

    expect(page.locator(".tc-status")).to_contain_text("1,203 keys removed;")
    assert site.redis.exists(*gone) == 0
    assert site.redis.exists(kept) == 1


def test_keys_that_are_ticked_are_previewed_and_evicted(
    window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    raws = [pages.plant(f"ticked:{number}") for number in range(3)]
    page = window()
    page.goto(f"{KEYS}?q=ticked:*")
    page.get_by_role("checkbox", name="ticked:0").check()
    page.get_by_role("checkbox", name="ticked:2").check()
    press(page, "Evict what is ticked…")
    expect(page.locator(".tc-said")).to_contain_text("This removes 2 keys from Redis")
    press(page, "Evict")

    expect(page.locator(".tc-status")).to_contain_text("2 keys removed;")
    assert [site.redis.exists(raw) for raw in raws] == [0, 1, 0]


def test_clearing_a_cache_asks_for_its_name_first(window: Callable[..., Page], site: Site) -> None:
    site.ask("/shop/product/1/")
    page = window()
    page.goto(f"{BASE}c/shop/evict/")
    page.get_by_role("radio", name="Everything in this cache").check()
    press(page, "Preview")
    typed = page.get_by_label("Type shop to confirm that all of it is to go:")
    typed.fill("default")
    press(page, "Clear the cache")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was evicted: type shop")

    page.get_by_label("Type shop to confirm that all of it is to go:").fill("shop")
    press(page, "Clear the cache")
    # A worker counts as a node of this cache once it has used it.
    expect(page.locator(".tc-status")).to_contain_text(re.compile(r"\d of \d nodes? confirmed"))


def test_the_audit_tells_who_has_evicted_what(window: Callable[..., Page], pages: Pages) -> None:
    pages.plant("audited:1")
    page = window("deputy")
    pages.preview(page, PATTERN, "audited:*")
    press(page, "Evict")
    page.get_by_role("link", name="Audit").first.click()
    row = page.locator(".tc-audit tbody tr", has_text="audited:*").first

    expect(row).to_contain_text("deputy")
    expect(row.locator("[data-label=Keys]")).to_have_text("1")
    row.get_by_role("link").click()
    expect(page.locator(".tc-status")).to_contain_text("1 key removed")


def test_the_audit_is_downloaded_as_csv(window: Callable[..., Page], pages: Pages) -> None:
    pages.plant("tabled:1")
    page = window()
    pages.preview(page, PATTERN, "tabled:*")
    press(page, "Evict")
    page.goto(AUDIT)
    with page.expect_download() as download:
        page.get_by_role("link", name="As CSV").click()

    rows = rows_of(download.value.path())
    mine = next(row for row in rows if "tabled:*" in row["selection"])
    assert (mine["actor"], mine["cache"], mine["removed"]) == ("chief", "default", "1")


def rows_of(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def fetched(site: Site, path: str) -> str:
    """Return what the gateway says of how it came by an answer."""
    return httpx.get(site.url + path, trust_env=False, timeout=10).headers["Cache-Status"]
