"""What was found out about a cache and its server, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tiercache.options import Options

Level: TypeAlias = Literal["good", "advice", "warning", "error"]

LEVELS: Final[tuple[Level, ...]] = ("good", "advice", "warning", "error")
"""From what is right to what does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement.

    Attributes:
        level: one of `LEVELS`.
        name: constant, such as "eviction-policy".
        text: what is so, translated.
        advice: what to change, "" where nothing is.
    """

    level: Level
    name: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was found out about a server.

    Attributes:
        said: what INFO says, by name.
        config: what CONFIG GET says, by name; empty where this user may not ask.
        options: tiercache's options.
        socket_timeout: OPTIONS' SOCKET_TIMEOUT in seconds, None where it is not set.
        password: whether this cache signs in.
        pickles: whether values are unpickled.
        offset: seconds by which the server's clock is ahead of this host's.
        latency: seconds of a round trip, the median; None where it was not measured.
        denied: commands that this user may not use, each with what it is for.
    """

    said: Mapping[str, str]
    config: Mapping[str, str]
    options: Options
    socket_timeout: float | None = None
    password: bool = False
    pickles: bool = True
    offset: float = 0.0
    latency: float | None = None
    denied: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return what INFO or CONFIG GET says, as a number; 0 where it says nothing."""
        value = self.config.get(name, self.said.get(name, ""))
        return int(value) if value.isdigit() else 0

    @property
    def product(self) -> str:
        """The server's name: "Valkey" or "Redis"."""
        return "Valkey" if "valkey_version" in self.said else "Redis"

    @property
    def version(self) -> tuple[int, ...]:
        """Its version; empty where it does not say."""
        said = self.said.get(f"{self.product.lower()}_version", "")
        return tuple(int(part) for part in re.findall(r"\d+", said)[:3])
