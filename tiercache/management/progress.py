"""How far a command has come, on a terminal."""

from __future__ import annotations

from typing import Any

from tiercache.operations import formatting


class Progress:
    """One line that says how many keys have been removed; only on a terminal.

    Args:
        stderr: the command's.
        total: how many there are to remove.

    Attributes:
        removed: how many have been.
    """

    def __init__(self, stderr: Any, total: int) -> None:
        self.removed = 0
        self._stderr = stderr
        self._total = formatting.count(total)
        self._shows = stderr.isatty()

    def __call__(self, removed: int) -> None:
        """Take in how many have been removed by now."""
        self.removed = removed
        if self._shows:
            line = f"\r{formatting.count(removed)} of {self._total} keys"
            self._stderr.write(line, ending="")
            self._stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._shows and self.removed:
            self._stderr.write("")
