"""The system checks: what each of them finds, and that it finds nothing where all is well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from gateway_project import checks, settings
from tests.gateway.routing.support import POOL, routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.checks import CheckMessage

PROJECT = Path(checks.__file__).resolve().parents[1]
ALL = (
    checks.check_routes,
    checks.check_pools,
    checks.check_settings,
    checks.check_redis,
    checks.check_state,
)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run all checks with well-made settings but for some; return the ids of what they find."""
    file = tmp_path / "routes.toml"
    file.write_text(routes({"path": "/"}))
    monkeypatch.setenv("DJANGO_SECRET_KEY", "x" * 50)
    good = {
        "GATEWAY_ROUTES": file,
        "STATE_DIR": tmp_path,
        "ALLOWED_HOSTS": ["api.example"],
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "DEBUG": False,
        "TIERCACHE_REDIS_URL": "redis://:secret@10.0.0.1:6379/0",
    }

    def find(source: str = "", **changes: Any) -> list[str]:
        if source:
            file.write_text(source)
        with override_settings(**{**good, **changes}):
            messages: list[CheckMessage] = [one for check in ALL for one in check()]
        assert all(message.hint for message in messages)
        return [str(message.id) for message in messages]

    return find


def test_all_is_well(found: Callable[..., list[str]]):
    assert found() == []


def test_each_mistake_of_the_routes_is_an_error(found: Callable[..., list[str]]):
    assert found(routes({"path": "a"}, {"path": "b"})) == ["gateway.E001", "gateway.E001"]


def test_a_pool_without_servers_is_an_error(
    found: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("A_VARIABLE", raising=False)
    source = routes({"path": "/"}).replace('["http://127.0.0.1:9001"]', '"$A_VARIABLE"')

    assert found(source) == ["gateway.E002"]


@pytest.mark.parametrize(
    ("server", "ids"),
    [
        ("http://127.0.0.1:1", []),
        ("http://[::1]:1", []),
        ("http://10.1.2.3", []),
        ("http://prices:8000", []),
        ("http://localhost", []),
        ("https://api.example", []),
        ("http://api.example", ["gateway.W001"]),
        ("http://93.184.216.34", ["gateway.W001"]),
    ],
)
def test_an_upstream_in_plain_text_is_a_warning(
    found: Callable[..., list[str]], server: str, ids: list[str]
):
    assert found(routes({"path": "/"}).replace("http://127.0.0.1:9001", server)) == ids


def test_a_secret_key_that_is_not_set_is_an_error(
    found: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DJANGO_SECRET_KEY")

    assert found() == ["gateway.E003"]


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"ALLOWED_HOSTS": ["*"]}, ["gateway.E004"]),
        ({"DEBUG": True}, ["gateway.E005"]),
        ({"SESSION_COOKIE_SECURE": False}, ["gateway.W002"]),
        ({"CSRF_COOKIE_SECURE": False}, ["gateway.W002"]),
        ({"TIERCACHE_REDIS_URL": ""}, ["gateway.W003"]),
        ({"TIERCACHE_REDIS_URL": "redis://10.0.0.1:6379/0"}, ["gateway.W004"]),
        ({"TIERCACHE_REDIS_URL": "redis://redis.example/0"}, ["gateway.W004"]),
        ({"TIERCACHE_REDIS_URL": "redis://127.0.0.1:6379/0"}, []),
        ({"TIERCACHE_REDIS_URL": "redis://localhost/0"}, []),
        ({"TIERCACHE_REDIS_URL": "rediss://redis.example/0"}, []),
        ({"TIERCACHE_REDIS_URL": "unix:///run/redis.sock"}, []),
        ({"STATE_DIR": Path(checks.__file__)}, ["gateway.E006"]),
    ],
)
def test_what_is_found_in_the_settings(
    found: Callable[..., list[str]], changes: dict[str, Any], ids: list[str]
):
    assert found(**changes) == ids


def test_a_state_directory_that_is_not_made_yet_is_well(
    found: Callable[..., list[str]], tmp_path: Path
):
    assert found(STATE_DIR=tmp_path / "to" / "be" / "made") == []


@pytest.mark.parametrize("arguments", [(), ("--deploy",)])
def test_django_runs_them(tmp_path: Path, arguments: tuple[str, ...]):
    file = tmp_path / "routes.toml"
    file.write_text(f"{POOL}[[routes]]\nname = 'r'\npath = 'x'\npool = 'main'")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DJANGO_")}

    ran = subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=PROJECT,
        env={**kept, "GATEWAY_ROUTES": str(file), "GATEWAY_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert f"(gateway.E001) {file}:5: route 'r': path must begin with a slash" in ran.stderr
    assert ("(gateway.E003)" in ran.stderr) is bool(arguments)


DOCS = (PROJECT / "docs" / "deploy.md").read_text()
IDS = sorted(set(re.findall(r"gateway\.[EW]\d{3}", Path(checks.__file__).read_text())))
VARIABLES = sorted(
    set(
        re.findall(r'"((?:DJANGO|GATEWAY|TIERCACHE)_[A-Z_]+)"', Path(settings.__file__).read_text())
    )
)


@pytest.mark.parametrize("name", IDS)
def test_each_check_is_documented(name: str):
    assert f"| {name} |" in DOCS


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_is_documented(name: str):
    assert f"| `{name}` |" in DOCS
