"""`manage.py cache_evict`: what it asks, says and does, and its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.coherence.nodes import in_memory
from tests.support.waiting import eventually
from tiercache.models import Eviction

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.proxy import Proxy
    from tests.support.servers import Valkey

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent.parent

MINIMAL = """
import json, sys
from django.conf import settings
settings.configure(
    CACHES={"default": json.loads(sys.argv.pop(1))}, INSTALLED_APPS=["tiercache"],
)
import django
django.setup()
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "cache_evict", *sys.argv[1:]])
"""


class Said:
    """What a run has printed, and how it ended."""

    def __init__(self, *arguments: str) -> None:
        out, err = StringIO(), StringIO()
        self.status, self.error = 0, ""
        try:
            call_command("cache_evict", *arguments, stdout=out, stderr=err)
        except CommandError as exc:
            self.status, self.error = exc.returncode, str(exc)
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let there be a terminal on which this is typed; returns what was asked."""

    def make(*typed: str | BaseException) -> list[str]:
        asked: list[str] = []
        answers = iter(typed)

        def answer(question: str) -> str:
            asked.append(question)
            text = next(answers)
            if isinstance(text, BaseException):
                raise text
            return text

        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", answer)
        return asked

    return make


def command(cache_conf: Any, *arguments: str) -> Any:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", MINIMAL, json.dumps(cache_conf), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def conf_of(cache: Any, url: str) -> dict[str, Any]:
    backend = "tiercache.backend.TieredCache"
    return {"BACKEND": backend, "LOCATION": f"{url}/0", "KEY_PREFIX": cache.key_prefix}


# Done


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["user:1", "user:2", "nothing"], "2 keys removed"),
        (["--pattern", "user:*"], "2 keys removed"),
        (["--tag", "news"], "tag evicted"),
        (["--version", "2"], "1 key removed"),
        (["--version", "2", "user:1"], "1 key removed"),
        (["--version", "2", "--pattern", "user:*"], "1 key removed"),
        (["--all"], "4 keys removed"),
        (["--tier", "memory", "--pattern", "user:*"], "2 copies dropped"),
        (["--batch", "1", "--wait", "0.5", "user:1"], "1 key removed"),
    ],
)
def test_it_evicts_and_tells_who_has_confirmed(make_cache: Any, arguments: Any, told: str):
    cache = make_cache()
    cache.set_many({"user:1": 1, "user:2": 2})
    cache.set("page", 3, tags=["news"])
    cache.set("user:1", 4, version=2)
    said = Said(*arguments, "--yes")
    assert (said.status, said.error) == (0, "")
    assert f"{told}; 1 of 1 node confirmed in " in said.out
    assert "Nothing has been removed yet." in said.out
    row = Eviction.objects.get()
    assert (row.origin, row.error) == ("command", "")
    assert row.actor


@pytest.mark.parametrize("name", ["-x", "a b", "ü😀", "<b>", "x" * 240, "100%", "\udcff"])
def test_any_text_is_a_key(make_cache: Any, valkey: Valkey, name: str):
    cache = make_cache()
    valkey.client.set(cache.make_key(name).encode(errors="surrogateescape"), 1)
    assert Said("--yes", "--", name).status == 0
    assert valkey.client.keys(f"{cache.key_prefix}:*") == []


def test_it_reaches_every_running_process(make_cache: Any, neighbours: Any, valkey: Valkey):
    cache = make_cache()
    cache.set("key", 1)
    (other,) = neighbours(1)
    other.do("get", "key")
    run = command(conf_of(cache, valkey.url), "key", "--yes")
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    assert "2 of 2 nodes confirmed" in out
    assert not other.do("held", "key")
    assert not in_memory(cache, "key")


def test_it_needs_no_admin_and_no_database(make_cache: Any, valkey: Valkey):
    """Its settings are CACHES and INSTALLED_APPS, with tiercache alone."""
    cache = make_cache()
    cache.set("key", 1)
    run = command(conf_of(cache, valkey.url), "key", "--yes")
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    assert "1 key removed; 1 of 1 node confirmed" in out
    assert "Not in the audit" in err


def test_it_prints_json(make_cache: Any):
    cache = make_cache()
    cache.set("key", 1)
    said = json.loads(Said("key", "--yes", "--json").out)
    assert said["cache"] == "default"
    assert said["preview"]["keys"] == 1
    assert said["preview"]["examples"] == [cache.make_key("key")]
    assert said["outcome"]["removed"] == 1
    assert said["outcome"]["confirmed"] == [cache._node.id]


# Looking and asking


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_dry_run_removes_nothing(make_cache: Any, arguments: list[str]):
    cache = make_cache()
    cache.set("key", 1)
    assert Said("key", "--dry-run", *arguments).status == 0
    assert cache.get("key") == 1
    assert not Eviction.objects.exists()


@pytest.mark.parametrize(("typed", "status"), [("y", 0), ("YES", 0), ("", 1), ("no", 1)])
def test_it_asks(make_cache: Any, terminal: Any, typed: str, status: int):
    cache = make_cache()
    cache.set("key", 1)
    asked = terminal(typed)
    assert Said("key").status == status
    assert asked == ["Evict? [y/N] "]
    assert (cache.get("key") is None) is (status == 0)


