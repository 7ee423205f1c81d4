"""How values are loaded: what a caller wants, and one load on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..entry import Copy
from ..flights import LoadFlight, Signal
from ..header import Meta
from ..loading import DEFAULT, LoadContext, as_names
from ..local import Before
from ..steps import Store
from .common import Sight


class Terms(Protocol):
    """What callers' words mean to one alias."""

    def life(self, timeout: Any) -> int | None:
        """Return a timeout in milliseconds; 0: has passed; None: for ever."""

    def grace(self, seconds: Any) -> int:
        """Return a grace in milliseconds."""

    def tag(self, name: str) -> str:
        """Return the full key of a tag."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a value is loaded and kept.

    Attributes:
        terms: what timeouts, graces and tags mean.
        timeout, grace: as the caller gave them.
        tags: names.
        early: how eagerly it is loaded anew before its end (XFetch's beta); 0: never.
        budget: seconds that the caller waits for a load; None: as long as it takes.
        lease: whether one node in the cluster loads at a time.
        background: seconds for which what is stale is answered at once, or a function of the value
            that returns them; None: for all of its grace.
    """

    terms: Terms
    timeout: Any
    grace: Any
    tags: tuple[str, ...] = ()
    early: float = 0.0
    budget: float | None = None
    lease: bool = True
    background: float | Callable[[Any], float] | None = None

    def waits(self, sight: Sight | None) -> bool:
        """Tell whether a caller who finds this, or nothing, waits for the load."""
        if sight is None or self.background is None:
            return sight is None
        seconds = self.background(sight.value) if callable(self.background) else self.background
        return -sight.left >= seconds * 1000

    @property
    def full_tags(self) -> tuple[str, ...]:
        """The full keys of the tags."""
        return tuple(map(self.terms.tag, self.tags))


@dataclass(slots=True)
class Outcome:
    """What a flight brought.

    Attributes:
        value: for the one who led it.
        copy: of which each of the others gets a value of its own.
    """

    value: Any
    copy: Copy


class Load:
    """One load on its way.

    Attributes:
        flight, key, plan: what is loaded, and how.
        sight: what there is while it is loaded, None for nothing.
        forced: whether it is loaded whatever is there.
        token: what the lease bears; None while Redis is away.
        away: whether memory alone is written to.
        before: what was known of tags when it began.
        changed: a signal of the first change to the key, on this node or heard of by it.
        awaited: whether somebody waits for it.
        life, grace, tags, stored, cost: how to store it, once it has been computed; in
            milliseconds, and by full keys.
    """

    def __init__(
        self, flight: LoadFlight, key: str, plan: Plan, sight: Sight | None, changed: Signal
    ) -> None:
        self.awaited = plan.waits(sight)
        self.flight = flight
        self.key = key
        self.plan = plan
        self.sight = sight
        self.forced = flight.forced
        self.token: str | None = None
        self.away = False
        self.before = Before({}, 0, 0)
        self.changed = changed

    def settle(self, context: LoadContext, seconds: float) -> None:
        """Decide how it is stored, now that the source has had its say."""
        plan, terms = self.plan, self.plan.terms
        self.cost = max(int(seconds * 1000), 1)
        self.stored = context.stored
        self.life = terms.life(plan.timeout if context.timeout is DEFAULT else context.timeout)
        grace = terms.grace(plan.grace if context.grace is DEFAULT else context.grace)
        self.grace = 0 if self.life is None else grace
        names = dict.fromkeys((*plan.tags, *as_names(context.tags)))
        self.tags = tuple(map(terms.tag, names))

    @property
    def kept(self) -> bool:
        """Whether there is anything to store: a value that is not fresh at all may have a grace."""
        return self.stored and (self.life != 0 or self.grace > 0)

    def meta(self, numbers: dict[str, Any]) -> Meta | None:
        """Return the header of the entry, None for a plain one."""
        if not self.grace and not numbers:
            return None
        return Meta(self.grace, self.cost, tuple(numbers.items()))


class Loaded(NamedTuple):
    """What was computed, ready to be stored.

    Attributes:
        load: of which it is the outcome.
        step: stores it.
        copy, deadline, ticket, era: for memory.
    """

    load: Load
    step: Store
    copy: Copy
    deadline: float
    ticket: int
    era: int
