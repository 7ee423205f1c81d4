"""A process that the supervisor starts."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway_project.stack.lifeline import READY

PROJECT = Path(__file__).resolve().parents[2]


class Child:
    """One process in a session of its own, so that the terminal's Ctrl-C reaches the parent alone.

    ``line`` is the parent's end of the lifeline; ``detail`` is what the child said when ready;
    ``reloads`` says that SIGHUP makes it read its routes anew, instead of ending it.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Collection[int] = (),
        reloads: bool = False,
    ) -> None:
        self.name = name
        self.reloads = reloads
        self.detail = ""
        self.ready = False
        self.line, theirs = socket.socketpair()
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments],
                stdin=theirs.fileno(),
                env={**os.environ, **(environment or {})},
                cwd=PROJECT,
                pass_fds=descriptors,
                start_new_session=True,
            )
        self.line.settimeout(0)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def listen(self) -> None:
        """Read what the child has said since."""
        with suppress(BlockingIOError, ConnectionResetError):
            said = self.line.recv(1024)
            if said.startswith(READY):
                self.ready = True
                self.detail = said.removeprefix(READY).strip().decode()

    def running(self) -> bool:
        """Say whether the process is alive."""
        return self._process.poll() is None

    def ending(self) -> str:
        """Say how the process ended."""
        code = self._process.returncode
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with status {code}"

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def reload(self) -> None:
        """Ask the process to read its routes anew."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End the process and whatever it started."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Let go of the line, once the process has ended."""
        self.line.close()
