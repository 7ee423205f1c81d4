"""``manage.py gateway`` as a subprocess, with a state directory of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.waiting import eventually

if TYPE_CHECKING:
    import signal

PROJECT = Path(__file__).resolve().parents[2]
OURS = ("DJANGO_", "GATEWAY_", "SAMPLE_", "TIERCACHE_")
START_SECONDS = 40
STOP_SECONDS = 20


class Gateway:
    """One run of the command; `output` is all it has said so far."""

    def __init__(self, directory: Path, *arguments: str, **environment: str) -> None:
        self.state = directory / "state"
        self._log = directory / "output"
        kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
        self.environment = {**kept, "GATEWAY_STATE_DIR": str(self.state), **environment}
        with self._log.open("w") as log:
            self.process = psutil.Popen(
                [sys.executable, "manage.py", "gateway", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._seen: list[psutil.Process] = []

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        return re.search(r"front page +(http://\S+)/", self.output)[1]

    @property
    def password(self) -> str:
        """The staff user's, which the command says when it makes the user."""
        return re.search(r"staff user +staff, password (\S+) \(shown this once\)", self.output)[1]

    def wait_until_up(self) -> Gateway:
        eventually(self._is_up, within=START_SECONDS, why="the gateway is up")
        self.remember()
        return self

    def remember(self) -> None:
        """Note which processes there are, for `wait_until_gone` and `clean_up`."""
        self._seen = self.processes()

    def processes(self) -> list[psutil.Process]:
        """All processes of this run but the command's own."""
        return self.process.children(recursive=True)

    def named(self, text: str) -> list[psutil.Process]:
        """Those of them whose command line has this text."""
        return [one for one in self.processes() if any(text in part for part in one.cmdline())]

    def workers(self) -> list[psutil.Process]:
        """Those of them that answer requests."""
        return self.named("gateway_project.asgi:application")

    def end(self, number: signal.Signals) -> int:
        """Send a signal to the command alone; return its exit status when nothing is left."""
        self.process.send_signal(number)
        status = self.process.wait(timeout=STOP_SECONDS)
        self.wait_until_gone()
        return status

    def wait_until_gone(self) -> None:
        _, alive = psutil.wait_procs(self._seen, timeout=STOP_SECONDS)
        assert not alive

    def clean_up(self) -> None:
        for one in [*self._seen, self.process]:
            if one.is_running():
                one.kill()
        self.process.wait()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.output
        return "database" in self.output
