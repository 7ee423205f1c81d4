"""Which gateway runs with a state directory: a file with its process id, locked while it runs.

The lock, which the system drops with the process, tells a running gateway from what a killed one
left behind; a process id alone could be somebody else's by now.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

NAME = "gateway.pid"


class AlreadyRunning(Exception):
    """Another gateway runs with the directory."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running gateway: its process, and the routes file that its workers read."""

    pid: int
    routes: str


@contextmanager
def announced(directory: Path, routes: Path) -> Iterator[None]:
    """Say that this process is the gateway of the directory, which must exist, until the end.

    Raises:
        AlreadyRunning: If another one is.
    """
    with _opened(directory / NAME) as file:
        file.truncate(0)
        file.write(f"{os.getpid()}\n{routes}\n")
        file.flush()
        try:
            yield
        finally:
            (directory / NAME).unlink()


def find(directory: Path) -> Running | None:
    """Return the gateway that runs with the directory; None if none does."""
    try:
        file = (directory / NAME).open("r", encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        if _lock(file, fcntl.LOCK_SH):
            return None
        pid, _, routes = file.read().partition("\n")
    # Between the lock and the text there is a moment in which the file is empty.
    return Running(int(pid), routes.rstrip("\n")) if pid else None


def _opened(path: Path) -> TextIO:
    while True:
        file = path.open("a", encoding="utf-8")
        if not _lock(file, fcntl.LOCK_EX):
            file.close()
            if found := find(path.parent):
                raise AlreadyRunning(
                    f"A gateway (process {found.pid}) runs with {path.parent} already."
                )
            # Somebody is just looking, or starting: that takes a moment.
            time.sleep(0.01)
            continue
        # One that was just ending may have removed the file that was opened here.
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def _lock(file: TextIO, kind: int) -> bool:
    """Tell whether the lock could be had; closing the file drops it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
