"""``manage.py cache_inspect``: where a key is, and why it may be a miss."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

ANOTHER_PROCESS = """
import json, sys
import django
from django.conf import settings
settings.configure(
    CACHES=json.loads(sys.argv[1]), INSTALLED_APPS=["tiercache"], SECRET_KEY="x", USE_TZ=True
)
django.setup()
from django.core.management import call_command
call_command(*sys.argv[2:])
"""


def run(*arguments: str) -> tuple[str, int]:
    """Run the command; return what it printed and its exit status."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("cache_inspect", *arguments, stdout=out, no_color=True)
    return out.getvalue(), int(str(ended.value.code))


def test_a_hit_is_told_with_status_0(make_cache: Callable[..., Any]) -> None:
    cache = make_cache()
    cache.set("a", 1, timeout=60, tags=["news"])
    text, status = run("a")
    assert status == 0
    assert cache.make_key("a") in text
    assert "string" in text
    assert "news: holds" in text
    assert "of 1 nodes" in text
    assert "Hit:" in text


def test_a_miss_is_told_with_status_1(make_cache: Callable[..., Any]) -> None:
    make_cache()
    text, status = run("a")
    assert status == 1
    assert "Miss:" in text
    assert "never stored" in text


def test_json_says_the_same(make_cache: Callable[..., Any]) -> None:
    cache = make_cache()
    cache.set("a", "secret", timeout=60)
    text, status = run("a", "--json")
    told = json.loads(text)
    assert (status, told["hit"], told["key"], told["version"]) == (0, True, "a", "1")
    assert told["redis"]["left"] == pytest.approx(60, abs=5)
    assert told["reasons"][0]["name"] == "fresh"
    assert "secret" not in text


def test_the_value_is_shown_when_asked_for(make_cache: Callable[..., Any]) -> None:
    make_cache().set("a", "secret")
    assert "'secret'" in run("a", "--value")[0]


def test_another_version_is_looked_at_when_asked_for(make_cache: Callable[..., Any]) -> None:
    make_cache().set("a", 1, version=5)
    assert run("a")[1] == 1
    assert run("a", "--version", "5")[1] == 0


def test_a_full_key_is_taken_as_it_is(make_cache: Callable[..., Any]) -> None:
    cache = make_cache()
    cache.set("a", 1)
    assert run(cache.make_key("a"), "--full")[1] == 0


def test_a_key_cannot_write_to_the_terminal(make_cache: Callable[..., Any]) -> None:
    make_cache()
    text, _ = run("\x1b[31mred\nline")
    assert "\x1b" not in text
    assert r"\x1b[31mred\nline" in text


def test_an_unknown_alias_names_those_that_there_are(make_cache: Callable[..., Any]) -> None:
    make_cache()
    with pytest.raises(CommandError, match="allowed: default") as refused:
        call_command("cache_inspect", "a", cache="other")
    assert refused.value.returncode == 2


def test_a_version_and_a_full_key_are_refused(make_cache: Callable[..., Any]) -> None:
    make_cache()
    with pytest.raises(CommandError, match="--full") as refused:
        call_command("cache_inspect", "a", "--full", "--version", "2")
    assert refused.value.returncode == 2


def test_without_a_server_the_status_is_2(make_cache: Callable[..., Any]) -> None:
    make_cache("away")
    with pytest.raises(CommandError, match="Redis is away") as refused:
        call_command("cache_inspect", "a", stdout=StringIO())
    assert refused.value.returncode == 2


def test_a_cache_of_memory_alone_cannot_be_looked_into_by_a_command(
    make_cache: Callable[..., Any],
) -> None:
    make_cache("memory")
    with pytest.raises(CommandError, match="memory alone") as refused:
        call_command("cache_inspect", "a", stdout=StringIO())
    assert refused.value.returncode == 2


def test_a_command_asks_the_running_processes_and_is_none_of_them(
    make_cache: Callable[..., Any], valkey: Valkey
) -> None:
    cache = make_cache()
    cache.set("a", 1)
    command = ("cache_inspect", "a", "--json")
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, json.dumps(settings.CACHES), *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["asked"], len(told["copies"])) == (1, 1)
    assert told["copies"][0]["node"] == cache._node.id
    assert told["copies"][0]["here"] is False
