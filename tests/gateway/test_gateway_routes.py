"""``manage.py gateway_routes``, and SIGHUP: the table shown, explained, checked, read anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.test import override_settings

from gateway_project import checks
from gateway_project.stack import running
from tests.gateway.routing.support import routes
from tests.support.gateway import OURS, START_SECONDS, STOP_SECONDS, Gateway
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Valkey

PROJECT = Path(checks.__file__).resolve().parents[1]
SOURCE = routes(
    {
        "path": "/symbols/{symbol|upper}/series",
        "target": "/v2/{symbol}",
        "query": ["from", "to"],
        "ignore_query": ["utm_*"],
        "lifetime": 300,
        "vary": ["Accept"],
        "tags": ["symbol:{symbol}"],
        "tenant": "key",
        "rate": "100/60s",
        "requires_key": True,
    },
    {"path": "/orders", "methods": ["POST"]},
)
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Call the command with a routes file of the test; return what it prints."""
    file = tmp_path / "routes.toml"
    file.write_text(SOURCE)

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command(
            load_command_class("gateway_project", "gateway_routes"), *arguments, stdout=out
        )
        return out.getvalue()

    with override_settings(GATEWAY_ROUTES=file, STATE_DIR=tmp_path):
        yield run


def test_the_table_is_printed(call: Callable[..., str]):
    heading, first, second = (line.split() for line in call().splitlines())

    assert heading[:4] == ["name", "methods", "path", "asks"]
    assert first == [
        "r0", "GET,HEAD", "/symbols/{symbol|upper}/series", "main", "/v2/{symbol}",
        "300", "0", "0", "with", "a", "key,", "100/60s",
    ]  # fmt: skip
    assert second == ["r1", "POST", "/orders", "main", "/orders", "-", "0", "0", "all"]


def test_the_table_is_printed_as_json(call: Callable[..., str]):
    first, second = json.loads(call("--json"))

    assert first["rules"]["lifetime"] == 300
    assert first["query"] == ["from", "to"]
    assert (second["name"], second["query"]) == ("r1", None)


@pytest.mark.parametrize("start", ["", "https://api.example"])
def test_a_url_is_explained(call: Callable[..., str], start: str):
    url = "/symbols/aapl/series?to=2&from=1&utm_source=x"

    told = json.loads(call(start + url, "--json"))[0]

    assert told["tried"] == [["r0", None]]
    assert told["answered"]["captures"] == {"symbol": "AAPL"}
    assert told["answered"]["asks"] == ["http://127.0.0.1:9001/v2/AAPL?from=1&to=2"]
    assert [(one["name"], one["fate"]) for one in told["answered"]["parameters"]] == [
        ("to", "counted"),
        ("from", "counted"),
        ("utm_source", "dropped"),
    ]
    assert told["answered"]["key"] == {
        "path": "r0:/v2/AAPL",
        "query": "from=1&to=2",
        "headers": ["accept"],
        "tenant": "key",
    }
    assert told["answered"]["tags"] == ["symbol:AAPL"]
    assert told["answered"]["rules"]["lifetime"] == 300


def test_the_reasons_are_printed_for_people(call: Callable[..., str]):
    lines = call("/orders", "/symbols/a/series?limit=5", "--method", "POST").splitlines()

    assert lines[0] == "POST /orders"
    assert lines[1].split(maxsplit=1) == ["r0", "segment 1 is 'orders', not 'symbols'"]
    assert lines[2].split() == ["r1", "matches"]
    assert "  No route has it. Allowed here are GET, HEAD." in lines


def test_a_refused_query_is_explained(call: Callable[..., str]):
    assert "400: Unknown query parameter 'limit'; allowed are from, to." in call(
        "/symbols/a/series?limit=5"
    )


def test_passwords_of_servers_are_refused_and_not_shown(call: Callable[..., str], tmp_path: Path):
    (tmp_path / "routes.toml").write_text(SOURCE.replace("127.0.0.1", "me:secret@127.0.0.1"))

    with pytest.raises(CommandError) as caught:
        call("/symbols/a/series")

    assert "http://***@127.0.0.1:9001" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_path_is_explained(call: Callable[..., str]):
    assert "No route has it. The nearest path is /orders." in call("/order")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ftp://a/b",), "A URL begins with '/', 'http://' or 'https://'"),
        (("orders",), "A URL begins with '/'"),
        (("http://[/",), "is no URL"),
        (("/é",), "printable ASCII"),
        (("/a b",), "printable ASCII"),
        (("/a#b",), "never reaches a server"),
        (("/a/../b",), "segment"),
        (("/a%zz",), "%"),
        (("/orders", "--method", "get"), "--method must be a method in capitals"),
        (("/orders", "--check"), "--check and --reload take no URLs"),
        (("--reload",), "No gateway runs with"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    call: Callable[..., str], arguments: tuple[str, ...], said: str
):
    with pytest.raises(CommandError) as caught:
        call(*arguments)

    assert said in str(caught.value)


