"""`manage.py cache_stats` shows what the running processes do, and is none of them itself."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.caches import settings_for
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
QUICK = {"OPTIONS": {"REPORT": 0.05}}


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("cache_stats", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def manage(tmp_path: Path, valkey: Any) -> Iterator[Callable[..., Any]]:
    """Run the command as an operator does: in a process of its own, with a site's settings."""
    started: list[subprocess.Popen[str]] = []

    def start(caches: dict[str, Any], *arguments: str) -> subprocess.Popen[str]:
        (tmp_path / "site_settings.py").write_text(
            "SECRET_KEY = 'x'\nUSE_TZ = True\nINSTALLED_APPS = ['tiercache']\n"
            f"CACHES = {caches!r}\n"
        )
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
            "DJANGO_SETTINGS_MODULE": "site_settings",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "cache_stats", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_it_shows_what_another_process_has_counted_and_is_no_node(
    make_caches: Any, valkey: Any, manage: Any
) -> None:
    caches = {"default": settings_for("tiered", valkey.url, **QUICK)}
    cache = make_caches(**caches)["default"]
    cache.set("k", 1)
    for _ in range(41):
        cache.get("k")

    def shown() -> Any:
        out, errors = manage(caches, "--json").communicate(timeout=30)
        assert errors == ""
        return json.loads(out)

    def told() -> Any:
        (document,) = shown()
        assert document["totals"]["requests"] == 41
        return document

    document = eventually(told, within=20)
    assert [node["pid"] for node in document["nodes"]] == [os.getpid()]
    assert document["windows"]["15m"]["tiers"]["memory"] == 41


def test_it_says_that_redis_is_away_and_ends_well(make_cache: Any) -> None:
    make_cache("away")
    text = run("--cache", "default")
    assert text.startswith("Redis of default is away since ")
    assert "(connection refused)" in text


def test_an_unknown_alias_is_refused_with_status_2() -> None:
    with pytest.raises(CommandError, match=r"'other'; allowed: default") as raised:
        run("--cache", "other")
    assert raised.value.returncode == 2


@pytest.mark.parametrize("interval", ["0", "-1", "soon", "1e9", "nan"])
def test_an_interval_that_cannot_be_is_refused(interval: str) -> None:
    with pytest.raises(CommandError, match=r"allowed: 0\.1 to 3600 seconds"):
        run("--watch", interval)


def test_usage_that_is_wrong_ends_with_status_2(manage: Any, valkey: Any) -> None:
    process = manage({"default": settings_for("tiered", valkey.url)}, "--watch", "0")
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, "allowed: 0.1 to 3600" in errors) == (2, True)


def test_json_has_every_cache_of_ours(make_caches: Any, valkey: Any) -> None:
    make_caches(
        default=settings_for("tiered", valkey.url),
        pages=settings_for("memory", ""),
        other={"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    )
    assert [each["alias"] for each in json.loads(run("--json"))] == ["default", "pages"]


def test_watching_goes_on_until_it_is_interrupted_and_ends_well(manage: Any, valkey: Any) -> None:
    caches = {"default": settings_for("tiered", valkey.url)}
    process = manage(caches, "--watch", "0.1", "--json")
    looks = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [look[0]["reached"] for look in looks] == [True, True, True]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_watching_notices_that_redis_is_back(manage: Any, own_valkey: Any) -> None:
    server = own_valkey()
    process = manage({"default": settings_for("tiered", server.url)}, "--watch", "0.1", "--json")

    def reached() -> bool:
        return bool(json.loads(process.stdout.readline())[0]["reached"])

    assert reached()
    server.kill()
    eventually(lambda: not reached(), within=20)
    server.start()
    eventually(reached, within=20)


def test_a_terminal_is_drawn_anew_in_place(make_cache: Any, monkeypatch: Any) -> None:
    """Nothing is scrolled: each look begins at the top, and clears what it does not draw over."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    looks = iter([None, KeyboardInterrupt])

    def sleep(_: float) -> None:
        ends = next(looks)
        if ends:
            raise ends

    make_cache()
    monkeypatch.setattr("tiercache.management.commands.cache_stats.sleep", sleep)
    out = Terminal()
    call_command("cache_stats", "--watch", stdout=out)
    first, second = out.getvalue().split("\x1b[H")[1:]
    for look in (first, second):
        assert "All good" in look
        assert look.rstrip().endswith("\x1b[J")


def test_a_terminal_without_the_characters_gets_question_marks(make_cache: Any) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    make_cache()
    call_command("cache_stats", stdout=out)
    out.flush()
    assert b"Hit ratio   ? in 15 min" in out.buffer.getvalue()  # type: ignore[attr-defined]
