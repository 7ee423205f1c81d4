"""What the processes of the part "nodes" agree on, and what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

KEYS: Final = 1000
"""Keys that the writer writes, one after the other, and that each node holds."""

STEP: Final = 100
"""One key in so many is watched: each change of it has its time taken, on both sides."""

LIFE: Final = 3600

PATIENCE: Final = 30.0
"""Seconds within which all must be ready, and within which the last change must be heard."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the processes are told.

    Attributes:
        url: the server, with the database.
        nodes: how many listen.
        rate: writes a second that the writer tries.
        seconds: for how long it writes.
    """

    url: str
    nodes: int
    rate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Written:
    """What the writer did.

    Attributes:
        count: how many writes.
        seconds: that they took in all.
        processor: seconds of processor time that its process took for them.
        watched: for each change of a watched key, its number and the time just before.
    """

    count: int
    seconds: float
    processor: float
    watched: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What one node heard.

    Attributes:
        count: how many changes it was told of.
        processor: seconds of processor time that its process took, from ready to the end.
        memory: bytes of memory that are its own (its share, of what it has in common).
        held: the value of each key of which it held a copy at the end, None for the others.
        watched: for each change of a watched key, its number and the time when its copy was gone.
    """

    count: int
    processor: float
    memory: int
    held: list[int | None]
    watched: list[tuple[int, float]]


def key_of(number: int) -> str:
    """Return the key of a number."""
    return f"key{number}"


def full_key_of(number: int) -> str:
    """Return the same as Redis knows it, with Django's default prefix and version."""
    return f":1:{key_of(number)}"


def caches(config: Config, **options: Any) -> dict[str, Any]:
    """Return Django's setting `CACHES`."""
    conf = {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": config.url,
        "TIMEOUT": LIFE,
        # An overloaded machine must not look like an outage.
        "OPTIONS": {"TIME_BUDGET": PATIENCE, **options},
    }
    return {"default": conf}
