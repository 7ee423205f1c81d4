"""What the pages with figures and keys show."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from tests.admin import made
from tests.support.stopwatch import Stopwatch
from tiercache.admin.addresses import text_of

if TYPE_CHECKING:
    from tests.support.servers import Valkey

BASE = "/admin/tiercache/"
CACHE = BASE + "c/default/"
KEYS = CACHE + "keys/"

HOSTILE = [
    "a/b?c#d",
    "%2F..%2f",
    "<script>alert(1)</script>",
    "\N{GRINNING FACE} key",
    "x" * 240,
    "quote'\"&amp;",
    "{{ 1 }}{% now %}",
]


def text_of_page(answer: Any) -> str:
    """Return what is read on a page, without its tags."""
    pieces: list[str] = []
    parser = HTMLParser()
    parser.handle_data = pieces.append  # type: ignore[method-assign]
    parser.feed(answer.text)
    return " ".join(" ".join(pieces).split())


# Overview


def test_the_overview_begins_with_a_sentence(chief: Any, show: Any) -> None:
    show(made.silent(), made.silent("pages"))
    assert "All good: 2 caches" in text_of_page(chief.get(BASE))


def test_the_overview_says_since_when_redis_is_away_and_why(chief: Any, show: Any) -> None:
    show(made.away())
    page = text_of_page(chief.get(BASE))
    assert re.search(r"Redis of default is away since .*connection refused.*12 keys", page)


def test_a_card_shows_ratios_tiers_latencies_bounds_and_redis_memory(chief: Any, show: Any) -> None:
    show()
    page = text_of_page(chief.get(BASE))
    for text in ("92.0 % hit ratio, 15 minutes", "memory 78.0 %", "Reads from Redis, p99"):
        assert text in page
    assert "24,642 of 25,000" in page
    assert "298 MiB of 1 GiB" in page


def test_lost_nodes_count_for_no_bound(chief: Any, show: Any) -> None:
    show(made.view(nodes=(made.node("a", here=True), made.node("b", gone=True))))
    assert "8,214 of 10,000" in text_of_page(chief.get(BASE))


def test_a_cache_that_nobody_asked_says_what_to_do(chief: Any, show: Any) -> None:
    show(made.silent())
    assert "No look-ups yet" in text_of_page(chief.get(BASE))


def test_a_site_without_caches_says_what_to_do(chief: Any, monkeypatch: Any) -> None:
    from tiercache.operations import overview

    monkeypatch.setattr(overview, "views", lambda **_: [])
    assert "Add one to the settings" in text_of_page(chief.get(BASE))


# One cache


def test_a_cache_shows_counts_in_all_and_a_second(chief: Any, show: Any) -> None:
    show()
    page = text_of_page(chief.get(CACHE))
    assert "look-ups 900,000,000 1,183/s 450/s" in page


def test_what_differs_between_nodes_stands_out(chief: Any, show: Any) -> None:
    show()
    page = text_of_page(chief.get(CACHE))
    assert "Unlike the other nodes: django 6.0.3 (the others: 6.1)" in page


def test_a_lost_node_says_what_that_means(chief: Any, show: Any) -> None:
    show()
    assert "may answer with values up to 5 s old" in text_of_page(chief.get(CACHE))


def test_what_went_wrong_last_is_listed(chief: Any, show: Any) -> None:
    show()
    assert "no answer within 1.0 s" in text_of_page(chief.get(CACHE))


def test_commands_that_redis_refuses_are_named(chief: Any, show: Any) -> None:
    show(made.view(server=made.server(missing=("INFO",))))
    assert re.search(r"may not use this command.*INFO", text_of_page(chief.get(CACHE)))


def test_settings_are_shown_as_they_were_masked(chief: Any, show: Any) -> None:
    show()
    assert "OPTIONS.PASSWORD ********" in text_of_page(chief.get(CACHE))


def test_charts_go_over_the_span_that_is_asked_for(chief: Any, show: Any) -> None:
    show()
    day = chief.get(CACHE + "?window=24h").context["charts"]
    assert len(day[0].rows) == 96


def test_a_span_that_there_is_not_is_refused_with_those_that_there_are(
    chief: Any, show: Any
) -> None:
    show()
    answer = chief.get(CACHE + "?window=9y")
    assert answer.status_code == 400
    assert "allowed: 15m, 1h, 24h" in text_of_page(answer)


def test_moments_are_in_the_current_time_zone(chief: Any, show: Any) -> None:
    show()
    with override_settings(TIME_ZONE="Asia/Tokyo"):
        page = chief.get(CACHE).text
    assert '<time datetime="2025-10-09T17:52:40+09:00">' in page


@pytest.mark.parametrize("page", ["", "c/default/"])
def test_real_figures_are_shown_of_a_real_cache(page: str, chief: Any, cache: Any) -> None:
    cache.set("k", 1)
    cache.get("k")
    assert chief.get(BASE + page).status_code == 200


# Keys


def test_the_exact_key_comes_first(chief: Any, cache: Any) -> None:
    for number in range(30):
        cache.set(f"k{number}", number)
    lines = chief.get(KEYS, {"q": "k7"}).context["lines"]
    assert [line.row.key for line in lines if line.exact] == ["k7"]
    assert lines[0].exact


@pytest.mark.filterwarnings("ignore::django.core.cache.backends.base.CacheKeyWarning")
@pytest.mark.parametrize("key", HOSTILE)
def test_any_key_is_listed_and_opened_as_text(key: str, chief: Any, cache: Any) -> None:
    cache.set(key, "<img src=x onerror=alert(1)>")
    page = chief.get(KEYS, {"q": key})
    assert "<script>alert" not in page.text
    (line,) = (line for line in page.context["lines"] if line.exact)
    opened = chief.get(f"{CACHE}key/", {"k": line.address})
    assert key in opened.context["key"].text
    assert "<script>alert" not in opened.text
    assert "<img src=x" not in opened.text


def test_a_key_that_is_no_text_is_listed_and_opened_in_hex(
    chief: Any, cache: Any, valkey: Valkey
) -> None:
    raw = cache.make_key("").encode() + b"\xff\xfe"
    valkey.client.set(raw, b"\x00\x01")
    listed = chief.get(KEYS)
    assert raw in [line.row.raw for line in listed.context["lines"]]
    assert "ff fe" in chief.get(f"{CACHE}key/", {"k": text_of(raw)}).text


def test_a_cursor_of_another_search_is_refused(chief: Any) -> None:
    answer = chief.get(KEYS, {"q": "a*", "cursor": "AAAA"})
    assert answer.status_code == 400
    assert "cursor" in text_of_page(answer)


def test_a_long_list_goes_on_where_it_stopped(chief: Any, cache: Any) -> None:
    cache.set_many({f"n{number}": number for number in range(400)})
    seen: set[bytes] = set()
    address = KEYS
    for _ in range(20):
        page = chief.get(address)
        seen |= {line.row.raw for line in page.context["lines"]}
        address = page.context["following"]
        if not address:
            break
    assert len(seen) == 400


def test_an_address_that_names_no_key_is_refused(chief: Any) -> None:
    answer = chief.get(f"{CACHE}key/", {"k": "!!"})
    assert answer.status_code == 400
    assert "base64url" in text_of_page(answer)


def test_a_key_of_another_cache_is_not_shown(chief: Any, cache: Any, valkey: Valkey) -> None:
    valkey.client.set("sessions:secret", "treasure")
    answer = chief.get(f"{CACHE}key/", {"k": text_of(b"sessions:secret")})
    assert "treasure" not in answer.text


def test_looking_leaves_no_trace(chief: Any, cache: Any) -> None:
    cache.set("k", "v")
    before = cache.stats()
    chief.get(KEYS, {"q": "k"})
    chief.get(f"{CACHE}key/", {"k": text_of(cache.make_key("k").encode())})
    chief.get(CACHE)
    assert cache.stats() == before


# All pages

PAGES = ["", "c/default/", "c/default/keys/", "c/default/evict/", "audit/"]


@pytest.mark.parametrize("page", PAGES)
def test_a_strict_content_security_policy_holds(page: str, chief: Any, cache: Any) -> None:
    cache.set("k", 1)
    text = chief.get(BASE + page).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


@pytest.mark.parametrize("page", [*PAGES, "stats.json", "c/default/key/?k=YQ"])
def test_without_redis_every_page_answers_in_time(page: str, chief_without_redis: Any) -> None:
    with Stopwatch() as watch:
        assert chief_without_redis.get(BASE + page).status_code == 200
    assert watch.seconds < 1.5


# JSON


def test_the_json_tells_of_all_caches_or_of_one(chief: Any, show: Any) -> None:
    show(made.view(), made.silent("pages"))
    both = chief.get(BASE + "stats.json").json()["caches"]
    one = chief.get(BASE + "stats.json?alias=default&window=15m").json()
    assert [cache["alias"] for cache in both] == ["default", "pages"]
    assert list(one["windows"]) == ["15m"]


@pytest.mark.parametrize(("query", "code"), [("alias=nowhere", 404), ("window=9y", 400)])
def test_the_json_refuses_what_there_is_not(query: str, code: int, chief: Any) -> None:
    answer = chief.get(f"{BASE}stats.json?{query}")
    assert answer.status_code == code
    assert "allowed" in answer.json()["error"]
