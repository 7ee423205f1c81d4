"""Servers that fork, spawn, reload and preload: each worker is a node of its own, and hears."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.hosts.host import Host
from tests.support.caches import unique_prefix
from tests.support.servers import HOST
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.servers import Valkey

WORKERS = 2

DELIVERED = 3.0
"""Seconds within which all workers answer with a change at the same time, however busy the machine
is: they have to take turns. The copies that they held would last for minutes."""

GUNICORN = (
    "gunicorn",
    "--workers",
    str(WORKERS),
    "--bind",
    HOST + ":{port}",
    "--no-control-socket",
)
WSGI = "tests.hosts.wsgi:application"
UVICORN = ("uvicorn", "--workers", str(WORKERS), "--port", "{port}", "--log-level", "warning")

SERVERS = {
    "gunicorn-sync": ((*GUNICORN, WSGI), ""),
    "gunicorn-preload": ((*GUNICORN, "--preload", WSGI), ""),
    "gunicorn-gthread": ((*GUNICORN, "--worker-class", "gthread", "--threads", "2", WSGI), ""),
    "uvicorn": ((*UVICORN, "tests.hosts.asgi:application"), "async/"),
}


@pytest.fixture
def start(tmp_path: Path, valkey: Valkey) -> Iterator[Callable[..., Any]]:
    """Start servers of the site; whatever a test makes of them, nothing of them is left."""
    started: list[Any] = []
    environment = {"HOSTS_CACHE": f"{valkey.url}/0", "HOSTS_PREFIX": unique_prefix()}

    def start(*command: str, kind: type[Host] = Host, **options: Any) -> Any:
        started.append(kind(tmp_path, *command, **environment, **options))
        return started[-1]

    yield start
    for host in started:
        host.close()


def nodes_of(host: Any) -> dict[int, dict[str, Any]]:
    """Wait until every worker hears every change; return what each reported last."""
    reports: dict[int, dict[str, Any]] = {}

    def all_joined() -> bool:
        reports.update(host.ask_all("get", "nothing"))
        return len(reports) == WORKERS and all(
            report["backplane"] == "joined" for report in reports.values()
        )

    host.wait_until(all_joined)
    return reports


def agree(host: Any) -> None:
    """What one worker writes, every worker reads at once, though it held a copy."""
    host.ask("set", "key", 0)
    for value in (1, 2):
        eventually(lambda: _holders(host) == WORKERS)
        host.ask("set", "key", value)
        eventually(lambda value=value: _readers(host, value) == WORKERS, within=DELIVERED)


def _holders(host: Any) -> int:
    reports = {}
    for _ in range(2):
        reports.update(host.ask_all("get", "key"))
    return sum(report["held"] for report in reports.values())


def _readers(host: Any, value: int) -> int:
    return sum(report["answer"] == value for report in host.ask_all("get", "key").values())


@pytest.mark.parametrize("server", SERVERS)
def test_each_worker_is_a_node(start: Callable[..., Host], server: str) -> None:
    """With an id and an ear of its own, also where the cache was used before the fork."""
    command, views = SERVERS[server]
    host = start(*command, views=views)
    reports = nodes_of(host)
    assert len({report["node"] for report in reports.values()}) == WORKERS
    for report in reports.values():
        preloaded = report["imported_by"] != report["pid"]
        assert preloaded == (server == "gunicorn-preload")
        assert preloaded == (report["node_then"] != report["node"])
    agree(host)
    host.end()


def touch(edited: Path) -> None:
    """Edit a file once more: the first time may have come before the reloader's first look."""
    later = edited.stat().st_mtime + 1
    os.utime(edited, (later, later))


def test_runserver_reloads(start: Callable[..., Host], tmp_path: Path) -> None:
    """A file is edited: the process is replaced by one that works, and nothing is left of it."""
    edited = tmp_path / "hosts_edited.py"
    edited.write_text("EDITION = 1\n")
    host = start("django", "runserver", "{port}", "--skip-checks")
    before = host.wait_until(lambda: host.ask("set", "key", 1))
    assert before["edition"] == 1
    edited.write_text("EDITION = 2\n")
    host.wait_until(lambda: host.ask("get", "key")["edition"] == 2 or touch(edited))
    after = host.wait_until(lambda: (r := host.ask("get", "key"))["backplane"] == "joined" and r)
    assert after["answer"] == 1
    assert (after["pid"], after["node"]) != (before["pid"], before["node"])
    assert host.process.children(recursive=True)[0].pid == after["pid"]
    assert len(host.process.children(recursive=True)) == 1
    host.end()


class Celery(Host):
    """A Celery worker, which is asked by tasks instead of requests."""

    def __init__(self, directory: Path, *command: str, **environment: str) -> None:
        super().__init__(directory, *command, **environment)
        import celery.exceptions

        self._late = celery.exceptions.TimeoutError
        broker = environment["HOSTS_BROKER"]
        self._app = celery.Celery("asking", broker=broker, backend=broker, set_as_current=False)

    def ask(self, *words: object) -> dict[str, Any]:
        return self._tasks(words, 1)[0]

    def ask_all(self, *words: object) -> dict[int, dict[str, Any]]:
        return {report["pid"]: report for report in self._tasks(words, 8)}

    def _tasks(self, words: tuple[object, ...], number: int) -> list[dict[str, Any]]:
        sent = [self._app.send_task("work", words, expires=10) for _ in range(number)]
        try:
            return [task.get(timeout=10, interval=0.005) for task in sent]
        except self._late as exc:
            raise TimeoutError("a task was not done in time") from exc

    def close(self) -> None:
        self._app.close()
        super().close()


def test_celery_prefork(start: Callable[..., Celery], valkey: Valkey) -> None:
    """The parent has used the cache before it forks; tasks in its children agree."""
    host = start(
        *("celery", "--app", "tests.hosts.tasks", "worker", "--pool", "prefork"),
        *("--concurrency", str(WORKERS), "--without-gossip", "--without-mingle"),
        kind=Celery,
        HOSTS_BROKER=f"{valkey.url}/9",
    )
    reports = nodes_of(host)
    assert {report["imported_by"] for report in reports.values()} == {host.process.pid}
    ids = {report["node"] for report in reports.values()}
    assert len(ids) == WORKERS
    assert not ids & {report["node_then"] for report in reports.values()}
    agree(host)
    host.end()
