"""Steps that read, write and find entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from .base import Change, ChangeOfOne, Step

Raw: TypeAlias = bytes | int
"""A value as Redis stores it; integers are bare, so that `INCRBY` works on them."""

FOREVER: Final = -1
"""What is left of an entry that has no timeout, as Redis says it."""

TAGS_CHANGED: Final = "tags changed"
"""An answer to `Store` where a tag's number is not the one given."""

NOT_AN_INTEGER: Final = "not an integer"
"""The answer to `Increment` where Redis cannot add: another type, or past 64 bits."""


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
class Ask(Step):
    """Send commands as they are, for an operator. Answer: their replies, refusals as values.

    Attributes:
        commands: each a command's words.
        changes: whether they may change anything; then they are not sent while Redis is away or
            refuses writes, and nothing is journaled.
    """

    commands: tuple[tuple[Any, ...], ...]
    changes: bool = False

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.changes


@dataclass(slots=True)
class Probe(Step):
    """Ask whether Redis takes writes again, with a key that is gone in a second. Answer: True."""

    key: str
