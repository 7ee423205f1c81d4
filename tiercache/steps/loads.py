"""Steps of loads: leases, and the numbers of tags."""

from __future__ import annotations

from dataclasses import dataclass, field

from .base import Change, ChangeOfOne
from .entries import Found, Store


@dataclass(slots=True)
class Tags(Change):
    """Ask for tags' numbers, and give new ones, never used before, to those that have none.

    Answer: a `Numbers`.

    Attributes:
        tags: full keys.
        to_change: keys that are going to be written with these tags.
    """

    tags: tuple[str, ...]
    to_change: tuple[str, ...] = ()

    @property
    def journaled(self) -> tuple[str, ...]:
        """What memory alone is going to change if this fails."""
        return self.to_change


@dataclass(slots=True)
class Numbers:
    """Numbers of tags.

    Attributes:
        found: one for each tag asked for.
        count: the highest that any tag had before.
        evictions: how often tags have been evicted.
    """

    found: list[Found]
    count: int
    evictions: int


@dataclass(slots=True)
class Soften(Change):
    """Give tags new numbers, and note the old ones as softly evicted. Answer: how many were known.

    If it fails it is made good by removing the tags, which evicts what bears them altogether.
    """

    keys: tuple[str, ...] = field()


@dataclass(slots=True)
class Take(Change):
    """Ask for the lease to load a key, and read what is there. Answer: a `Taken`.

    Attributes:
        key: the full key.
        token: what the lease is to bear.
        life: milliseconds after which it ends by itself.
        over: what other leases it replaces: "" (none), "resting" (of one who rests after a
            failure) or "any" (whose holder will store nothing then).
        tags: full keys of tags whose numbers to answer as well, as `Tags` does.
    """

    key: str
    token: str
    life: int
    over: str
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Taken:
    """Who loads a key.

    Attributes:
        mine: whether the lease was given.
        left: milliseconds until the end of the one that somebody else has.
        found: what is under the key.
        numbers: those of the tags asked for.
    """

    mine: bool
    left: int
    found: Found | None
    numbers: Numbers


@dataclass(slots=True)
class Release(Change):
    """Give a lease back, or let it rest for some milliseconds so that nobody tries again at once.

    Whoever waits for it is told. Answer: whether it still bore the token.
    """

    key: str
    token: str
    rest: int = 0


@dataclass(slots=True)
class Extend(ChangeOfOne):
    """Let an entry live longer without writing its value, if the lease still bears the token.

    Answer: whether it did.
    """

    key: str
    token: str
    life: int | None


@dataclass(slots=True)
class Several(Change):
    """Take or store under several keys in one round trip. Answer: that of each step, in a tuple.

    Attributes:
        steps: each of them one command.
    """

    steps: tuple[Take, ...] | tuple[Store, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that they may change."""
        return tuple(key for step in self.steps for key in step.keys)