@pytest.mark.parametrize(("typed", "status"), [("default", 0), ("y", 1), ("yes", 1)])
def test_to_clear_a_cache_its_alias_is_typed(
    make_cache: Any, terminal: Any, typed: str, status: int
):
    cache = make_cache()
    cache.set("key", 1)
    terminal(typed)
    assert Said("--all").status == status
    assert (cache.get("key") is None) is (status == 0)


@pytest.mark.parametrize(("typed", "status"), [(EOFError(), 1), (KeyboardInterrupt(), 130)])
def test_no_answer_is_no(make_cache: Any, terminal: Any, typed: Any, status: int):
    cache = make_cache()
    cache.set("key", 1)
    terminal(typed)
    said = Said("key")
    assert (said.status, cache.get("key")) == (status, 1)
    assert "othing was removed" in said.error


# Not all


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["--pattern", "n*"], ["--tag", "n"], ["--version", "9"]]
)
@pytest.mark.parametrize("how", ["--yes", "--dry-run"])
def test_what_matches_nothing_exits_1(make_cache: Any, arguments: list[str], how: str):
    make_cache()
    said = Said(*arguments, how)
    assert said.status == 1
    assert "Nothing matches" in said.error
    assert not Eviction.objects.exists()


def test_a_node_that_does_not_confirm_exits_1_and_is_named(
    make_cache: Any, neighbours: Any, proxied: Callable[[Valkey], Proxy], valkey: Valkey
):
    cache = make_cache(OPTIONS={"REPORT": 1.0})
    cache.set("key", 1)
    proxy = proxied(valkey)
    (other,) = neighbours(1, LOCATION=f"{proxy.url}/0")
    eventually(lambda: other.id.encode() in b"".join(valkey.client.keys("tiercache:nodes/*")))
    proxy.refuse()
    said = Said("key", "--yes", "--wait", "0.2")
    assert said.status == 1
    assert "1 of 2 nodes confirmed" in said.out
    assert f":{other.pid}" in said.err


# Wrong usage, or no server


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        ([], "exactly one of"),
        (["key", "--all"], "keys and everything"),
        (["key", "--pattern", "a"], "keys and pattern"),
        (["--tag", "a", "--pattern", "b"], "pattern and tag"),
        (["--all", "--version", "1"], "version 1"),
        (["--pattern", ""], "is empty"),
        (["--cache", "nobody", "key"], "'nobody'; allowed: default"),
    ],
)
def test_wrong_usage_exits_2_and_changes_nothing(
    make_cache: Any, arguments: list[str], because: str
):
    cache = make_cache()
    cache.set("key", 1)
    said = Said(*arguments, "--yes")
    assert said.status == 2
    assert because in said.error
    assert cache.get("key") == 1
    assert not Eviction.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [["--tier", "disk"], ["--batch", "0"], ["--wait", "-1"], ["--wait", "x"], ["--version", "x"]],
)
def test_options_that_cannot_be_exit_2(make_cache: Any, valkey: Valkey, arguments: list[str]):
    cache = make_cache()
    run = command(conf_of(cache, valkey.url), "key", "--yes", *arguments)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "usage:" in err


@pytest.mark.parametrize("arguments", [["key"], ["key", "--json"]])
def test_without_a_terminal_it_does_not_begin(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
):
    cache = make_cache()
    cache.set("key", 1)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    said = Said(*arguments)
    assert said.status == 2
    assert "--yes" in said.error
    assert cache.get("key") == 1


def test_without_a_server_it_exits_2(make_cache: Any):
    cache = make_cache("away")
    cache.set("key", 1)
    said = Said("key", "--yes")
    assert said.status == 2
    assert "nothing was removed" in said.error
    assert not Eviction.objects.exists()


def test_a_cache_of_memory_alone_is_out_of_its_reach(make_cache: Any):
    make_cache("memory")
    said = Said("key", "--yes")
    assert (said.status, "memory alone" in said.error) == (2, True)


# Ctrl-C


def test_ctrl_c_tells_how_far_it_came(
    make_cache: Any,
    proxied: Callable[[Valkey], Proxy],
    valkey: Valkey,
):
    cache, proxy = make_cache(), proxied(valkey)
    cache.set_many({f"k{number}": 1 for number in range(2000)})
    run = command(conf_of(cache, proxy.url), "--pattern", "k*", "--yes", "--batch", "10")
    full = valkey.client.dbsize()
    proxy.delay(0.02)
    eventually(lambda: valkey.client.dbsize() < full, within=20)
    os.kill(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130, err
    assert "Nothing has been removed yet." in out
    assert "Interrupted: " in err
    assert valkey.client.dbsize() > 500


def test_ctrl_c_leaves_a_finished_row(make_cache: Any, monkeypatch: pytest.MonkeyPatch):
    from tiercache.management.commands import cache_evict

    class Stopped(cache_evict.Progress):
        def __call__(self, removed: int) -> None:
            super().__call__(removed)
            if removed == 20:
                raise KeyboardInterrupt

    monkeypatch.setattr(cache_evict, "Progress", Stopped)
    cache = make_cache()
    names = [f"k{number}" for number in range(50)]
    cache.set_many(dict.fromkeys(names, 1))
    said = Said(*names, "--yes", "--batch", "10")
    assert said.status == 130
    assert said.error.startswith("Interrupted: 20 keys removed")
    row = Eviction.objects.get()
    assert (row.removed, row.error) == (20, "interrupted")
