"""Steps that are not for Redis: to wait, to compute, and to see to something on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .flights import LoadFlight, Signal
from .loading import LoadContext
from .steps import Flow, Step

HAPPENED: Final = "happened"
"""The answer to `Wait` where there is no more to wait for."""

LATE: Final = "late"
"""The answer to `Wait` where the time was over first."""

OWN: Final = "own"
"""The answer to `Wait` where waiting would hold up what is waited for."""


class Errand(Step):
    """A step that is not for Redis: the time that it takes is not Redis's."""

    __slots__ = ()

    @property
    def paced(self) -> bool:
        """The time budget begins anew afterwards."""
        return True


@dataclass(slots=True)
class Wait(Errand):
    """Wait until something has happened. Answer: `HAPPENED`, `LATE` or `OWN`.

    Attributes:
        signal: what happens.
        seconds: how long to wait at the most; None: for what is left of the time budget.
    """

    signal: Signal
    seconds: float | None

    @property
    def paced(self) -> bool:
        """The time budget begins anew only where it was not what was waited for."""
        return self.seconds is not None


@dataclass(slots=True)
class Compute(Errand):
    """Compute a value (see `loading.compute`). Answer: the value.

    Attributes:
        source: what computes it.
        context: what it may ask and say.
        cache: the alias of the cache that it is for, as telemetry calls it.
    """

    source: Any
    context: LoadContext
    cache: str


@dataclass(slots=True)
class Launch(Errand):
    """Carry the operation of one or more flights out. Answer: None.

    Attributes:
        flow: the operation.
        flights: what it brings to their ends.
        budget: the seconds of Redis's time that it has.
        aside: whether to do so beside what the caller does, and not before it goes on. On an
            event loop it is always a task of its own.
        awaited: whether somebody waits for it.
    """

    flow: Flow[None]
    flights: tuple[LoadFlight, ...]
    budget: float
    aside: bool
    awaited: bool
