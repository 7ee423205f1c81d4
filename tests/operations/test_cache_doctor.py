"""``manage.py cache_doctor``: the findings, and an exit status that scripts can go by."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.caches import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey


def run(*arguments: str) -> tuple[str, int]:
    """Run the command; return what it printed and its exit status."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("cache_doctor", *arguments, stdout=out, no_color=True)
    return out.getvalue(), int(str(ended.value.code))


def test_what_is_right_has_status_0(
    make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
) -> None:
    server = own_valkey(maxmemory="100mb", maxmemory_policy="allkeys-lru")
    make_caches(default=settings_for("tiered", server.url))
    text, status = run()
    assert status == 0
    assert "good  eviction-policy: The server evicts by allkeys-lru." in text


def test_a_warning_has_status_1_and_says_what_to_change(
    make_caches: Callable[..., dict[str, Any]], own_valkey: Callable[..., Valkey]
) -> None:
    server = own_valkey(maxmemory="100mb", maxmemory_policy="noeviction")
    make_caches(default=settings_for("tiered", server.url))
    text, status = run()
    assert status == 1
    first, advice, *_ = text.splitlines()
    assert first.startswith("warning  eviction-policy:")
    assert "allkeys-lru" in advice


def test_a_server_that_is_away_has_status_2(make_cache: Callable[..., Any]) -> None:
    make_cache("away")
    text, status = run()
    assert status == 2
    assert text.startswith("error  away:")


def test_json_says_the_same(make_cache: Callable[..., Any]) -> None:
    make_cache("away")
    text, status = run("--json")
    told = json.loads(text)
    assert (status, told["cache"]) == (2, "default")
    assert told["findings"][0]["name"] == "away"


def test_an_unknown_alias_names_those_that_there_are(make_cache: Callable[..., Any]) -> None:
    make_cache()
    with pytest.raises(CommandError, match="allowed: default") as refused:
        call_command("cache_doctor", cache="other")
    assert refused.value.returncode == 2
