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
    """Read values and what is left of their time. Answer: a `Found` or None for each key."""

    keys: tuple[str, ...] = field()


@dataclass(slots=True)
class Exists(Step):
    """Ask whether there is anything under a key. Answer: a bool."""

    keys: tuple[str] = field()


@dataclass(slots=True)
class Left(Step):
    """Ask what is left of an entry's time. Answer: milliseconds, `FOREVER`, or None: not there."""

    keys: tuple[str] = field()


@dataclass(slots=True)
class Store(Change):
    """Write values that all live `life` milliseconds (None: for ever). Answer: a bool for each.

    `when` is "" (always), "NX" (only where there is none) or "XX" (only where there is one).
    """

    items: tuple[tuple[str, Raw], ...]
    life: int | None
    when: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it may change."""
        return tuple([key for key, _ in self.items])


@dataclass(slots=True)
class Remove(Change):
    """Remove keys. Answer: how many were there."""

    keys: tuple[str, ...] = field()
    pattern: str | None = None

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
class Probe(Step):
    """Ask whether Redis takes writes again, with a key that is gone in a second. Answer: True."""

    key: str


_Answer = TypeVar("_Answer")

Flow: TypeAlias = Generator[Step, Any, _Answer]
"""An operation: yields steps, is sent their answers, returns what the caller gets."""
