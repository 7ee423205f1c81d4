"""What the memory tier holds: entries, and the copies they are made of."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

PLAIN: Final = 0
"""The copy is the value itself, immutable, and may be handed to any caller."""

SERIALIZED: Final = 1
"""The copy is the serializer's output (bytes); each caller gets a value of its own."""

WARNS: Final = 2
"""Added to either: Django warns about this key, so every hit must go the way that does."""


class Missing:
    """The type of `MISSING`, the answer "nothing there": never a value, so `None` can be one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


class Copy(NamedTuple):
    """A value in the form in which the memory tier may hold it.

    Attributes:
        held: the value itself (`PLAIN`) or its serialized bytes (`SERIALIZED`).
        form: `PLAIN` or `SERIALIZED`, plus `WARNS` where Django warns about the key.
        size: bytes that `held` accounts for, without the key and the entry around it.
    """

    held: Any
    form: int
    size: int


class Entry:
    """One key's copy in the memory tier, linked into its policy's queue.

    A reader takes no lock: it looks the entry up, compares `deadline` with the clock, and
    marks the hit in `used`. All other attributes change only under the memory tier's lock.

    Attributes:
        key: the full key, as Redis knows it.
        held, form: as in `Copy`.
        deadline: when the copy ends, in seconds of the tier's clock; infinity where it does not.
        used: whether it was hit since the policy last looked.
        size: bytes accounted for, key and bookkeeping included.
        queue: the policy's queue that the entry stands in, None once it has left the tier.
        before, after: its neighbours in that queue.
    """

    __slots__ = ("after", "before", "deadline", "form", "held", "key", "queue", "size", "used")

    key: str
    held: Any
    form: int
    deadline: float
    used: Any
    size: int
    queue: Any
    before: Entry
    after: Entry
