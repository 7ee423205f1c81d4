"""The pages in any admin site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite

from tiercache.admin import register
from tiercache.models import Eviction


def names(site: AdminSite) -> list[str]:
    found = [getattr(pattern, "name", None) for pattern in site.get_urls()]
    return [name for name in found if name and name.startswith("tiercache_")]


def test_djangos_own_site_has_the_pages(db: None) -> None:
    assert "tiercache_overview" in names(admin.site)  # type: ignore[arg-type]


def test_another_site_is_given_them() -> None:
    site = AdminSite(name="made")
    register(site)
    assert "tiercache_overview" in names(site)


def test_a_site_that_is_given_them_twice_has_them_once() -> None:
    site = AdminSite(name="made")
    register(site)
    register(site)
    site.unregister(Eviction)
    register(site)
    assert names(site).count("tiercache_overview") == 1


def test_they_go_with_the_audits_table() -> None:
    site = AdminSite(name="made")
    register(site)
    site.unregister(Eviction)
    assert names(site) == []


def test_the_sites_index_leads_to_the_overview(chief: Any, show: Any) -> None:
    show()
    page = chief.get("/admin/").text
    assert 'href="/admin/tiercache/"' in page
    assert "All good" not in page
    assert "data-tc-live" in chief.get("/admin/tiercache/").text


def test_the_models_own_list_leads_to_the_audit(chief: Any) -> None:
    answer = chief.get("/admin/tiercache/eviction/")
    assert answer.headers["Location"] == "/admin/tiercache/audit/"


def test_a_row_of_the_admins_log_leads_to_the_outcome(chief: Any) -> None:
    answer = chief.get("/admin/tiercache/eviction/7/change/")
    assert answer.headers["Location"] == "/admin/tiercache/audit/7/"


def test_nobody_writes_the_audit_by_hand(chief: Any) -> None:
    assert chief.get("/admin/tiercache/eviction/add/").status_code == 403


def test_links_stay_in_the_site_that_one_is_in(chief: Any, show: Any) -> None:
    show()
    page = chief.get("/other/tiercache/").text
    assert 'href="/other/tiercache/c/default/"' in page
    assert 'href="/admin/tiercache' not in page
