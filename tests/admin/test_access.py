"""Who is let in: the named permissions decide, page by page; nothing comes from being staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.admin import made
from tests.admin.conftest import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "/admin/tiercache/"
NEEDS = {
    "c/default/": "view_stats",
    "c/default/keys/": "view_keys",
    "c/default/key/?k=YQ": "view_keys",
    "c/default/evict/": "evict",
    "audit/": "view_stats",
    "stats.json": "view_stats",
}


@pytest.mark.parametrize("page", ["", *NEEDS])
def test_a_member_of_staff_without_rights_gets_no_page(
    page: str, operator: Callable[..., Any]
) -> None:
    assert operator().get(BASE + page).status_code == 403


@pytest.mark.parametrize(("page", "right"), NEEDS.items())
def test_a_page_needs_its_right_and_no_other(
    page: str, right: str, operator: Callable[..., Any]
) -> None:
    assert operator(right).get(BASE + page).status_code == 200
    others = operator(*(name for name in ALL if name != right))
    assert others.get(BASE + page).status_code == 403


@pytest.mark.parametrize("page", ["", *NEEDS])
def test_who_is_not_signed_in_is_led_to_the_log_in(page: str, cache: Any) -> None:
    answer = Client().get(BASE + page)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_the_overview_shows_figures_to_those_who_may_see_them(
    operator: Callable[..., Any],
) -> None:
    assert operator("view_stats").get(BASE).status_code == 200


@pytest.mark.parametrize(("right", "page"), [("view_keys", "keys"), ("evict", "evict")])
def test_who_may_not_see_figures_is_led_on_to_what_they_may_see(
    right: str, page: str, operator: Callable[..., Any]
) -> None:
    answer = operator(right).get(BASE)
    assert answer.headers["Location"] == f"{BASE}c/default/{page}/"


def test_the_index_has_the_app_for_those_with_a_right_alone(
    operator: Callable[..., Any],
) -> None:
    assert "Tiercache" in operator("view_keys").get("/admin/").text
    assert "Tiercache" not in operator().get("/admin/").text


def test_what_one_may_not_do_is_absent(operator: Callable[..., Any], show: Any) -> None:
    show()
    page = operator("view_stats").get(BASE + "c/default/").text
    assert "keys/" not in page
    assert "evict/" not in page
    assert "Top keys" not in page
    assert "ACME" not in page


def test_top_keys_are_for_those_who_may_see_keys(operator: Callable[..., Any], show: Any) -> None:
    show()
    assert "ACME" in operator("view_stats", "view_keys").get(BASE + "c/default/").text


def test_keys_are_listed_without_a_form_for_those_who_may_not_evict(
    operator: Callable[..., Any], cache: Any
) -> None:
    cache.set("seen", 1)
    page = operator("view_keys").get(BASE + "c/default/keys/").text
    assert "seen" in page
    assert 'type="checkbox"' not in page
    assert "evict/" not in page


def test_a_value_is_for_those_who_may_see_values(operator: Callable[..., Any], cache: Any) -> None:
    cache.set("k", "treasure")
    address = f"{BASE}c/default/keys/?q=k"
    viewer, reader = operator("view_keys"), operator("view_keys", "view_values")
    link = viewer.get(address).context["lines"][0].address
    key = f"{BASE}c/default/key/?k={link}"
    hidden = viewer.get(key)
    assert "treasure" not in hidden.text
    assert hidden.context["key"].value is None
    assert "treasure" in reader.get(key).text


def test_a_cache_that_is_not_there_is_not_found(chief: Any) -> None:
    assert chief.get(BASE + "c/nowhere/").status_code == 404


def test_most_pages_answer_to_no_post(chief: Any) -> None:
    assert chief.post(BASE + "c/default/keys/").status_code == 405


def test_the_json_leaves_top_keys_out_for_those_who_may_not_see_keys(
    operator: Callable[..., Any], show: Any
) -> None:
    show(made.view())
    without = operator("view_stats").get(BASE + "stats.json?alias=default").json()
    with_keys = operator("view_stats", "view_keys").get(BASE + "stats.json?alias=default").json()
    assert without["top"]["keys"] == []
    assert with_keys["top"]["keys"]


def test_the_words_of_errors_are_for_those_who_may_see_keys(cache: Any, operator: Any) -> None:
    """They may name one."""

    def load() -> None:
        raise KeyError("user:ACME:secret")

    with pytest.raises(KeyError):
        cache.get_or_set("key", load)
    for address in ("c/default/", "stats.json?alias=default"):
        with_keys = operator("view_stats", "view_keys").get(BASE + address).text
        without = operator("view_stats").get(BASE + address).text
        assert "user:ACME:secret" in with_keys
        assert "user:ACME:secret" not in without
