"""What every step says of itself, and what a flow is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar


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


_Answer = TypeVar("_Answer")

Flow: TypeAlias = Generator[Step, Any, _Answer]
"""An operation: yields steps, is sent their answers, returns what the caller gets."""
