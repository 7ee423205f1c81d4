"""Evicting by the pages: previewed, confirmed once by the same user, told, written down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.core.cache import caches
from django.db import connection

from tests.admin.test_pages import HOSTILE, text_of_page
from tiercache.admin.addresses import text_of
from tiercache.models import Eviction

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

EVICT = "/admin/tiercache/c/default/evict/"
PATTERN = {"what": "pattern", "pattern": "a*", "tier": "all"}


def preview(operator: Any, **said: Any) -> Any:
    return operator.post(EVICT, {"tier": "all", **said, "step": "preview"})


def confirm(operator: Any, previewed: Any, **more: Any) -> Any:
    context = previewed.context
    said = {**context["repeated"], "token": context["token"], **more, "step": "confirm"}
    return operator.post(EVICT, said)


def evict(operator: Any, **said: Any) -> Any:
    """Preview, confirm, and follow to the outcome."""
    done = confirm(operator, preview(operator, **said))
    assert done.status_code == 302, text_of_page(done)
    return operator.get(done.headers["Location"])


def test_a_preview_says_what_would_go_and_removes_nothing(chief: Any, cache: Any) -> None:
    cache.set_many({"a1": 1, "a2": 2, "b": 3})
    page = text_of_page(preview(chief, what="pattern", pattern="a*"))
    assert "This removes 2 keys from Redis and drops them in" in page
    assert "Nothing has been removed yet." in page
    assert cache.get_many(["a1", "a2", "b"]) == {"a1": 1, "a2": 2, "b": 3}
    assert not Eviction.objects.exists()


def test_a_confirmed_eviction_removes_just_what_was_previewed(chief: Any, cache: Any) -> None:
    cache.set_many({"a1": 1, "a2": 2, "b": 3})
    page = text_of_page(evict(chief, what="pattern", pattern="a*"))
    assert "2 keys removed; 1 of 1 node confirmed in" in page
    assert cache.get_many(["a1", "a2", "b"]) == {"b": 3}


def test_keys_are_named_one_a_line(chief: Any, cache: Any) -> None:
    cache.set_many({"one": 1, "two": 2, "three": 3})
    evict(chief, what="keys", names="one\r\ntwo\r\n")
    assert cache.get_many(["one", "two", "three"]) == {"three": 3}


def test_a_tag_is_evicted(chief: Any, cache: Any) -> None:
    cache.set("k", 1, tags=["t"])
    page = text_of_page(evict(chief, what="tag", tag="t"))
    assert "The tag was evicted" in page
    assert cache.get("k") is None


def test_a_version_is_evicted(chief: Any, cache: Any) -> None:
    cache.set("k", 1, version=2)
    cache.set("k", 1)
    confirm(chief, preview(chief, what="version", version="2"), typed="default")
    assert (cache.get("k", version=2), cache.get("k")) == (None, 1)


@pytest.mark.parametrize(
    "sweeping", [{"what": "version", "version": "1"}, {"what": "pattern", "pattern": "**"}]
)
def test_what_takes_all_there_is_is_for_who_may_clear(
    operator: Any, cache: Any, sweeping: dict[str, str]
) -> None:
    """And it asks for the alias, as to clear the cache does."""
    cache.set("k", 1)
    assert preview(operator("evict"), **sweeping).status_code in (400, 403)
    chief = operator("evict", "clear")
    previewed = preview(chief, **sweeping)
    assert confirm(chief, previewed).status_code == 400
    assert cache.get("k") == 1
    assert confirm(chief, previewed, typed="default").status_code == 302
    assert cache.get("k") is None


def test_memory_alone_keeps_what_redis_has(chief: Any, cache: Any, valkey: Valkey) -> None:
    cache.set("a1", 1)
    page = text_of_page(evict(chief, **PATTERN | {"tier": "memory"}))
    assert "1 copy dropped" in page
    assert valkey.client.exists(cache.make_key("a1"))


@pytest.mark.filterwarnings("ignore::django.core.cache.backends.base.CacheKeyWarning")
@pytest.mark.parametrize("key", HOSTILE)
def test_any_key_is_evicted_from_the_list(key: str, chief: Any, cache: Any) -> None:
    cache.set(key, 1)
    cache.set("other", 2)
    evict(chief, k=text_of(cache.make_key(key).encode()))
    assert (cache.get(key), cache.get("other")) == (None, 2)


def test_a_key_that_is_no_text_is_evicted(chief: Any, cache: Any, valkey: Valkey) -> None:
    raw = cache.make_key("").encode() + b"\xff"
    valkey.client.set(raw, b"1")
    evict(chief, k=text_of(raw))
    assert not valkey.client.exists(raw)


def test_clearing_asks_for_the_alias(chief: Any, cache: Any) -> None:
    cache.set("k", 1)
    previewed = preview(chief, what="everything")
    assert confirm(chief, previewed, typed="defualt").status_code == 400
    assert cache.get("k") == 1
    assert confirm(chief, previewed, typed="default").status_code == 302
    assert cache.get("k") is None


def test_clearing_needs_a_right_of_its_own(operator: Callable[..., Any], cache: Any) -> None:
    cache.set("k", 1)
    evictor = operator("evict")
    assert "everything" not in evictor.get(EVICT).text
    assert preview(evictor, what="everything").status_code == 403
    posted = {"what": "everything", "tier": "all", "typed": "default", "step": "confirm"}
    assert evictor.post(EVICT, posted).status_code == 403
    assert cache.get("k") == 1


def test_without_the_right_nothing_is_evicted(operator: Callable[..., Any], cache: Any) -> None:
    cache.set("a1", 1)
    onlooker = operator("view_stats", "view_keys", "view_values")
    for step in ("preview", "confirm"):
        assert onlooker.post(EVICT, {**PATTERN, "step": step}).status_code == 403
    assert cache.get("a1") == 1


def test_a_link_evicts_nothing(chief: Any, cache: Any) -> None:
    cache.set("a1", 1)
    previewed = preview(chief, **PATTERN)
    chief.get(EVICT, {**PATTERN, "step": "confirm", "token": previewed.context["token"]})
    assert cache.get("a1") == 1


def test_another_site_cannot_make_a_browser_evict(chief: Any, cache: Any) -> None:
    chief.handler.enforce_csrf_checks = True
    assert preview(chief, **PATTERN).status_code == 403


def test_without_redis_this_process_drops_its_copies_and_says_so(
    chief_without_redis: Any,
) -> None:
    cache = caches["default"]
    cache.set("a1", 1)
    previewed = preview(chief_without_redis, **PATTERN)
    assert "what Redis has of it is not known" in text_of_page(previewed)
    done = confirm(chief_without_redis, previewed)
    page = text_of_page(chief_without_redis.get(done.headers["Location"]))
    assert "Not done in full: Redis of" in page
    assert "is removed from Redis once it is back" in page
    assert cache.get("a1") is None


# Tokens


def refused(operator: Any, cache: Any, said: dict[str, Any]) -> str:
    """Post a confirmation that must be refused; return what the page says."""
    cache.set("a1", 1)
    answer = operator.post(EVICT, {**said, "step": "confirm"})
    assert answer.status_code == 403
    assert cache.get("a1") == 1
    return text_of_page(answer)


def test_a_confirmation_without_a_token_is_refused(chief: Any, cache: Any) -> None:
    assert "is missing" in refused(chief, cache, PATTERN)


def test_a_token_that_was_changed_is_refused(chief: Any, cache: Any) -> None:
    token = preview(chief, **PATTERN).context["token"] + "x"
    assert "not made here" in refused(chief, cache, PATTERN | {"token": token})


def test_another_users_token_is_refused(
    chief: Any, operator: Callable[..., Any], cache: Any
) -> None:
    token = preview(chief, **PATTERN).context["token"]
    assert "another user" in refused(operator("evict"), cache, PATTERN | {"token": token})


def test_a_token_for_something_else_is_refused(chief: Any, cache: Any) -> None:
    token = preview(chief, what="pattern", pattern="b*").context["token"]
    assert "something else" in refused(chief, cache, PATTERN | {"token": token})


def test_a_token_that_is_too_old_is_refused(
    chief: Any, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = preview(chief, **PATTERN).context["token"]
    now = time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 301)
    assert "older than 5 minutes" in refused(chief, cache, PATTERN | {"token": token})


def test_a_token_is_good_once(chief: Any, cache: Any) -> None:
    previewed = preview(chief, **PATTERN)
    assert confirm(chief, previewed).status_code == 302
    token = previewed.context["token"]
    assert "used before" in refused(chief, cache, PATTERN | {"token": token})
    assert Eviction.objects.count() == 1


# Bad input


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"what": "keys"}, "nothing"),
        ({"what": "pattern", "pattern": ""}, "empty"),
        ({"what": "version", "version": "two"}, "whole number"),
        ({"what": "nonsense"}, "nonsense"),
        ({"k": "!"}, "base64url"),
        ({"k": text_of(b"another:1:k")}, "another:1:k"),
    ],
)
def test_a_selection_that_cannot_be_is_refused_with_what_can(
    said: dict[str, str], told: str, chief: Any
) -> None:
    answer = preview(chief, **said)
    assert answer.status_code == 400
    assert told in text_of_page(answer)


def test_a_link_fills_the_form_in(chief: Any) -> None:
    form = chief.get(EVICT, {"tag": "sector:3"}).context["form"]
    assert (form["what"].value(), form["tag"].value()) == ("tag", "sector:3")


# What is written down


def test_the_audit_says_who_did_what_and_what_came_of_it(chief: Any, cache: Any) -> None:
    cache.set_many({"a1": 1, "a2": 2})
    evict(chief, **PATTERN)
    row = Eviction.objects.get()
    assert (row.actor, row.origin, row.cache, row.selection) == (
        "chief",
        "page",
        "default",
        "pattern a*",
    )
    assert (row.previewed, row.removed, row.asked, row.confirmed) == (2, 2, 1, 1)


def test_the_admins_own_log_has_it_too(chief: Any, cache: Any) -> None:
    evict(chief, **PATTERN)
    entry = LogEntry.objects.get()
    assert entry.user_id == chief.user.pk
    assert entry.change_message == "default: pattern a*"


def test_who_evicts_sees_their_own_outcomes_alone(
    operator: Callable[..., Any], chief: Any, cache: Any
) -> None:
    evictor = operator("evict")
    assert evict(evictor, **PATTERN).status_code == 200
    evict(chief, **PATTERN)
    others = Eviction.objects.get(actor="chief").pk
    assert evictor.get(f"/admin/tiercache/audit/{others}/").status_code == 403


def test_nodes_that_did_not_confirm_are_named(chief: Any) -> None:
    row = Eviction.objects.create(
        actor="a", origin="command", cache="default", selection="key k", tier="all",
        removed=3, asked=4, confirmed=3, silent="web-2:991", seconds=0.003,
    )  # fmt: skip
    page = text_of_page(chief.get(f"/admin/tiercache/audit/{row.pk}/"))
    assert "3 keys removed; 3 of 4 nodes confirmed in 3 ms." in page
    assert "Not confirmed by web-2:991" in page


def test_an_eviction_that_never_ended_says_so(chief: Any) -> None:
    row = Eviction.objects.create(origin="page", cache="default", selection="key k", tier="all")
    assert "Not finished" in text_of_page(chief.get(f"/admin/tiercache/audit/{row.pk}/"))


def test_without_the_audits_table_it_is_done_and_said(chief: Any, cache: Any) -> None:
    cache.set("a1", 1)
    previewed = preview(chief, **PATTERN)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tiercache_eviction RENAME TO elsewhere")
    page = text_of_page(confirm(chief, previewed))
    assert "1 key removed" in page
    assert "This is not in the audit" in page
    assert cache.get("a1") is None
