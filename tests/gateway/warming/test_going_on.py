"""A run that is stopped says how to go on, and the next one does; outages; progress."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from gateway_project.routing import current
from gateway_project.warming import running
from gateway_project.warming.journal import Journal
from gateway_project.warming.lists import Line
from gateway_project.warming.planning import Variants, plan
from gateway_project.warming.running import Outages
from tests.gateway.origin import Answer, Origin, Request
from tests.gateway.warming.conftest import Warm
from tests.support.gateway import OURS, PROJECT, START_SECONDS, STOP_SECONDS
from tests.support.waiting import eventually

MANY = tuple(f"/things/{number}" for number in range(20))


class Process:
    """One run of the command as a process of its own."""

    def __init__(self, warm: Warm, server: str, *arguments: str, errors: int | None = None) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
        given = {
            "TIERCACHE_REDIS_URL": server,
            "GATEWAY_ROUTES": str(warm.folder / "routes.toml"),
            "GATEWAY_STATE_DIR": str(warm.folder),
            "TERM": "xterm",
        }
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "gateway_warm", *arguments],
            cwd=PROJECT,
            env={**kept, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors is None else errors,
            text=True,
        )

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Return its exit status, and what it printed, once it has ended."""
        out, errors = self._process.communicate(timeout=START_SECONDS + STOP_SECONDS)
        return self._process.returncode, out, errors or ""

    def clean_up(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def start(warm: Warm, valkey: Any) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def make(*arguments: str, **named: Any) -> Process:
        started.append(Process(warm, f"{valkey.url}/0", *arguments, **named))
        return started[-1]

    yield make
    for one in started:
        one.clean_up()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_and_the_next_one_goes_on(
    warm: Warm, origin: Origin, start: Callable[..., Process], number: signal.Signals
):
    listed = warm.list(*MANY)

    def script(_: Request) -> Answer:
        if origin.count == 6:
            origin.hold()
        return Answer()

    origin.script = script
    process = start(listed, "--concurrency", "2")
    eventually(lambda: origin.count == 8, within=START_SECONDS, why="two requests are held back")
    process.send(number)
    status, out, errors = process.end()
    assert status == 128 + number
    assert "Stopped. The same command goes on from here" in errors
    assert str(warm.state) in errors
    assert "Traceback" not in errors
    done = int(out.split("loaded")[1].split()[0])
    assert 5 <= done <= 6, (out, errors)
    assert origin.count == 8

    origin.forget()
    told = warm.told(listed)
    assert (told["done_before"], told["loaded"] + told["already_there"]) == (done, 20 - done)
    assert f"{done} of 20 requests were done" in warm.errors
    assert not warm.state.exists()


def test_a_terminal_sees_progress(warm: Warm, start: Callable[..., Process]):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = start(warm.list(*MANY), errors=theirs)
    os.close(theirs)
    assert process.end()[0] == 0
    seen = b""
    with suppress(OSError):  # the other end is closed: that was all
        while part := os.read(ours, 65536):
            seen += part
    os.close(ours)
    assert b"20/20 " in seen


def test_a_file_sees_no_progress(warm: Warm, start: Callable[..., Process]):
    status, out, errors = start(warm.list(*MANY)).end()
    assert (status, errors) == (0, "")
    assert out.splitlines()[0].split() == ["asked", "20"]


def test_what_was_done_is_not_asked_again(warm: Warm, origin: Origin):
    interrupted(warm, "/things/a")
    told = warm.told(warm.list("/things/a", "/things/b"))
    assert (told["done_before"], told["asked"]) == (1, 1)
    assert [one.target for one in origin.asked] == ["/things/b"]


def test_restart_asks_for_all_again(warm: Warm, origin: Origin):
    interrupted(warm, "/things/a")
    told = warm.told(warm.list("/things/a", "/things/b"), "--restart")
    assert (told["done_before"], told["asked"]) == (0, 2)


def test_a_state_of_another_kind_of_run_is_not_taken(warm: Warm, origin: Origin):
    interrupted(warm, "/things/a")
    with pytest.raises(CommandError, match="is of a run without --refresh"):
        warm.run(warm.list("/things/a"), "--refresh")
    assert origin.count == 0


def interrupted(warm: Warm, *done: str) -> None:
    """Leave the state of a run that had done some addresses when it was stopped."""
    lines = [Line("list", 1, url) for url in done]
    journal = Journal(warm.state, refresh=False, restart=False)
    for visit in plan(current.table(), lines, Variants()).visits:
        journal.add(visit.name)
    journal.close(keep=True)


def test_a_short_outage_is_waited_for(make_warm: Callable[..., Warm], origin: Origin):
    """The one request that found out has failed; all others wait and are answered."""
    warm = make_warm(back_off=0.3)
    origin.script = lambda _: Answer(503 if origin.count <= 1 else 200)
    told = warm.told(warm.list(*MANY), "--concurrency", "1")
    assert (told["failed"], told["loaded"], told["not_asked"]) == (1, 19, 0)


def test_a_pool_that_stays_down_is_given_up_and_not_hammered(
    make_warm: Callable[..., Warm], origin: Origin, monkeypatch: pytest.MonkeyPatch
):
    warm = make_warm(back_off=30)
    monkeypatch.setattr(running, "PATIENCE", 0.2)
    origin.says(503)
    told = warm.told(warm.list(*MANY), "--concurrency", "1")
    assert (told["asked"], told["failed"], told["not_asked"]) == (1, 1, 19)
    assert origin.count == 1
    assert warm.failed.returncode == 1
    assert "19 requests were not made" in str(warm.failed)
    assert warm.state.exists()


def test_what_is_in_redis_needs_no_pool(
    make_warm: Callable[..., Warm], origin: Origin, monkeypatch: pytest.MonkeyPatch
):
    warm = make_warm(back_off=30)
    monkeypatch.setattr(running, "PATIENCE", 0.0)
    warm.run(warm.list("/things/c"))
    origin.says(503)
    told = warm.told(warm.list("/things/a", "/things/b", "/things/c"), "--concurrency", "1")
    assert (told["failed"], told["not_asked"], told["already_there"]) == (1, 1, 1)


def test_an_outage_counts_from_its_beginning_until_the_pool_answers():
    now = 0.0
    outages = Outages(lambda: now)
    assert outages.wait("one", 4.0) == 4.0
    now = 8.0
    assert outages.wait("one", 4.0) is None
    assert outages.wait("other", 4.0) == 4.0
    outages.over("one")
    assert outages.wait("one", 4.0) == 4.0


def test_no_more_are_asked_at_a_time_than_allowed(
    warm: Warm, start: Callable[..., Process], origin: Origin
):
    held = origin.hold()
    process = start(warm.list(*MANY), "--concurrency", "3")
    eventually(lambda: origin.count == 3, within=START_SECONDS)
    held.set()
    assert process.end()[0] == 0
    assert origin.count == 20


def test_the_rate_holds_requests_back(warm: Warm):
    told = warm.told(
        warm.list("/things/a", "/things/b", "/things/c", "/things/d"), "--rate", "10/s"
    )
    assert 0.3 <= told["seconds"] < 3.0


def test_a_state_can_be_elsewhere(warm: Warm, tmp_path: Path):
    other = tmp_path / "other"
    other.write_text("precious\n")
    with pytest.raises(CommandError, match="is no state of gateway_warm, so it is left alone"):
        warm.run(warm.list("/things/a"), "--state", str(other), "--restart")
    assert other.read_text() == "precious\n"
