"""Stand-ins for what the frame gives a part."""

from __future__ import annotations


class Silence:
    """Progress that nobody sees; it counts its steps."""

    def __init__(self) -> None:
        self.steps = 0

    def say(self, what: str) -> None:
        """Say nothing."""

    def step(self, count: int = 1) -> None:
        self.steps += count