def test_a_right_file_is_told_to_be_right(call: Callable[..., str], tmp_path: Path):
    assert call("--check") == f"{tmp_path / 'routes.toml'} is right (routes: 2, pools: 1).\n"


@pytest.mark.parametrize("arguments", [(), ("--check",), ("--reload",), ("/orders",)])
def test_all_mistakes_end_it_with_status_1(
    call: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...]
):
    (tmp_path / "routes.toml").write_text(routes({"path": "a"}, {"path": "b"}))

    with pytest.raises(CommandError, match="The routes have 2 mistakes:\n") as caught:
        call(*arguments)

    assert caught.value.returncode == 1
    assert "routes.toml:8: route 'r0': path must" in str(caught.value)


def test_a_gateway_that_was_killed_is_not_taken_for_a_running_one(
    call: Callable[..., str], tmp_path: Path
):
    (tmp_path / running.NAME).write_text(f"{os.getpid()}\n/routes.toml\n")

    with pytest.raises(CommandError, match="No gateway runs with"):
        call("--reload")
    with running.announced(tmp_path, tmp_path / "routes.toml"):
        assert running.find(tmp_path) == running.Running(os.getpid(), str(tmp_path / "routes.toml"))
    assert not (tmp_path / running.NAME).exists()


def test_a_second_gateway_in_the_same_directory_is_refused(tmp_path: Path):
    with (
        running.announced(tmp_path, tmp_path),
        pytest.raises(running.AlreadyRunning, match=f"process {os.getpid()}"),
        running.announced(tmp_path, tmp_path),
    ):
        pass


def test_a_gateway_with_other_routes_is_not_reloaded(call: Callable[..., str], tmp_path: Path):
    with (
        running.announced(tmp_path, tmp_path / "other.toml"),
        pytest.raises(CommandError, match=r"The running gateway reads .*other\.toml"),
    ):
        call("--reload")


@pytest.fixture
def gateway(tmp_path: Path, valkey: Valkey) -> Iterator[Gateway]:
    """A running gateway of two workers, whose routes file is the test's."""
    file = tmp_path / "routes.toml"
    file.write_text(SOURCE)
    environment = {"TIERCACHE_REDIS_URL": f"{valkey.url}/0", "GATEWAY_ROUTES": str(file)}
    one = Gateway(tmp_path, "--port", "0", **environment)
    try:
        yield one.wait_until_up()
    finally:
        one.clean_up()


def surroundings(**changes: str) -> dict[str, str]:
    """Return the environment without the tests' own variables."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    return {**kept, **changes}


def reload(gateway: Gateway, file: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as another process, as an operator does."""
    places = {"GATEWAY_ROUTES": str(file), "GATEWAY_STATE_DIR": str(gateway.state)}
    return subprocess.run(
        [sys.executable, "manage.py", "gateway_routes", "--reload"],
        cwd=PROJECT,
        env=surroundings(**places),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_reload_reaches_every_worker_and_ends_none(gateway: Gateway, tmp_path: Path):
    file = tmp_path / "routes.toml"
    workers = {one.pid for one in gateway.processes()}
    file.write_text(routes({"path": "/only"}))

    ran = reload(gateway, file)

    assert f"The gateway (process {gateway.process.pid}) was told" in ran.stdout
    eventually(lambda: gateway.output.count("1 routes were read from") == 2)
    file.write_text(routes({"path": "only"}))
    assert reload(gateway, file).returncode == 1
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: gateway.output.count("The routes stay as they are") == 2)
    assert {one.pid for one in gateway.processes()} == workers
    assert gateway.end(signal.SIGTERM) == 0
    assert not (gateway.state / running.NAME).exists()


def test_a_closed_terminal_still_ends_everything(tmp_path: Path, valkey: Valkey):
    ours, theirs = os.openpty()
    places = {"TIERCACHE_REDIS_URL": f"{valkey.url}/0", "GATEWAY_STATE_DIR": str(tmp_path)}
    said = tmp_path / "output"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, "manage.py", "gateway", "--port", "0"],
            cwd=PROJECT,
            env=surroundings(**places),
            stdin=theirs,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.close(theirs)
    try:
        eventually(lambda: "database" in said.read_text(), within=START_SECONDS)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "routes were read from" in said.read_text())

        os.close(ours)

        assert process.wait(timeout=STOP_SECONDS) == 0
        assert said.read_text().endswith("Stopped; no process is left.\n")
    finally:
        process.kill()
        process.wait()
