"""Who may what: without a right a page is neither shown nor obeyed, and nothing leads to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core import signing
from playwright.sync_api import expect

from tests.browser.pages import (
    AUDIT,
    BASE,
    CACHE,
    EVERYTHING,
    EVICT,
    KEYS,
    PATTERN,
    PREFIX,
    key_address,
    press,
)
from tests.browser.users import ALL
from tiercache.operations import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import APIResponse, Page

    from tests.browser.pages import Pages
    from tests.browser.site import Site

KEY = key_address(PREFIX + b"guarded:1")
NEEDS = {
    BASE: None,
    CACHE: "view_stats",
    KEYS: "view_keys",
    KEY: "view_keys",
    EVICT: "evict",
    AUDIT: "view_stats",
    f"{AUDIT}?format=csv": "view_stats",
    f"{BASE}stats.json": "view_stats",
}
"""Each address, and the right that it needs; None: any that has a page."""
REFUSED = (403, 405)
"""Pages that only show something refuse a form as such, whoever sends it."""

PAGED = ("view_stats", "view_keys", "evict")
"""The rights by which there is a page at all."""


def posted(page: Page, path: str, **form: str) -> APIResponse:
    """Send a form as a page of the site would."""
    (cookie,) = (one for one in page.context.cookies() if one["name"] == "csrftoken")
    headers = {"X-CSRFToken": cookie["value"], "Referer": page.url}
    return page.request.post(path, form=form, headers=headers, max_redirects=0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_staff_without_rights_can_do_nothing(
    method: str, window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    raw = pages.plant("guarded:1")
    page = window("nobody")
    page.goto("/admin/")
    form = {"what": "pattern", "pattern": "guarded:*", "tier": "all", "step": "preview"}
    for path in NEEDS:
        answer = page.request.get(path) if method == "GET" else posted(page, path, **form)
        assert answer.status in REFUSED, path

    expect(page.get_by_text("Tiercache")).to_have_count(0)
    assert site.redis.exists(raw)


@pytest.mark.parametrize("right", ALL)
def test_each_right_opens_its_own_pages_alone(right: str, window: Callable[..., Page]) -> None:
    page = window(f"only-{right}")
    page.goto("/admin/")
    for path, needed in NEEDS.items():
        allowed = right == needed or (needed is None and right in PAGED)
        assert page.request.get(path).status == (200 if allowed else 403), path


@pytest.mark.parametrize("right", [right for right in ALL if right != "evict"])
def test_without_the_right_to_evict_a_form_is_refused(
    right: str, window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    raw = pages.plant("guarded:1")
    page = window(f"only-{right}")
    page.goto("/admin/")
    for step in ("preview", "confirm"):
        assert posted(page, EVICT, what="keys", names="guarded:1", step=step).status == 403
    assert site.redis.exists(raw)


@pytest.mark.parametrize("right", PAGED)
def test_no_link_or_form_leads_to_what_one_may_not_do(
    right: str, window: Callable[..., Page], pages: Pages
) -> None:
    pages.plant("guarded:1")
    page = window(f"only-{right}")
    for path, needed in NEEDS.items():
        if needed not in (None, right) or "json" in path or "csv" in path:
            continue
        page.goto(path)
        ours = page.locator("#content a, .tc-tabs a, .breadcrumbs a, form").evaluate_all(
            "all => all.map(one => one.getAttribute('href') ?? one.getAttribute('action') ?? '')"
        )
        each = {one.partition("?")[0]: one for one in ours if one.startswith(BASE)}
        for address in each.values():
            assert page.request.get(address).status == 200, f"{path} leads to {address}"


@pytest.mark.parametrize(("name", "shown"), [("looker", 1), ("only-view_stats", 0)])
def test_top_keys_are_for_those_who_may_see_keys(
    name: str, shown: int, window: Callable[..., Page]
) -> None:
    page = window(name)
    page.goto(CACHE)
    expect(page.get_by_role("heading", name="Top keys and namespaces")).to_have_count(shown)


def test_values_are_for_those_who_may_see_them(window: Callable[..., Page], pages: Pages) -> None:
    raw = pages.plant("guarded:1", "a secret")
    page = window("looker")
    page.goto(key_address(raw))
    expect(page.locator("#whole-key")).to_have_text("gateway:1:guarded:1")
    expect(page.get_by_role("heading", name="Value")).to_have_count(0)
    expect(page.get_by_role("button", name="Evict…")).to_have_count(0)
    assert "a secret" not in page.content()


def test_everything_is_for_those_who_may_clear(
    window: Callable[..., Page], pages: Pages, site: Site
) -> None:
    raw = pages.plant("guarded:1")
    page = window("only-evict")
    page.goto(EVICT)
    expect(page.get_by_role("radio", name=EVERYTHING)).to_have_count(0)
    for step in ("preview", "confirm"):
        assert posted(page, EVICT, what="everything", tier="all", step=step).status == 403
    assert site.redis.exists(raw)


@pytest.fixture
def preview(window: Callable[..., Page], pages: Pages, site: Site) -> Any:
    """A preview of an eviction by the chief; the key is there until somebody may evict it."""
    raw = pages.plant("guarded:1")
    page = window()
    pages.preview(page, PATTERN, "guarded:*")
    yield page
    assert site.redis.exists(raw), "a refused confirmation has evicted something"


def change_token(page: Page, token: str) -> None:
    page.locator("[name=token]").evaluate("(field, token) => { field.value = token; }", token)


def test_a_missing_token_is_refused(preview: Page) -> None:
    change_token(preview, "")
    assert press(preview, "Evict").status == 403
    expect(preview.get_by_role("alert")).to_contain_text("The confirmation is missing")


def test_a_token_that_was_changed_is_refused(preview: Page) -> None:
    change_token(preview, preview.locator("[name=token]").input_value()[:-1] + "-")
    assert press(preview, "Evict").status == 403
    expect(preview.get_by_role("alert")).to_contain_text("was not made here, or has been changed")


def test_another_users_token_is_refused(
    preview: Page, window: Callable[..., Page], pages: Pages
) -> None:
    deputy = window("deputy")
    pages.preview(deputy, PATTERN, "guarded:*")
    change_token(deputy, preview.locator("[name=token]").input_value())
    assert press(deputy, "Evict").status == 403
    expect(deputy.get_by_role("alert")).to_contain_text("was made for another user")


def test_a_token_for_something_else_is_refused(preview: Page) -> None:
    preview.locator("[name=pattern]").evaluate("field => { field.value = 'other*'; }")
    assert press(preview, "Evict").status == 403
    expect(preview.get_by_role("alert")).to_contain_text("was made for something else")


def test_a_token_that_is_too_old_is_refused(preview: Page, site: Site) -> None:
    payload = preview.locator("[name=token]").input_value().rsplit(":", 2)[0]
    change_token(preview, Earlier(key=site.secret_key, salt=tokens._SALT).sign(payload))
    assert press(preview, "Evict").status == 403
    expect(preview.get_by_role("alert")).to_contain_text("is older than 5 minutes")


class Earlier(signing.TimestampSigner):
    """Signs as somebody did who looked at the preview a moment too long ago."""

    def timestamp(self) -> str:
        return signing.b62_encode(int(time.time()) - tokens.LIFE - 1)


def test_a_token_is_good_once(window: Callable[..., Page], pages: Pages, site: Site) -> None:
    pages.plant("twice:1")
    first = window()
    pages.preview(first, PATTERN, "twice:*")
    second = first.context.new_page()
    pages.preview(second, PATTERN, "twice:*")
    change_token(second, first.locator("[name=token]").input_value())
    assert press(first, "Evict").status == 200

    raw = pages.plant("twice:1")
    assert press(second, "Evict").status == 403
    expect(second.get_by_role("alert")).to_contain_text("used")
    assert site.redis.exists(raw)
