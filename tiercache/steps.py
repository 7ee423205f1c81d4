"""The vocabulary in which the flows speak to the Redis tier.

A flow yields one step and is sent its answer, or is thrown `RedisAway`. Each step is one round
trip. Keys are full keys, times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

Raw: TypeAlias = bytes | int
"""A value as Redis stores it; integers are bare, so that `INCRBY` works on them."""

FOREVER: Final = -1
"""What is left of an entry that has no timeout, as Redis says it."""

TAGS_CHANGED: Final = "tags changed"
"""An answer to `Store` where a tag's number is not the one given."""

NOT_AN_INTEGER: Final = "not an integer"
"""The answer to `Increment` where Redis cannot add: another type, or past 64 bits."""


class Step:
    """What a flow asks of Redis; each says of itself what others need to know.

    A subclass may make a field of a property; `field()` keeps that from being its default.
    """

    __slots__ = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it reads, or may change."""
        return ()

    @property
    def journaled(self) -> tuple[str, ...]:
        """The keys that have to be made good where Redis did not carry it out."""
        return self.keys

    @property
    def pattern(self) -> str | None:
        """The glob of all that is being removed, where this step is a part of that."""
        return None

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return False

    @property
    def paced(self) -> bool:
        """Whether it is a part of a walk over the keyspace, which takes as long as it takes.

        Each part has a time budget of its own.
        """
        return False


class Change(Step):
    """A step that may change something."""

    __slots__ = ()

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return True


class ChangeOfOne(Change):
    """A step that may change what is under one key."""

    __slots__ = ()
    key: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The key that it may change."""
        return (self.key,)


@dataclass(slots=True)
class Found:
    """An entry as read: its bytes (None if it is no string) and what is left of its time."""

    raw: bytes | None
    left: int


@dataclass(slots=True)
class Read(Step):
    """Read values and what is left of their time. Answer: a `Found` or None for each key.

    Attributes:
        keys: what to read.
        to_change: what is going to be changed, so that a failure counts as that of a change.
    """

    keys: tuple[str, ...] = field()
    to_change: tuple[str, ...] = ()

    @property
    def journaled(self) -> tuple[str, ...]:
        """What memory alone is going to change if this fails."""
        return self.to_change

    @property
    def writes(self) -> bool:
        """Whether it is a part of a change."""
        return bool(self.to_change)


@dataclass(slots=True)
class Peek(Step):
    """Ask whether there is an entry. Answer: a `Peeked`, or None."""

    keys: tuple[str] = field()


@dataclass(slots=True)
class Peeked:
    """What is left of an entry's time, and whether it has a header that says more."""

    left: int
    headed: bool


@dataclass(slots=True)
class Store(Change):
    """Write values that all live `life` milliseconds (None: for ever). Answer: a bool for each.

    An answer is `TAGS_CHANGED` instead, and nothing is written, where a tag's number is not the
    one given. Whatever is written ends the load of its key: the lease is removed.

    Attributes:
        items: keys and values.
        life: milliseconds.
        when: "" (always), "NX" (only where there is none) or "XX" (only where there is one).
        tags: full keys and numbers of the tags that all of them bear; they are kept for as long.
        token: write only what still bears this lease; None where it does not matter.
    """

    items: tuple[tuple[str, Raw], ...]
    life: int | None
    when: str = ""
    tags: tuple[tuple[str, int], ...] = ()
    token: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it may change."""
        return tuple([key for key, _ in self.items])


@dataclass(slots=True)
class Remove(Change):
    """Remove keys. Answer: how many were there.

    Attributes:
        keys: full keys.
        pattern: what all of them fit, where they are a part of that.
        evicts: whether tags are, or may be, among them; loads under way have to know.
    """

    keys: tuple[str, ...] = field()
    pattern: str | None = None
    evicts: bool = False

    @property
    def paced(self) -> bool:
        """Whether it is a part of a walk."""
        return self.pattern is not None


@dataclass(slots=True)
class Expire(ChangeOfOne):
    """Change how long an entry lives. Answer: whether it did, as the command named tells.

    `command` is one of EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST, which mean what they mean
    in Redis, or TOUCH: PEXPIRE, where no argument means for ever and an entry that has no
    timeout counts as changed.
    """

    key: str
    command: str
    argument: int | None


@dataclass(slots=True)
class Increment(ChangeOfOne):
    """Add to an integer. Answer: the sum, None where nothing is there, or `NOT_AN_INTEGER`."""

    key: str
    delta: Any
    create: bool = False


@dataclass(slots=True)
class Swap(ChangeOfOne):
    """Replace `old` by `new` and keep the timeout. Answer: False where `old` is not there."""

    key: str
    old: bytes
    new: Raw


@dataclass(slots=True)
class Rename(Change):
    """Give an entry another key. Answer: False where nothing is there."""

    old: str
    new: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it may change."""
        return (self.old, self.new)


@dataclass(slots=True)
class Scan(Step):
    """Look at a part of the keyspace. Answer: the next cursor (0: that was all), and its keys."""

    cursor: int
    glob: str
    count: int

    @property
    def paced(self) -> bool:
        """It is a part of a walk."""
        return True


class ScanToRemove(Scan):
    """The same, to remove what is found."""

    __slots__ = ()

    @property
    def writes(self) -> bool:
        """What is found is going to be removed."""
        return True

    @property
    def pattern(self) -> str | None:
        """What is going to be removed."""
        return self.glob


@dataclass(slots=True)
class Call(Step):
    """Run `function` with a redis-py client whose commands obey the time budget.

    For the data-structure calls, which are django-redis's own; synchronous driver only.
    """

    function: Callable[[Any], Any]
    keys: tuple[str, ...] = field()
    writes: bool = field()


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


@dataclass(slots=True)
class Probe(Step):
    """Ask whether Redis takes writes again, with a key that is gone in a second. Answer: True."""

    key: str


_Answer = TypeVar("_Answer")

Flow: TypeAlias = Generator[Step, Any, _Answer]
"""An operation: yields steps, is sent their answers, returns what the caller gets."""
