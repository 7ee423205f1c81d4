"""A server of the site in processes of its own: started, asked, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.support.servers import HOST, free_port
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
START = 30.0
END = 10.0
"""Seconds that a server may take at the most, to start and to end."""

AT_ONCE = 8
"""Requests at the same time, so that no process is spared."""


class Host:
    """One run of a server; `{port}` in its command is a port of its own."""

    def __init__(self, directory: Path, *command: str, views: str = "", **environment: str) -> None:
        self.port = free_port()
        self._views = views
        self._log = directory / "output"
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._seen: set[psutil.Process] = set()
        paths = (str(directory), str(ROOT))
        with self._log.open("w") as log:
            self.process = psutil.Popen(
                [sys.executable, "-m", *(part.format(port=self.port) for part in command)],
                cwd=directory,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.hosts.settings",
                    "PYTHONPATH": os.pathsep.join(paths),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def ask(self, *words: object) -> dict[str, Any]:
        """Have one worker call an operation of the cache, and return its report."""
        path = "/".join(str(word) for word in words)
        with urllib.request.urlopen(
            f"http://{HOST}:{self.port}/{self._views}{path}", timeout=10
        ) as answer:
            report: dict[str, Any] = json.load(answer)
        return report

    def ask_all(self, *words: object) -> dict[int, dict[str, Any]]:
        """Ask at once as often as it takes for every worker to be among those who answer."""
        answers = self._threads.map(lambda _: self.ask(*words), range(AT_ONCE))
        return {report["pid"]: report for report in answers}

    def wait_until(self, condition: Callable[[], Any], *, within: float = START) -> Any:
        """Wait for a condition; a server that has ended, or does not answer in full, is not it."""

        def met() -> Any:
            assert self.process.is_running(), self.output
            try:
                return condition()
            except (OSError, HTTPException):
                return False

        try:
            return eventually(met, within=within)
        finally:
            self._remember()

    def end(self) -> None:
        """End it as a process manager does; nothing is left, and soon."""
        self._remember()
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=END)
        _, alive = psutil.wait_procs(self._seen, timeout=END - (time.monotonic() - begun))
        assert not alive, (alive, self.output)
        assert "Traceback" not in self.output, self.output

    def close(self) -> None:
        """Leave nothing behind, whatever became of it."""
        self._threads.shutdown()
        self._remember()
        for process in (*self._seen, self.process):
            if process.is_running():
                process.kill()
        self.process.wait(timeout=10)

    def _remember(self) -> None:
        if self.process.is_running():
            self._seen.update(self.process.children(recursive=True))
