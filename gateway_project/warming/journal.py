"""What a run has done so far, in a file, so that the next one goes on from there.

A line of JSON says what the file is; each further line is the name of a visit. Lines are only
added, so a process that is killed loses what it did in the last second, and nothing else.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

EVERY: Final = 1.0
"""Seconds between two times that the file is written to the disk."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes that a journal may have: more than that of the longest run."""

_KIND: Final = "gateway_warm"


class BadJournal(ValueError):
    """A file that is no journal for this run; the message says which, why, and what to do."""


class Journal:
    """The journal of one run; nobody else can open it meanwhile.

    Attributes:
        path: of its file.
        done: the names of the visits that were done before.
    """

    def __init__(
        self,
        path: Path,
        *,
        refresh: bool,
        restart: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a journal, or make it.

        Args:
            path: where.
            refresh: whether the run loads anew what is there; a journal is of one or the other.
            restart: begin anew, whatever was done before.
            clock: seconds.

        Raises:
            BadJournal: it is another run's, no journal at all, or cannot be written.
        """
        self.path = path
        self._clock = clock
        self._written = clock()
        self._header = {"kind": _KIND, "version": 1, "refresh": refresh}
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise BadJournal(
                f"{path} cannot be written: {exc.strerror}; choose another with --state."
            ) from exc
        try:
            self.done = frozenset(self._begun(restart=restart))
        except BaseException:  # nobody has the object that would close it
            os.close(self._descriptor)
            raise
        self._waiting: list[str] = []

    def add(self, name: str) -> None:
        """Note that a visit is done; it is on the disk within `EVERY` seconds of further ones."""
        self._waiting.append(name)
        if self._clock() - self._written >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what was noted to the disk."""
        _written(self._descriptor, "".join(f"{name}\n" for name in self._waiting))
        self._waiting.clear()
        self._written = self._clock()

    def close(self, *, keep: bool) -> None:
        """Let go of the file: for the next run to go on from, or deleted."""
        try:
            if keep:
                self.flush()
            else:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def _begun(self, *, restart: bool) -> list[str]:
        """Return what was done; leave the file open at its end."""
        self._lock()
        found = self._read()
        lines = found.split("\n")
        if found:
            self._check(lines[0], restart=restart)
        if not found or restart:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            _written(self._descriptor, json.dumps(self._header) + "\n")
            return []
        # What is behind the last end of a line was not written whole.
        whole = len(found) - len(lines[-1])
        os.ftruncate(self._descriptor, whole)
        os.lseek(self._descriptor, whole, os.SEEK_SET)
        return lines[1:-1]

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise BadJournal(
                f"Another run uses {self.path}; wait for it, or choose another with --state."
            ) from exc

    def _read(self) -> str:
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            found = file.read(LARGEST + 1)
        if len(found) > LARGEST or not found.isascii():
            raise self._foreign()
        return found.decode("ascii")

    def _check(self, first: str, *, restart: bool) -> None:
        try:
            header = json.loads(first)
        except ValueError:
            raise self._foreign() from None
        if not isinstance(header, dict) or header.get("kind") != _KIND:
            raise self._foreign()
        if header != self._header and not restart:
            raise BadJournal(
                f"{self.path} is of a run {'without' if self._header['refresh'] else 'with'} "
                "--refresh; go on as that one did, or begin anew with --restart."
            )

    def _foreign(self) -> BadJournal:
        return BadJournal(
            f"{self.path} is no state of gateway_warm, so it is left alone; "
            "choose another with --state."
        )


def _written(descriptor: int, text: str) -> None:
    left = text.encode("ascii")
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
