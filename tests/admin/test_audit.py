"""The audit page, and its CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection

from tests.admin.test_pages import text_of_page
from tiercache.models import Eviction

AUDIT = "/admin/tiercache/audit/"


def written(**changes: Any) -> Eviction:
    given = {
        "actor": "ann",
        "origin": "page",
        "cache": "default",
        "selection": "pattern a*",
        "tier": "all",
        "removed": 12,
        "asked": 4,
        "confirmed": 4,
    }
    return Eviction.objects.create(**given | changes)


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_an_empty_audit_says_what_will_be_in_it(chief: Any) -> None:
    assert "Nobody has evicted anything yet" in text_of_page(chief.get(AUDIT))


def test_it_says_who_what_how_many_and_whence(chief: Any) -> None:
    written()
    page = text_of_page(chief.get(AUDIT))
    assert "ann page default pattern a* Redis and memory 12 – 4 of 4" in page  # noqa: RUF001


def test_a_tag_has_the_number_of_keys_that_was_announced(chief: Any) -> None:
    written(selection="tag news", removed=1, previewed=18)
    page = text_of_page(chief.get(AUDIT))
    assert "tag news Redis and memory about 18 – 4 of 4" in page  # noqa: RUF001


@pytest.mark.parametrize("query", [{"actor": "bo"}, {"cache": "default", "actor": "BOB"}])
def test_it_is_filtered_by_who_and_cache(query: dict[str, str], chief: Any) -> None:
    written()
    written(actor="bob")
    assert [row.actor for row in chief.get(AUDIT, query).context["rows"]] == ["bob"]


def test_a_filter_that_cannot_be_is_refused(chief: Any) -> None:
    written()
    answer = chief.get(AUDIT, {"cache": "nowhere"})
    assert "nowhere" in text_of_page(answer)
    assert answer.context["rows"] == []


def test_it_is_shown_a_page_at_a_time_and_the_filter_is_kept(chief: Any) -> None:
    for _ in range(51):
        written()
    first = chief.get(AUDIT, {"actor": "ann"})
    assert len(first.context["rows"]) == 50
    assert 'href="?actor=ann&amp;page=2"' in first.text
    assert len(chief.get(AUDIT, {"actor": "ann", "page": "2"}).context["rows"]) == 1


def test_the_csv_has_all_that_the_filter_lets_through(chief: Any) -> None:
    written()
    written(actor="bob")
    answer = chief.get(AUDIT, {"actor": "bob", "format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert [row["actor"] for row in rows(answer)] == ["bob"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str, chief: Any) -> None:
    written(actor=text)
    (row,) = rows(chief.get(AUDIT, {"format": "csv"}))
    assert row["actor"] == f"'{text}"


def test_without_its_table_the_page_says_what_to_run(chief: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tiercache_eviction RENAME TO elsewhere")
    assert "manage.py migrate tiercache" in text_of_page(chief.get(AUDIT))
