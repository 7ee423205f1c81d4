"""``manage.py gateway`` as a subprocess: what it starts, says, answers, and leaves behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.gateway.support import HOST
from tests.support.gateway import PROJECT, START_SECONDS, STOP_SECONDS, Gateway
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.servers import Valkey

SYMBOLS = "/api/v1/symbols"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Run the command, in the same state directory each time."""
    runs: list[Gateway] = []

    def start(*arguments: str, **environment: str) -> Gateway:
        runs.append(Gateway(tmp_path, *arguments, **environment))
        return runs[-1]

    yield start
    for one in runs:
        one.clean_up()


def tiers_of(url: str) -> set[str]:
    """Ask once over connections of their own, which the workers share out among themselves."""
    clients = [httpx.Client(trust_env=False, timeout=10) for _ in range(8)]
    try:
        return {tier_of(client.get(url)) for client in clients}
    finally:
        for client in clients:
            client.close()


def tier_of(response: httpx.Response) -> str:
    """Return which tier answered, "upstream" if neither did."""
    told = response.headers["Cache-Status"]
    found = re.search(r"; hit;.* detail=(\w+)", told)
    assert found or "fwd=uri-miss" in told, told
    return found[1] if found else "upstream"


def test_one_command_starts_everything_and_leaves_nothing(run: Callable[..., Gateway]):
    gateway = run("--port", "0").wait_until_up()
    seen: set[str] = set()

    def every_tier_has_answered() -> bool:
        seen.update(tiers_of(gateway.url + SYMBOLS))
        return seen == {"memory", "redis", "upstream"}

    eventually(every_tier_has_answered, within=20)

    assert len(gateway.workers()) == 2
    assert len(gateway.named("gateway_project.upstream.app:create")) == 2
    assert len(gateway.named("valkey-server")) == 1
    assert {
        connection.laddr.ip
        for one in gateway.processes()
        for connection in one.net_connections("inet")
    } == {HOST}
    assert gateway.end(signal.SIGINT) == 0
    assert gateway.output.endswith("Stopped; no process is left.\n")


def test_it_runs_the_same_a_second_time(run: Callable[..., Gateway], valkey: Valkey):
    redis = {"TIERCACHE_REDIS_URL": f"{valkey.url}/0"}
    first = run("--port", "0", "--workers", "1", **redis).wait_until_up()
    password = first.password
    key = (first.state / "secret-key").read_text()
    assert first.end(signal.SIGTERM) == 0

    second = run("--port", "0", "--workers", "1", **redis).wait_until_up()

    assert "staff exists; a new password: manage.py gateway --reset-password" in second.output
    assert (second.state / "secret-key").read_text() == key
    assert stat.S_IMODE((second.state / "secret-key").stat().st_mode) == 0o600
    assert (second.state / ".gitignore").read_text() == "*\n"
    assert log_in(second.url, password) == 302
    assert log_in(second.url, "another") == 200
    assert second.end(signal.SIGTERM) == 0


def test_commands_beside_it_see_its_workers(run: Callable[..., Gateway]):
    """They find its Redis in the state directory, while it runs."""
    gateway = run("--port", "0", "--workers", "2").wait_until_up()
    kept = gateway.state / "redis-url"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    workers = {one.pid for one in gateway.workers()}

    def seen() -> set[int]:
        done = subprocess.run(
            [sys.executable, "manage.py", "cache_stats", "--json"],
            cwd=PROJECT,
            env=gateway.environment,
            capture_output=True,
            check=True,
        )
        (told,) = json.loads(done.stdout)
        return {node["pid"] for node in told["nodes"]}

    eventually(lambda: tiers_of(gateway.url + SYMBOLS) and seen() == workers, within=20)
    assert gateway.end(signal.SIGINT) == 0
    assert not kept.exists()


def log_in(url: str, password: str) -> int:
    """Return the status of a log-in to the admin: 302 when it succeeded."""
    with httpx.Client(trust_env=False, base_url=url) as client:
        client.get("/admin/login/")
        form = {
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
            "username": "staff",
            "password": password,
        }
        return client.post("/admin/login/?next=/admin/", data=form).status_code


def test_a_redis_and_upstreams_that_are_named_are_used(
    run: Callable[..., Gateway], valkey: Valkey, upstream: Any
):
    gateway = run(
        "--port", "0", "--workers", "1", "--reset-password",
        TIERCACHE_REDIS_URL=f"redis://:unused@{HOST}:{valkey.port}/3",
        GATEWAY_UPSTREAMS=upstream.url,
    ).wait_until_up()  # fmt: skip

    assert len(gateway.processes()) == 1
    assert f"redis://:***@{HOST}:{valkey.port}/3 (TIERCACHE_REDIS_URL)" in gateway.output
    response = httpx.get(gateway.url + SYMBOLS, trust_env=False)
    assert (response.status_code, upstream.asked) == (200, ["/symbols"])
    assert gateway.end(signal.SIGTERM) == 0


def test_the_upstreams_faults_are_options(run: Callable[..., Gateway], valkey: Valkey):
    gateway = run(
        "--port", "0", "--workers", "1", "--upstream-failure-rate", "1",
        TIERCACHE_REDIS_URL=f"{valkey.url}/0",
    ).wait_until_up()  # fmt: skip

    response = httpx.get(gateway.url + SYMBOLS, trust_env=False)

    assert response.status_code == 502
    assert response.json()["detail"].count("answered 503") == 2
    assert gateway.end(signal.SIGTERM) == 0


def test_a_taken_port_is_one_clear_line_and_nothing_is_started(run: Callable[..., Gateway]):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        gateway = run("--port", str(port))
        status = gateway.process.wait(timeout=START_SECONDS)

    assert status == 1
    assert gateway.output == (
        f"CommandError: Cannot listen on {HOST}, port {port}: Address already in use; "
        "choose another with --port (0 finds a free one) or --host.\n"
    )
    assert not gateway.state.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "70000"), "argument --port: invalid number from 0 to 65535 value: '70000'"),
        (("--workers", "0"), "invalid number from 1 to 64 value"),
        (("--upstream-failure-rate", "2"), "invalid number from 0 to 1 value"),
        (("--host", "no.such.host.invalid"), "Cannot listen on no.such.host.invalid"),
    ],
)
def test_impossible_options_are_refused(
    run: Callable[..., Gateway], arguments: tuple[str, ...], said: str
):
    gateway = run(*arguments)

    assert gateway.process.wait(timeout=START_SECONDS) in (1, 2)
    assert said in gateway.output


def test_a_killed_parent_leaves_nothing(run: Callable[..., Gateway]):
    gateway = run("--port", "0").wait_until_up()

    assert gateway.end(signal.SIGKILL) == -signal.SIGKILL


def test_the_end_of_one_process_ends_all(run: Callable[..., Gateway]):
    gateway = run("--port", "0").wait_until_up()
    valkey = gateway.named("valkey-server")[0]

    valkey.kill()

    assert gateway.process.wait(timeout=STOP_SECONDS) == 1
    gateway.wait_until_gone()
    assert re.search(r"Valkey \(process \d+\) ended with status 1\.", gateway.output)


def test_a_second_interrupt_kills_what_does_not_end(run: Callable[..., Gateway], valkey: Valkey):
    gateway = run(
        "--port", "0", "--workers", "1", TIERCACHE_REDIS_URL=f"{valkey.url}/0"
    ).wait_until_up()
    worker = gateway.workers()[0]
    worker.suspend()

    gateway.process.send_signal(signal.SIGINT)
    eventually(lambda: "Stopping" in gateway.output)

    assert gateway.end(signal.SIGINT) == 0


def test_an_interrupt_while_starting_leaves_nothing(run: Callable[..., Gateway]):
    gateway = run("--port", "0")
    eventually(lambda: gateway.named("gateway_project.stack.valkey"), within=START_SECONDS)
    gateway.remember()

    assert gateway.end(signal.SIGINT) == 0
    assert "is up" not in gateway.output
